/**
 * Create, read, update and delete for every entity of the table, in Kong's shapes. One set of handlers: what differs
 * between entities stands in the entity table.
 */
import { Effect } from "effect"
import type { HttpServerRequest } from "effect/http"
import { type AdminAnswer, answers, pageSizeMax, type Refusal, refusalAnswer } from "../../model/AdminErrors.ts"
import { type AdminTarget, allowedMethods, type Nesting } from "../../model/AdminPath.ts"
import { toAdminRow } from "../../model/AdminRow.ts"
import { entityByName } from "../../model/Entities.ts"
import type { Entity, Row } from "../../model/Entity.ts"
import { ConfigStore, type Key, type Parent } from "../../services/control/ConfigStore.ts"
import { answerFailures } from "./answerFailures.ts"
import { readRow } from "./body.ts"

const pageSizeDefault = 100

const shown = (entity: Entity, row: Row, status = 200): AdminAnswer => ({ status, body: toAdminRow(entity, row) })

const refused = (refusal: Refusal) => Effect.fail<AdminAnswer>(refusalAnswer(refusal))

/** Opaque to clients: the place in the store's order where the next page starts. */
const offsetText = (place: number): string => Buffer.from(JSON.stringify([place])).toString("base64url")

const placeOf = (offset: string): number | undefined => {
  try {
    const [place]: ReadonlyArray<unknown> = JSON.parse(Buffer.from(offset, "base64url").toString())
    return Number.isSafeInteger(place) ? (place as number) : undefined
  } catch {
    return undefined
  }
}

const page = Effect.fnUntraced(function* (path: string, query: URLSearchParams) {
  const sizeText = query.get("size")
  const size = sizeText === null ? pageSizeDefault : /^\d+$/.test(sizeText) ? Number(sizeText) : 0
  if (size < 1 || size > pageSizeMax) return yield* refused({ _tag: "InvalidSize" })
  const offset = query.get("offset")
  const after = offset === null ? 0 : placeOf(offset)
  if (after === undefined) return yield* refused({ _tag: "InvalidOffset", found: offset ?? "" })
  const tags = (query.get("tags") ?? "").split(",").filter((tag) => tag !== "")
  const nextPath = (next: number): string => {
    const kept = new URLSearchParams(query)
    kept.set("offset", offsetText(next))
    return `${path}?${kept}`
  }
  return { size, after, tags, nextPath }
})

const requireParent = Effect.fnUntraced(function* (nesting: Nesting | undefined) {
  if (nesting === undefined) return undefined
  const store = yield* ConfigStore
  const row = yield* store.find({ entity: nesting.entity, text: nesting.text })
  if (row === undefined) return yield* Effect.fail<AdminAnswer>(answers.notFound)
  const parent: Parent = { field: nesting.field, id: String(row[nesting.entity.primaryKey]) }
  return parent
})

type Target<T extends AdminTarget["_tag"]> = Extract<AdminTarget, { readonly _tag: T }>

const collection = Effect.fnUntraced(function* (
  { entity, nesting }: Target<"Collection">,
  request: HttpServerRequest.HttpServerRequest,
  url: URL
) {
  const store = yield* ConfigStore
  const parent = yield* requireParent(nesting)
  if (request.method === "POST") {
    const row = yield* readRow(entity, request)
    return shown(
      entity,
      yield* store.create(entity, parent === undefined ? row : { ...row, [parent.field]: parent.id }),
      201
    )
  }
  const { nextPath, ...options } = yield* page(url.pathname, url.searchParams)
  const { rows, next } = yield* store.list(entity, { ...options, parent })
  const more = next === undefined ? { next: null } : { next: nextPath(next), offset: offsetText(next) }
  const answer: AdminAnswer = { status: 200, body: { data: rows.map((row) => toAdminRow(entity, row)), ...more } }
  return answer
})

const row = Effect.fnUntraced(function* (
  { entity, text, nesting }: Target<"Row">,
  request: HttpServerRequest.HttpServerRequest
) {
  const store = yield* ConfigStore
  const key: Key = { entity, text, parent: yield* requireParent(nesting) }
  switch (request.method) {
    case "PUT":
      return shown(entity, (yield* store.put(key, yield* readRow(entity, request))).row)
    case "PATCH": {
      const changed = yield* store.patch(key, yield* readRow(entity, request))
      return changed === undefined ? answers.notFound : shown(entity, changed)
    }
    case "DELETE":
      yield* store.remove(key)
      return answers.gone
    default: {
      const found = yield* store.find(key)
      return found === undefined ? answers.notFound : shown(entity, found)
    }
  }
})

const referred = Effect.fnUntraced(function* ({ entity, text, reference }: Target<"Referred">) {
  const store = yield* ConfigStore
  const owner = yield* store.find({ entity, text })
  const id = owner?.[reference.field]
  const to = entityByName.get(reference.to)
  const found = typeof id === "string" && to !== undefined ? yield* store.find({ entity: to, text: id }) : undefined
  return found === undefined || to === undefined ? answers.notFound : shown(to, found)
})

const dispatch = (target: AdminTarget, request: HttpServerRequest.HttpServerRequest, url: URL) => {
  switch (target._tag) {
    case "Collection":
      return collection(target, request, url)
    case "Row":
      return row(target, request)
    case "Referred":
      return referred(target)
  }
}

/** The answer to a request about entities; refusals are answers too. */
export const answerEntities = (
  target: AdminTarget,
  request: HttpServerRequest.HttpServerRequest,
  url: URL
): Effect.Effect<AdminAnswer, never, ConfigStore> => {
  if (!allowedMethods(target).includes(request.method)) return Effect.succeed(answers.methodNotAllowed)
  return answerFailures<ConfigStore>(dispatch(target, request, url) as ReturnType<typeof row>)
}
