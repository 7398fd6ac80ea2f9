/**
 * The rules of a write, inside its transaction: references are resolved, the row is validated, names stay unique,
 * nothing refers to nothing. Whatever is refused here leaves the store as it was.
 */
import { Clock, Effect } from "effect"
import type { SqlError } from "effect/sql/SqlError"
import type { BrokenReference, Refusal } from "../../model/AdminErrors.ts"
import { askedReference, endpointText, mergePatch, shownFields, stamped, uniqueValue } from "../../model/AdminRow.ts"
import { entityByName } from "../../model/Entities.ts"
import type { Entity, Row } from "../../model/Entity.ts"
import { isUuid } from "../../model/Field.ts"
import { makeDecodeRow, type PluginCatalogue, rowFields } from "../../model/plugin/PluginCatalogue.ts"
import { askedTtlFaults, expiringFrom, withoutZeroTtl } from "../../model/Ttl.ts"
import { type Key, WriteRefused } from "../../services/control/ConfigStore.ts"
import type { Ids } from "../../services/control/Ids.ts"
import { withGenerated } from "./generated.ts"
import { onWrite } from "./onWrite.ts"
import type { Rows } from "./rows.ts"

const refuse = (refusal: Refusal) => Effect.fail(new WriteRefused({ refusal }))

/** Rows that every configuration carries (`hybrid-protocol-v1.md` §14.4). */
export const indispensable = [
  { entity: "workspaces", name: "default" },
  { entity: "parameters", name: "cluster_id" }
] as const

export const makeWrites = (rows: Rows, ids: Ids["Service"], plugins: PluginCatalogue) => {
  const decodeRow = makeDecodeRow(plugins)

  const findReferred = Effect.fnUntraced(function* (to: Entity, asked: NonNullable<ReturnType<typeof askedReference>>) {
    if (asked.by === "id") return yield* rows.byId(to.name, asked.text)
    const row = yield* rows.find({ entity: to, text: asked.text })
    return asked.by === "either" || row?.[to.endpointKey ?? ""] === endpointText(to, asked.text) ? row : undefined
  })

  /** Puts ids in place of what the writer called the referred rows. */
  const resolve = Effect.fnUntraced(function* (entity: Entity, input: Row) {
    const resolved: Record<string, unknown> = { ...input }
    const broken: Array<BrokenReference> = []
    for (const { field, to } of entity.references) {
      const target = entityByName.get(to)
      const asked = target === undefined ? undefined : askedReference(target, input[field])
      if (target === undefined || asked === undefined) continue
      const row = yield* findReferred(target, asked)
      resolved[field] = row?.[target.primaryKey] ?? asked.text
      if (row === undefined) broken.push({ field, to, key: asked.key })
    }
    return { resolved: resolved as Row, broken }
  })

  const requireUnique = Effect.fnUntraced(function* (entity: Entity, row: Row) {
    for (const fields of entity.unique) {
      const value = uniqueValue(row, fields)
      const owner = value === undefined ? undefined : yield* rows.ownerOf(entity, fields, value)
      if (owner !== undefined && owner !== row[entity.primaryKey]) {
        return yield* refuse({ _tag: "UniqueViolation", fields: shownFields(entity, row, fields) })
      }
    }
  })

  /** The row as it is stored, or every reason why not. `asked` is what the writer said of it. */
  const settle = Effect.fnUntraced(function* (entity: Entity, input: Row, asked: Row) {
    const { resolved, broken } = yield* resolve(entity, withoutZeroTtl(entity, input))
    const nowMs = yield* Clock.currentTimeMillis
    const complete = yield* withGenerated(ids, entity, stamped(entity, resolved, nowMs))
    const decoded = decodeRow(entity, complete)
    const ttlFaults = askedTtlFaults(entity, asked)
    if (decoded._tag === "Wrong")
      return yield* refuse({ _tag: "SchemaViolation", faults: [...decoded.faults, ...ttlFaults] })
    if (ttlFaults.length > 0) return yield* refuse({ _tag: "SchemaViolation", faults: ttlFaults })
    if (broken.length > 0) return yield* refuse({ _tag: "ForeignKeyViolation", broken })
    const { row, faults } = onWrite(entity, expiringFrom(decoded.row, nowMs), nowMs)
    if (faults.length > 0) return yield* refuse({ _tag: "SchemaViolation", faults })
    yield* requireUnique(entity, row)
    return row
  })

  const requireIndispensable = Effect.fnUntraced(function* (changed: Entity) {
    for (const { entity, name } of indispensable) {
      if (entity !== changed.name) continue
      if ((yield* rows.find({ entity: changed, text: name })) === undefined) {
        return yield* refuse({ _tag: "Indispensable", entity, name })
      }
    }
  })

  const withId = Effect.fnUntraced(function* (entity: Entity, input: Row) {
    return entity.primaryKey === "id" && (input.id === undefined || input.id === null)
      ? { ...input, id: yield* ids.uuid }
      : input
  })

  const create = Effect.fnUntraced(function* (entity: Entity, input: Row) {
    const identified = yield* withId(entity, input)
    const id = identified[entity.primaryKey]
    if (typeof id === "string" && (yield* rows.byId(entity.name, id)) !== undefined) {
      return yield* refuse({ _tag: "PrimaryKeyViolation", fields: { [entity.primaryKey]: id } })
    }
    const row = yield* settle(entity, identified, input)
    yield* rows.insert(entity, row)
    return row
  })

  const overwrite = Effect.fnUntraced(function* (entity: Entity, current: Row, next: Row, asked: Row) {
    const identified = {
      ...next,
      [entity.primaryKey]: current[entity.primaryKey],
      ...("created_at" in current ? { created_at: next.created_at ?? current.created_at } : {})
    }
    const row = yield* settle(entity, identified, asked)
    yield* rows.replace(entity, row)
    yield* requireIndispensable(entity)
    return row
  })

  /** What the URL says about a row that it creates. */
  const keyFields = ({ entity, text }: Key): Row | undefined =>
    entity.primaryKey !== "id" || isUuid(text)
      ? { [entity.primaryKey]: text }
      : entity.endpointKey === undefined
        ? undefined
        : { [entity.endpointKey]: endpointText(entity, text) }

  const put = Effect.fnUntraced(function* (key: Key, input: Row) {
    const { entity, parent, text } = key
    const owned: Row = parent === undefined ? input : { ...input, [parent.field]: parent.id }
    const current = yield* rows.find(key)
    if (current !== undefined) {
      const isNamed = current[entity.primaryKey] !== text && entity.endpointKey !== undefined
      const named =
        isNamed && entity.endpointKey !== undefined ? { [entity.endpointKey]: endpointText(entity, text) } : {}
      return { row: yield* overwrite(entity, current, { ...owned, ...named }, input), isNew: false }
    }
    const fields = keyFields(key)
    if (fields === undefined) return yield* refuse({ _tag: "InvalidPrimaryKey", fields: { [entity.primaryKey]: text } })
    return { row: yield* create(entity, { ...owned, ...fields }), isNew: true }
  })

  const patch = Effect.fnUntraced(function* (key: Key, input: Row) {
    const current = yield* rows.find(key)
    if (current === undefined) return undefined
    const isPlugin = key.entity.name === "plugins"
    const fields = isPlugin ? rowFields(plugins, input.name ?? current.name) : key.entity.fields
    return yield* overwrite(key.entity, current, mergePatch(fields, current, input), input)
  })

  const removeTree = Effect.fnUntraced(function* (
    kind: string,
    id: string
  ): Effect.fn.Return<void, WriteRefused | SqlError> {
    for (const referrer of yield* rows.referrers(kind, id)) {
      const reference = entityByName.get(referrer.kind)?.references.find(({ field }) => field === referrer.field)
      if (reference?.onDelete !== "cascade") {
        return yield* refuse({ _tag: "ReferencedByOthers", entity: kind, by: referrer.kind })
      }
      yield* removeTree(referrer.kind, referrer.id)
    }
    yield* rows.remove(kind, id)
  })

  /** Deletes a row with all that depends on it; false when there was none. */
  const remove = Effect.fnUntraced(function* (key: Key) {
    const row = yield* rows.find(key)
    if (row === undefined) return false
    yield* removeTree(key.entity.name, String(row[key.entity.primaryKey]))
    yield* requireIndispensable(key.entity)
    return true
  })

  return { create, put, patch, remove }
}

export type Writes = ReturnType<typeof makeWrites>
