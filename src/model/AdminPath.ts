/** What a URL of the admin API is about: derived from the entity table, so that one more entity is one more row there. */
import { entities } from "./Entities.ts"
import type { Entity, Reference } from "./Entity.ts"

/** Children of one row, addressed below it: `services/{s}/routes`. */
export interface Nesting {
  readonly entity: Entity
  readonly text: string
  /** The children's field that refers to the parent. */
  readonly field: string
}

export type AdminTarget =
  | { readonly _tag: "Collection"; readonly entity: Entity; readonly nesting?: Nesting }
  | { readonly _tag: "Row"; readonly entity: Entity; readonly text: string; readonly nesting?: Nesting }
  /** The row that another refers to: `routes/{r}/service`. */
  | { readonly _tag: "Referred"; readonly entity: Entity; readonly text: string; readonly reference: Reference }

const decode = (segment: string): string | undefined => {
  try {
    return decodeURIComponent(segment)
  } catch {
    return undefined
  }
}

const segmentsOf = (path: string): ReadonlyArray<string> | undefined => {
  const segments = path
    .split("/")
    .filter((segment) => segment !== "")
    .map(decode)
  return segments.every((segment) => segment !== undefined) ? segments : undefined
}

const nestedIn = (parent: Entity, text: string, childName: string): readonly [Entity, Nesting] | undefined => {
  const child = entities.find(({ name, adminNames }) => (adminNames?.nested ?? name) === childName)
  const reference = child?.references.find(({ to }) => to === parent.name)
  return child === undefined || reference === undefined
    ? undefined
    : [child, { entity: parent, text, field: reference.field }]
}

const byTopName: ReadonlyMap<string, Entity> = new Map(
  entities.map((entity) => [entity.adminNames?.top ?? entity.name, entity])
)

/** `undefined` when the path means nothing. */
export const resolveAdminPath = (path: string): AdminTarget | undefined => {
  const [first = "", text, third, fourth, ...rest] = segmentsOf(path) ?? [""]
  const entity = byTopName.get(first)
  if (entity === undefined || rest.length > 0) return undefined
  if (text === undefined) return { _tag: "Collection", entity }
  if (third === undefined) return { _tag: "Row", entity, text }
  const nested = nestedIn(entity, text, third)
  if (nested !== undefined) {
    const [child, nesting] = nested
    return fourth === undefined
      ? { _tag: "Collection", entity: child, nesting }
      : { _tag: "Row", entity: child, text: fourth, nesting }
  }
  const reference = fourth === undefined ? entity.references.find(({ field }) => field === third) : undefined
  return reference === undefined ? undefined : { _tag: "Referred", entity, text, reference }
}

const methods = {
  Collection: ["GET", "HEAD", "POST"],
  Row: ["GET", "HEAD", "PUT", "PATCH", "DELETE"],
  Referred: ["GET", "HEAD"]
} as const satisfies Readonly<Record<AdminTarget["_tag"], ReadonlyArray<string>>>

export const allowedMethods = (target: AdminTarget): ReadonlyArray<string> => methods[target._tag]
