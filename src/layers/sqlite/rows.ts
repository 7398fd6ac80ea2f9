/** The statements of the store: rows, their unique keys and their links. Each runs in whatever transaction is open. */
import { Clock, Effect } from "effect"
import type { SqlClient } from "effect/sql"
import type { SqlError } from "effect/sql/SqlError"
import { endpointText, isEndpointKeyUnique, linksOf, uniqueName, uniqueValue } from "../../model/AdminRow.ts"
import { entities } from "../../model/Entities.ts"
import type { Entity, Row } from "../../model/Entity.ts"
import type { StoredRows } from "../../model/exportTable.ts"
import { hasTtl, isExpired } from "../../model/Ttl.ts"
import type { Key, ListOptions, Page, Parent, TagOptions } from "../../services/control/ConfigStore.ts"

interface Stored {
  readonly seq: number
  readonly kind: string
  readonly id: string
  readonly body: string
}

export interface Referrer {
  readonly kind: string
  readonly id: string
  readonly field: string
}

const rowOf = (found: ReadonlyArray<{ readonly body: string }>): Row | undefined =>
  found[0] === undefined ? undefined : (JSON.parse(found[0].body) as Row)

/** The store holds the moment (`model/Ttl.ts`). */
const timedKinds = entities.filter(hasTtl).map(({ name }) => name)

/** `json_each` counts the tags of a row; a place among all tags is the row's and this one's. */
const tagsPerRowMax = 2 ** 20

export const makeRows = (sql: SqlClient.SqlClient) => {
  const byId = (kind: string, id: string) =>
    Effect.map(sql<Stored>`SELECT body FROM entities WHERE kind = ${kind} AND id = ${id}`, rowOf)

  const ownerOf = (entity: Entity, fields: ReadonlyArray<string>, value: string) =>
    Effect.map(
      sql<{ readonly id: string }>`SELECT id FROM unique_keys
        WHERE kind = ${entity.name} AND name = ${uniqueName(fields)} AND value = ${value}`,
      (found) => found[0]?.id
    )

  const byUniqueKey = (entity: Entity, field: string, text: string) =>
    Effect.map(
      sql<Stored>`SELECT e.body FROM unique_keys u JOIN entities e ON e.kind = u.kind AND e.id = u.id
        WHERE u.kind = ${entity.name} AND u.name = ${field} AND u.value = ${JSON.stringify([text])}`,
      rowOf
    )

  const childByField = (entity: Entity, parent: Parent, field: string, text: string) =>
    Effect.map(
      sql<Stored>`SELECT e.body FROM links l JOIN entities e ON e.kind = l.kind AND e.id = l.id
        WHERE l.to_id = ${parent.id} AND l.kind = ${entity.name} AND l.field = ${parent.field}
          AND json_extract(e.body, ${`$.${field}`}) = ${text}`,
      rowOf
    )

  const byEndpointKey = ({ entity, text, parent }: Key): Effect.Effect<Row | undefined, SqlError> => {
    const field = entity.endpointKey
    if (field === undefined) return Effect.succeed(undefined)
    const stored = endpointText(entity, text)
    if (isEndpointKeyUnique(entity)) return byUniqueKey(entity, field, stored)
    return parent === undefined ? Effect.succeed(undefined) : childByField(entity, parent, field, stored)
  }

  /** An id wins over a name that looks like one. A row whose time is over is none. */
  const find = Effect.fnUntraced(function* (key: Key) {
    const found = (yield* byId(key.entity.name, key.text)) ?? (yield* byEndpointKey(key))
    const row = found !== undefined && isExpired(found, yield* Clock.currentTimeMillis) ? undefined : found
    return row === undefined || key.parent === undefined || row[key.parent.field] === key.parent.id ? row : undefined
  })

  const idOf = (entity: Entity, row: Row): string => String(row[entity.primaryKey])

  const index = Effect.fnUntraced(function* (entity: Entity, row: Row) {
    const id = idOf(entity, row)
    for (const fields of entity.unique) {
      const value = uniqueValue(row, fields)
      if (value !== undefined) {
        yield* sql`INSERT INTO unique_keys ${sql.insert({ kind: entity.name, name: uniqueName(fields), value, id })}`
      }
    }
    for (const link of linksOf(entity, row)) {
      const { field, to, id: to_id } = link
      yield* sql`INSERT INTO links ${sql.insert({ kind: entity.name, id, field, to_kind: to, to_id })}`
    }
  })

  const insert = Effect.fnUntraced(function* (entity: Entity, row: Row) {
    const body = JSON.stringify(row)
    yield* sql`INSERT INTO entities ${sql.insert({ kind: entity.name, id: idOf(entity, row), body })}`
    yield* index(entity, row)
  })

  /** Into an empty store, in three statements: a configuration of ten thousand rows would take seconds one by one. */
  const insertAll = Effect.fnUntraced(function* (all: ReadonlyArray<readonly [Entity, Row]>) {
    const bodies = all.map(([entity, row]) => [entity.name, idOf(entity, row), JSON.stringify(row)])
    const keys = all.flatMap(([entity, row]) =>
      entity.unique.flatMap((fields) => {
        const value = uniqueValue(row, fields)
        return value === undefined ? [] : [[entity.name, uniqueName(fields), value, idOf(entity, row)]]
      })
    )
    const links = all.flatMap(([entity, row]) =>
      linksOf(entity, row).map(({ field, to, id }) => [entity.name, idOf(entity, row), field, to, id])
    )
    yield* sql`INSERT INTO entities (kind, id, body)
      SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(${JSON.stringify(bodies)}) ORDER BY key`
    yield* sql`INSERT INTO unique_keys (kind, name, value, id)
      SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each(${JSON.stringify(keys)})`
    yield* sql`INSERT INTO links (kind, id, field, to_kind, to_id)
      SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4 FROM json_each(${JSON.stringify(links)})`
  })

  const replace = Effect.fnUntraced(function* (entity: Entity, row: Row) {
    const id = idOf(entity, row)
    yield* sql`DELETE FROM unique_keys WHERE kind = ${entity.name} AND id = ${id}`
    yield* sql`DELETE FROM links WHERE kind = ${entity.name} AND id = ${id}`
    yield* sql`UPDATE entities SET body = ${JSON.stringify(row)} WHERE kind = ${entity.name} AND id = ${id}`
    yield* index(entity, row)
  })

  const remove = (kind: string, id: string) => sql`DELETE FROM entities WHERE kind = ${kind} AND id = ${id}`

  const clear = Effect.all([sql`DELETE FROM links`, sql`DELETE FROM unique_keys`, sql`DELETE FROM entities`], {
    discard: true
  })

  const referrers = (kind: string, id: string) =>
    sql<Referrer>`SELECT kind, id, field FROM links WHERE to_kind = ${kind} AND to_id = ${id}`

  const list = Effect.fnUntraced(function* (
    entity: Entity,
    { size, after, parent, tags = [], ofTags = "all" }: ListOptions
  ) {
    const nowMs = yield* Clock.currentTimeMillis
    const momentOfExpiry = sql`json_extract(e.body, '$.ttl')`
    const tagged = tags.map((tag) => sql`EXISTS (SELECT 1 FROM json_each(e.body, '$.tags') WHERE value = ${tag})`)
    const conditions = [
      sql`e.kind = ${entity.name}`,
      sql`e.seq > ${after}`,
      ...(hasTtl(entity) ? [sql`(${momentOfExpiry} IS NULL OR ${momentOfExpiry} * 1000 > ${nowMs})`] : []),
      ...(tagged.length === 0 ? [] : [ofTags === "all" ? sql.and(tagged) : sql.or(tagged)]),
      ...(parent === undefined
        ? []
        : [
            sql`e.id IN (SELECT id FROM links
              WHERE to_id = ${parent.id} AND kind = ${entity.name} AND field = ${parent.field})`
          ])
    ]
    const found = yield* sql<Stored>`SELECT e.seq, e.body FROM entities e WHERE ${sql.and(conditions)}
      ORDER BY e.seq LIMIT ${size + 1}`
    const shown = found.slice(0, size)
    const page: Page = {
      rows: shown.map(({ body }) => JSON.parse(body) as Row),
      next: found.length > size ? shown.at(-1)?.seq : undefined
    }
    return page
  })

  const tags = Effect.fnUntraced(function* ({ tag, size, after }: TagOptions) {
    const place = sql`e.seq * ${tagsPerRowMax} + t.key`
    const conditions = [sql`${place} > ${after}`, ...(tag === undefined ? [] : [sql`t.value = ${tag}`])]
    const found = yield* sql<{
      readonly place: number
      readonly kind: string
      readonly id: string
      readonly tag: string
    }>`
      SELECT ${place} AS place, e.kind, e.id, t.value AS tag FROM entities e, json_each(e.body, '$.tags') t
      WHERE ${sql.and(conditions)} ORDER BY place LIMIT ${size + 1}`
    const shown = found.slice(0, size)
    const page: Page = {
      rows: shown.map(({ kind, id, tag }) => ({ entity_name: kind, entity_id: id, tag })),
      next: found.length > size ? shown.at(-1)?.place : undefined
    }
    return page
  })

  /** Takes away what nobody sees any more, so that it holds no key and no parent. */
  const removeExpired = Effect.flatMap(
    Clock.currentTimeMillis,
    (nowMs) =>
      sql`DELETE FROM entities WHERE kind IN ${sql.in(timedKinds)} AND json_extract(body, '$.ttl') * 1000 <= ${nowMs}`
  )

  const everything = Effect.map(sql<Stored>`SELECT kind, body FROM entities ORDER BY seq`, (found): StoredRows => {
    const rows = new Map<string, Array<Row>>()
    for (const { kind, body } of found) {
      const section = rows.get(kind) ?? []
      rows.set(kind, section)
      section.push(JSON.parse(body) as Row)
    }
    return rows
  })

  const all = Effect.gen(function* () {
    const nowMs = yield* Clock.currentTimeMillis
    const rows = yield* everything
    return new Map(
      [...rows].map(([kind, found]) => [kind, found.filter((row) => !isExpired(row, nowMs))])
    ) as StoredRows
  })

  const version = Effect.map(
    sql<{ readonly version: number }>`SELECT version FROM config_version`,
    (found) => found[0]?.version ?? 0
  )

  const grow = Effect.map(
    sql<{ readonly version: number }>`UPDATE config_version SET version = version + 1 RETURNING version`,
    (found) => found[0]?.version ?? 0
  )

  return {
    byId,
    find,
    ownerOf,
    insert,
    insertAll,
    replace,
    remove,
    removeExpired,
    clear,
    referrers,
    list,
    tags,
    all,
    version,
    grow
  }
}

export type Rows = ReturnType<typeof makeRows>
