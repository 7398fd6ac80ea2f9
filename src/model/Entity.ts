/**
 * What both planes know of a kind of entity. One more entity is one more row in `Entities.ts`: the control plane's
 * admin API, its store and its export, and the data plane's validation are all driven by these definitions.
 */
import { type Result, Schema, SchemaIssue } from "effect"
import type { Fault } from "./Fault.ts"
import * as Field from "./Field.ts"

export interface Reference {
  readonly field: string
  /** Plural name of the entity that is referred to. */
  readonly to: string
  /** What deleting the referred entity does to this one. */
  readonly onDelete: "cascade" | "restrict"
}

export type Row = { readonly [field: string]: unknown }

export interface Entity<F extends Field.Fields = Field.Fields> {
  /** Plural, as in the config table and in URLs. */
  readonly name: string
  readonly singular: string
  readonly fields: F
  readonly schema: Schema.Struct<{ readonly [K in keyof F]: F[K]["schema"] }>
  readonly primaryKey: string
  /** The field that may stand for the id in a URL or a declarative reference. */
  readonly endpointKey: string | undefined
  /**
   * Sets of fields that no two rows may share, beyond the primary key. A field alone collides only where it has a value;
   * in a set of several, nothing is a value like any other.
   */
  readonly unique: ReadonlyArray<ReadonlyArray<string>>
  readonly references: ReadonlyArray<Reference>
  /**
   * The fields whose values make a deterministic id (`config-model.md` §5); `undefined` means the endpoint key, and none
   * that every row gets an id of its own.
   */
  readonly cacheKey: ReadonlyArray<string> | undefined
  /** Texts that nobody can guess, which a control plane makes up when a row comes without them (`config-model.md` §1.2). */
  readonly generated: ReadonlyArray<string>
  /** The last segment of a URL under a parent and the first of one without, where they are not the name (Kong's DAOs). */
  readonly adminNames: { readonly nested: string; readonly top: string } | undefined
  /** Input-only shorthands, expanded before validation. */
  readonly expand: (row: Row) => Row
  readonly decode: (row: Row) => Result.Result<Row, Schema.SchemaError>
  /** Rules between fields, asked only of rows whose fields are right one by one. */
  readonly check: (row: never) => ReadonlyArray<Fault>
  /** True when a data plane serves a configuration all the same if rows of this kind are wrong. */
  readonly isTolerated: boolean
}

export const define = <F extends Field.Fields>(options: {
  readonly name: string
  readonly singular: string
  readonly fields: F
  readonly primaryKey?: string
  readonly endpointKey?: string
  readonly unique?: ReadonlyArray<ReadonlyArray<string>>
  readonly references?: ReadonlyArray<Reference>
  readonly cacheKey?: ReadonlyArray<string>
  readonly generated?: ReadonlyArray<string>
  readonly adminNames?: Entity["adminNames"]
  readonly expand?: (row: Row) => Row
  readonly check?: (row: Schema.Struct<{ readonly [K in keyof F]: F[K]["schema"] }>["Type"]) => ReadonlyArray<Fault>
  readonly isTolerated?: boolean
}): Entity<F> => {
  const schema = Field.struct(options.fields)
  return {
    primaryKey: "id",
    endpointKey: undefined,
    unique: options.endpointKey === undefined ? [] : [[options.endpointKey]],
    references: [],
    cacheKey: undefined,
    generated: [],
    adminNames: undefined,
    expand: (row) => row,
    check: () => [],
    isTolerated: false,
    ...options,
    schema,
    decode: Schema.decodeUnknownResult(schema as unknown as Schema.Decoder<Row>, {
      errors: "all",
      onExcessProperty: "error"
    })
  }
}

/** Allowed at the top level and inside every entity, and ignored (`config-model.md` §1). */
export const ignoredKeys: ReadonlySet<string> = new Set(["_comment", "_ignore"])

const isEmptyObject = (value: unknown): boolean =>
  typeof value === "object" && value !== null && !Array.isArray(value) && Object.keys(value).length === 0

export const isRecord = (value: unknown): value is Row =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** The object that a JSON text says; `undefined` for any other text. */
export const parseRecord = (json: string): Row | undefined => {
  try {
    const parsed: unknown = JSON.parse(json)
    return isRecord(parsed) ? parsed : undefined
  } catch {
    return undefined
  }
}

/**
 * Makes the spellings of absence one: `null` becomes absent, Lua's `{}` for an empty array becomes `[]`, ignored keys
 * go. Rule: `hybrid-protocol-v1.md` §14.6.
 */
const settle = (fields: Field.Fields, row: Row): Row =>
  // Not by assignment: a key named __proto__ must stay a key, to be refused as any unknown one.
  Object.fromEntries(
    Object.entries(row).flatMap(([key, value]) => {
      if (value === null || value === undefined || ignoredKeys.has(key)) return []
      const field = Object.hasOwn(fields, key) ? fields[key] : undefined
      if (field?.shape === "array" && isEmptyObject(value)) return [[key, []]]
      return [[key, field?.fields === undefined ? value : settleWithin(field.fields, value)]]
    })
  )

const settleWithin = (fields: Field.Fields, value: unknown): unknown =>
  Array.isArray(value)
    ? value.map((element) => settleWithin(fields, element))
    : isRecord(value)
      ? settle(fields, value)
      : value

const valueAt = (root: unknown, path: ReadonlyArray<string | number>): unknown =>
  path.reduce<unknown>(
    (value, key) => (typeof value === "object" && value !== null ? (value as Row)[key] : undefined),
    root
  )

const missing = "required field missing"
const unknown = "unknown field"

const faultsOf = SchemaIssue.makeFormatterStandardSchemaV1({
  leafHook: (issue) =>
    issue._tag === "MissingKey"
      ? missing
      : issue._tag === "UnexpectedKey"
        ? unknown
        : SchemaIssue.defaultLeafHook(issue)
})

/** True when the value at this path may hold what must not be shown. */
const isHidden = (fields: Field.Fields, path: Fault["path"]): boolean => {
  const [key, ...rest] = path
  // Places in an array: its elements have the array's fields.
  if (typeof key === "number")
    return rest.length === 0 ? Object.values(fields).some(Field.hides) : isHidden(fields, rest)
  if (key === undefined || !Object.hasOwn(fields, key)) return false
  const field = fields[key]
  if (field === undefined || field.sensitive === true) return true
  return rest.length === 0 ? Field.hides(field) : field.fields !== undefined && isHidden(field.fields, rest)
}

const withoutSecret =
  ({ fields }: Entity) =>
  (fault: Fault): Fault => {
    if (fault.value === undefined || !isHidden(fields, fault.path)) return fault
    const { value: _, ...rest } = fault
    return rest
  }

const toFaults = (entity: Entity, row: Row, issue: SchemaIssue.Issue): ReadonlyArray<Fault> =>
  faultsOf(issue).issues.map((found) => {
    const path = (found.path ?? []).map((part) => (typeof part === "number" ? part : String(part)))
    const message = found.message.replace(/^Expected /, "expected ")
    return isHidden(entity.fields, path) || message === missing || message === unknown
      ? { path, message }
      : { path, message, value: valueAt(row, path) }
  })

export type Decoded<A> =
  | { readonly _tag: "Right"; readonly row: A }
  | { readonly _tag: "Wrong"; readonly faults: ReadonlyArray<Fault> }

/** What stands where rows of this kind belong, when showing it can't give a secret away. */
export const shownValue = (entity: Entity, value: unknown): Pick<Fault, "value"> =>
  Object.values(entity.fields).some(Field.hides) ? {} : { value }

/** The values of these fields of a row, where they may be shown. */
export const shownValues = (entity: Entity, row: Row, fields: ReadonlyArray<string>): ReadonlyArray<unknown> =>
  fields.map((field) => (isHidden(entity.fields, [field]) ? "***" : row[field]))

/** Validates one row and fills its defaults; absent nullable fields become `null`. All faults at once. */
export const decodeRow = <F extends Field.Fields>(
  entity: Entity<F>,
  input: unknown
): Decoded<Entity<F>["schema"]["Type"]> => {
  if (!isRecord(input)) {
    const message = `expected a ${entity.singular} object`
    return { _tag: "Wrong", faults: [{ path: [], message, ...shownValue(entity as unknown as Entity, input) }] }
  }
  const row = settle(entity.fields, entity.expand(input))
  const result = entity.decode(row)
  if (result._tag === "Failure")
    return { _tag: "Wrong", faults: toFaults(entity as unknown as Entity, row, result.failure.issue) }
  const decoded = result.success as Entity<F>["schema"]["Type"]
  const faults = entity.check(decoded as never).map(withoutSecret(entity as unknown as Entity))
  return faults.length === 0 ? { _tag: "Right", row: decoded } : { _tag: "Wrong", faults }
}
