/**
 * Rows as the admin API shows and takes them: references are objects, writes may be partial. The store keeps bare ids
 * (reference `config-model.md` §1.1).
 */
import { type Entity, isRecord, type Reference, type Row } from "./Entity.ts"
import type { Fields } from "./Field.ts"

/** A row with its references as `{"id": …}` or null. The workspace of a row is not shown: there is one. */
export const toAdminRow = (entity: Entity, { ws_id: _, ...row }: Row): Row => ({
  ...row,
  ...Object.fromEntries(
    entity.references.map(({ field }) => [field, typeof row[field] === "string" ? { id: row[field] } : null])
  )
})

/** What a write says about a reference: by id, by endpoint key, or a bare text that may be either. */
export type Asked =
  | { readonly by: "id" | "endpointKey" | "either"; readonly text: string; readonly key: Row }
  /** Nothing that names a row; validation says what is wrong with it. */
  | undefined

export const askedReference = (to: Entity, value: unknown): Asked => {
  if (typeof value === "string" && value !== "") return { by: "either", text: value, key: { [to.primaryKey]: value } }
  if (!isRecord(value)) return undefined
  const id = value[to.primaryKey]
  if (typeof id === "string") return { by: "id", text: id, key: { [to.primaryKey]: id } }
  const name = to.endpointKey === undefined ? undefined : value[to.endpointKey]
  return to.endpointKey !== undefined && typeof name === "string"
    ? { by: "endpointKey", text: name, key: { [to.endpointKey]: name } }
    : undefined
}

/**
 * A partial write over what stands: records with fixed keys merge, everything else is replaced. Shorthands are expanded
 * afterwards, for an expansion may also fill defaults, which a partial write must not bring back.
 */
export const mergePatch = (fields: Fields, current: Row, patch: Row): Row => {
  const merged = Object.entries(patch).map(([key, value]) => {
    const inner = Object.hasOwn(fields, key) ? fields[key]?.fields : undefined
    const before = Object.hasOwn(current, key) ? current[key] : undefined
    const isMerged = inner !== undefined && isRecord(value) && isRecord(before)
    return [key, isMerged ? mergePatch(inner, before, value) : value] as const
  })
  // Not by assignment: a key named __proto__ must stay a key, to be refused as any unknown one.
  return Object.fromEntries([...Object.entries(current), ...merged])
}

/** The values of a unique set. A field alone collides with nothing while it has no value; among several, nothing is a value. */
export const uniqueValue = (row: Row, fields: ReadonlyArray<string>): string | undefined => {
  const values = fields.map((field) => row[field] ?? null)
  return values.length === 1 && values[0] === null ? undefined : JSON.stringify(values)
}

/** The name of a unique set, as the store knows it. */
export const uniqueName = (fields: ReadonlyArray<string>): string => fields.join(",")

/** A row's fields as they are told in an error about them. */
export const shownFields = (entity: Entity, row: Row, fields: ReadonlyArray<string>): Row => {
  const shown = toAdminRow(entity, row)
  return Object.fromEntries(fields.map((field) => [field, shown[field] ?? null]))
}

export interface Link extends Reference {
  readonly id: string
}

/** The references of a row that are set. */
export const linksOf = (entity: Entity, row: Row): ReadonlyArray<Link> =>
  entity.references.flatMap((reference) => {
    const id = row[reference.field]
    return typeof id === "string" ? [{ ...reference, id }] : []
  })

/** Seconds in whole numbers; targets keep the milliseconds, for their order is their age (`config-model.md` §1.2). */
const stamp = (entity: Entity, nowMs: number): number =>
  entity.name === "targets" ? nowMs / 1000 : Math.floor(nowMs / 1000)

/** The fields that every write sets, where the entity has them. */
export const stamped = (entity: Entity, row: Row, nowMs: number): Row => {
  const now = stamp(entity, nowMs)
  return {
    ...row,
    ...(Object.hasOwn(entity.fields, "created_at") ? { created_at: row.created_at ?? now } : {}),
    ...(Object.hasOwn(entity.fields, "updated_at") ? { updated_at: now } : {})
  }
}

/** The endpoint key as it is stored: what a URL says may be short for it, as a target without its port is. */
export const endpointText = (entity: Entity, text: string): string => {
  const expanded = entity.endpointKey === undefined ? undefined : entity.expand({ [entity.endpointKey]: text })
  const found = entity.endpointKey === undefined ? undefined : expanded?.[entity.endpointKey]
  return typeof found === "string" ? found : text
}

/** True when the endpoint key alone names one row among all; otherwise it does so among the children of one parent. */
export const isEndpointKeyUnique = (entity: Entity): boolean =>
  entity.unique.some((fields) => fields.length === 1 && fields[0] === entity.endpointKey)
