/** Pages of a collection: size, the opaque offset, and the filter by tags, as Kong writes them. */
import { Effect } from "effect"
import { type AdminAnswer, pageSizeMax, type Refusal, refusalAnswer } from "../../model/AdminErrors.ts"
import type { Row } from "../../model/Entity.ts"
import type { TagFilter } from "../../services/control/ConfigStore.ts"

const pageSizeDefault = 100

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

/** `a,b` asks for both, `a/b` for either; Kong takes no mixture. */
const tagFilter = (text: string | null): TagFilter | undefined => {
  const given = text ?? ""
  if (given.includes(",") && given.includes("/")) return undefined
  const tags = given.split(/[,/]/).filter((tag) => tag !== "")
  return { tags, ofTags: given.includes("/") ? "any" : "all" }
}

/** What the query asks for, and how a page of it is shown. */
export const pageOf = Effect.fnUntraced(function* ({ pathname, searchParams }: URL) {
  const sizeText = searchParams.get("size")
  const size = sizeText === null ? pageSizeDefault : /^\d+$/.test(sizeText) ? Number(sizeText) : 0
  if (size < 1 || size > pageSizeMax) return yield* refused({ _tag: "InvalidSize" })
  const offset = searchParams.get("offset")
  const after = offset === null ? 0 : placeOf(offset)
  if (after === undefined) return yield* refused({ _tag: "InvalidOffset", found: offset ?? "" })
  const filter = tagFilter(searchParams.get("tags"))
  if (filter === undefined) return yield* refused({ _tag: "InvalidTagFilter" })
  const shown = (data: ReadonlyArray<Row>, next: number | undefined): AdminAnswer => {
    if (next === undefined) return { status: 200, body: { data, next: null } }
    const kept = new URLSearchParams(searchParams)
    kept.set("offset", offsetText(next))
    return { status: 200, body: { data, next: `${pathname}?${kept}`, offset: offsetText(next) } }
  }
  return { options: { size, after, ...filter }, shown }
})
