/**
 * Create, read, update and delete for every entity of the table, in Kong's shapes. One set of handlers: what differs
 * between entities stands in the entity table.
 */
import { Clock, Effect } from "effect"
import type { HttpServerRequest } from "effect/http"
import { type AdminAnswer, answers, pageSizeMax } from "../../model/AdminErrors.ts"
import { type AdminTarget, allowedMethods, type Nesting } from "../../model/AdminPath.ts"
import { toAdminRow } from "../../model/AdminRow.ts"
import { entityByName, snis } from "../../model/Entities.ts"
import type { Entity, Row } from "../../model/Entity.ts"
import { withSecondsLeft } from "../../model/Ttl.ts"
import { ConfigStore, type Key, type Parent } from "../../services/control/ConfigStore.ts"
import type { Plugins } from "../../services/Plugins.ts"
import { answerFailures } from "./answerFailures.ts"
import { readRow } from "./body.ts"
import { pageOf } from "./paging.ts"

const sni = snis as unknown as Entity

/**
 * What a row is shown with beyond what is stored: a certificate with its names, what ends by itself with the seconds that
 * are left (`config-model.md` §3).
 */
const adminRow = Effect.fnUntraced(function* (entity: Entity, row: Row) {
  const own = withSecondsLeft(toAdminRow(entity, row), yield* Clock.currentTimeMillis)
  if (entity.name !== "certificates") return own
  const store = yield* ConfigStore
  const parent: Parent = { field: "certificate", id: String(row.id) }
  const names = yield* store.list(sni, { size: pageSizeMax, after: 0, parent })
  return { ...own, snis: names.rows.map(({ name }) => name) }
})

const shown = Effect.fnUntraced(function* (entity: Entity, row: Row, status = 200) {
  const answer: AdminAnswer = { status, body: yield* adminRow(entity, row) }
  return answer
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
    return yield* shown(
      entity,
      yield* store.create(entity, parent === undefined ? row : { ...row, [parent.field]: parent.id }),
      201
    )
  }
  const page = yield* pageOf(url)
  const { rows, next } = yield* store.list(entity, { ...page.options, parent })
  return page.shown(yield* Effect.forEach(rows, (found) => adminRow(entity, found)), next)
})

const row = Effect.fnUntraced(function* (
  { entity, text, nesting }: Target<"Row">,
  request: HttpServerRequest.HttpServerRequest
) {
  const store = yield* ConfigStore
  const key: Key = { entity, text, parent: yield* requireParent(nesting) }
  switch (request.method) {
    case "PUT":
      return yield* shown(entity, (yield* store.put(key, yield* readRow(entity, request, key))).row)
    case "PATCH": {
      const changed = yield* store.patch(key, yield* readRow(entity, request, key))
      return changed === undefined ? answers.notFound : yield* shown(entity, changed)
    }
    case "DELETE":
      yield* store.remove(key)
      return answers.gone
    default: {
      const found = yield* store.find(key)
      return found === undefined ? answers.notFound : yield* shown(entity, found)
    }
  }
})

const referred = Effect.fnUntraced(function* ({ entity, text, reference }: Target<"Referred">) {
  const store = yield* ConfigStore
  const owner = yield* store.find({ entity, text })
  const id = owner?.[reference.field]
  const to = entityByName.get(reference.to)
  const found = typeof id === "string" && to !== undefined ? yield* store.find({ entity: to, text: id }) : undefined
  return found === undefined || to === undefined ? answers.notFound : yield* shown(to, found)
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
): Effect.Effect<AdminAnswer, never, ConfigStore | Plugins> => {
  if (!allowedMethods(target).includes(request.method)) return Effect.succeed(answers.methodNotAllowed)
  return answerFailures<ConfigStore | Plugins>(dispatch(target, request, url) as ReturnType<typeof row>)
}
