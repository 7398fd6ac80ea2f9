/**
 * From a declarative document, as people write it, to the flat config table, as a control plane sends it: children
 * leave their parents, rows get ids. Rules: reference `config-model.md` §4 and §5. Validation is the table's own.
 */
import { type DecodedTable, decodeTable, type Strictness } from "./ConfigTable.ts"
import { deterministicId } from "./DeterministicId.ts"
import * as E from "./Entities.ts"
import { type Entity, isRecord, type Row, shownValue } from "./Entity.ts"
import type { Fault } from "./Fault.ts"
import type { PluginCatalogue } from "./plugin/PluginCatalogue.ts"

type Path = ReadonlyArray<string | number>

interface Parent {
  readonly entity: Entity
  readonly id: string
}

interface Flattened {
  readonly table: Record<string, unknown>
  /** Where each row of each section stood in the document. */
  readonly origins: ReadonlyMap<string, ReadonlyArray<Path>>
  readonly faults: ReadonlyArray<Fault>
}

const isChildSection = (entity: Entity, key: string): boolean =>
  !Object.hasOwn(entity.fields, key) &&
  (E.knownButNotServed.has(key) || (E.entityByName.get(key)?.references ?? []).some(({ to }) => to === entity.name))

/** The field by which a child names its parent; unserved entities call it by the parent's singular. */
const parentField = (child: string, parent: Entity): string =>
  E.entityByName.get(child)?.references.find(({ to }) => to === parent.name)?.field ?? parent.singular

const flatten = (document: Row, freshId: () => string): Flattened => {
  const others: Array<readonly [string, unknown]> = []
  const sections = new Map<string, Array<unknown>>()
  const origins = new Map<string, Array<Path>>()
  const faults: Array<Fault> = []

  const emit = (section: string, row: unknown, path: Path) => {
    const rows = sections.get(section) ?? []
    sections.set(section, rows)
    rows.push(row)
    const places = origins.get(section) ?? []
    origins.set(section, places)
    places.push(path)
  }

  /** The child as a row of its own, with the parent that its place implies. */
  const adopt = (section: string, row: Row, path: Path, parent: Parent | undefined): Row => {
    if (parent === undefined) return row
    const field = parentField(section, parent.entity)
    if (row[field] !== undefined && row[field] !== null) {
      const message = `expected no value: the row stands under its ${parent.entity.singular}`
      faults.push({ path: [...path, field], message })
    }
    return { ...row, [field]: parent.id }
  }

  const visitEntity = (entity: Entity, row: Row, path: Path): void => {
    const hasId = entity.primaryKey !== "id" || typeof row.id === "string"
    const own: Record<string, unknown> = hasId ? { ...row } : { ...row, id: deterministicId(entity, row) ?? freshId() }
    const children = Object.keys(own).filter((key) => isChildSection(entity, key))
    for (const key of children) delete own[key]
    emit(entity.name, own, path)
    for (const key of children) visitAll(key, row[key], [...path, key], { entity, id: String(own.id) })
  }

  const visit = (section: string, input: unknown, path: Path, parent: Parent | undefined): void => {
    // A certificate's server names may be written as bare strings (`config-model.md` §3).
    const row = section === "snis" && typeof input === "string" ? { name: input } : input
    const entity = E.entityByName.get(section)
    if (!isRecord(row)) emit(section, row, path)
    else if (entity === undefined) emit(section, adopt(section, row, path, parent), path)
    else visitEntity(entity, adopt(section, row, path, parent), path)
  }

  const visitAll = (section: string, rows: unknown, path: Path, parent: Parent | undefined): void => {
    if (rows === null || rows === undefined || (isRecord(rows) && Object.keys(rows).length === 0)) return
    if (Array.isArray(rows)) rows.forEach((row, index) => visit(section, row, [...path, index], parent))
    else {
      const entity = E.entityByName.get(section)
      const shown = entity === undefined ? { value: rows } : shownValue(entity, rows)
      faults.push({ path, message: `expected an array of ${section}`, ...shown })
    }
  }

  for (const [key, value] of Object.entries(document)) {
    if (E.entityByName.has(key) || E.knownButNotServed.has(key)) visitAll(key, value, [key], undefined)
    else others.push([key, value])
  }
  // Not by assignment: a key named __proto__ must stay a key, to be refused as any unknown one.
  return { table: Object.fromEntries([...others, ...sections]), origins, faults }
}

const inDocument =
  (origins: Flattened["origins"]) =>
  (fault: Fault): Fault => {
    const [section, index, ...rest] = fault.path
    const origin = typeof section === "string" && typeof index === "number" ? origins.get(section)?.[index] : undefined
    return origin === undefined ? fault : { ...fault, path: [...origin, ...rest] }
  }

export interface DeclarativeTable {
  /** The flat table, as it may be hashed, cached and sent. */
  readonly raw: Row
  readonly decoded: DecodedTable
}

/**
 * Flattens and validates a document. `freshId` names the rows that have neither an id nor a key. Faults point into the
 * document as it was written.
 */
export const decodeDeclarative = (
  document: unknown,
  freshId: () => string,
  catalogue: PluginCatalogue,
  strictness: Strictness = "tolerant"
): DeclarativeTable => {
  if (!isRecord(document)) {
    return {
      raw: {},
      decoded: {
        _tag: "Wrong",
        faults: [{ path: [], message: "expected a declarative document (a map)", value: document ?? null }]
      }
    }
  }
  const { table, origins, faults } = flatten(document, freshId)
  const decoded = decodeTable(table, catalogue, strictness)
  if (decoded._tag === "Right" && faults.length === 0) return { raw: table, decoded }
  const wrong = decoded._tag === "Wrong" ? decoded.faults.map(inDocument(origins)) : []
  return { raw: table, decoded: { _tag: "Wrong", faults: [...faults, ...wrong] } }
}
