/**
 * Why the store or the admin API refuses a write, and how Kong's admin API says so: the only code that knows its
 * status codes. Codes and names are Kong's, so that its clients understand them.
 */
import type { Row } from "./Entity.ts"
import { type Fault, formatFault } from "./Fault.ts"

export type Refusal =
  | { readonly _tag: "SchemaViolation"; readonly faults: ReadonlyArray<Fault> }
  | { readonly _tag: "InvalidPrimaryKey"; readonly fields: Row }
  | { readonly _tag: "PrimaryKeyViolation"; readonly fields: Row }
  | { readonly _tag: "UniqueViolation"; readonly fields: Row }
  | { readonly _tag: "ForeignKeyViolation"; readonly broken: ReadonlyArray<BrokenReference> }
  | { readonly _tag: "ReferencedByOthers"; readonly entity: string; readonly by: string }
  | { readonly _tag: "Indispensable"; readonly entity: string; readonly name: string }
  | { readonly _tag: "InvalidDeclarative"; readonly faults: ReadonlyArray<Fault> }
  /** A whole configuration of nothing in place of one of something. */
  | { readonly _tag: "WouldEmpty" }
  | { readonly _tag: "InvalidSize" }
  | { readonly _tag: "InvalidOffset"; readonly found: string }
  | { readonly _tag: "InvalidTagFilter" }

export interface BrokenReference {
  readonly field: string
  readonly to: string
  /** What was asked for, such as `{id: "…"}`. */
  readonly key: Row
}

export interface AdminAnswer {
  readonly status: number
  /** Sent as JSON; a text as it is, with the content type among the headers. */
  readonly body: Row | string | undefined
  readonly headers?: Readonly<Record<string, string>>
}

export const pageSizeMax = 1000

const luaText = (value: unknown): string =>
  typeof value === "object" && value !== null ? luaTable(value as Row) : JSON.stringify(value ?? null)

/** How Kong prints keys: `{name="x",service={id="…"}}`. */
export const luaTable = (row: Row): string =>
  `{${Object.keys(row)
    .sort()
    .map((key) => `${key}=${luaText(row[key])}`)
    .join(",")}}`

/** Lists count from one, as Kong's do. */
const where = (fault: Fault): string => fault.path.map((part) => (typeof part === "number" ? part + 1 : part)).join(".")

const said = (fault: Fault): string => formatFault({ ...fault, path: [] })

/** Keys come from outside: without a prototype, `__proto__` is a name like any other. */
const bare = (): Record<string, unknown> => Object.create(null)

/** Sets `message` at `path`; what is about the whole entity stands under `@entity`, as a list. */
const place = (fields: Record<string, unknown>, fault: Fault): void => {
  const [first, ...rest] = fault.path
  if (first === undefined) {
    fields["@entity"] = [...((fields["@entity"] as ReadonlyArray<string> | undefined) ?? []), said(fault)]
    return
  }
  let at = fields
  let key = String(first)
  for (const part of rest) {
    const inner = at[key]
    const next = typeof inner === "object" && inner !== null ? (inner as Record<string, unknown>) : bare()
    at[key] = next
    at = next
    key = typeof part === "number" ? String(part + 1) : part
  }
  at[key] = said(fault)
}

const fieldsOf = (faults: ReadonlyArray<Fault>): Row => {
  const fields = bare()
  for (const fault of faults) place(fields, fault)
  return fields
}

const declarativeName = "invalid declarative configuration"

const invalidDeclarative = (faults: ReadonlyArray<Fault>): Row => ({
  code: 14,
  name: declarativeName,
  message: `declarative config is invalid: ${faults.map(formatFault).join("; ")}`,
  fields: fieldsOf(faults)
})

const schemaViolation = (faults: ReadonlyArray<Fault>): Row => {
  const list = faults.map((fault) => (fault.path.length === 0 ? said(fault) : `${where(fault)}: ${said(fault)}`))
  const count = faults.length === 1 ? "schema violation" : `${faults.length} schema violations`
  return { code: 2, name: "schema violation", message: `${count} (${list.join("; ")})`, fields: fieldsOf(faults) }
}

const foreignKeyViolation = (broken: ReadonlyArray<BrokenReference>): Row => ({
  code: 4,
  name: "foreign key violation",
  message: broken
    .map(({ key, to }) => `the foreign key '${luaTable(key)}' does not reference an existing '${to}' entity.`)
    .join(" "),
  fields: Object.fromEntries(broken.map(({ field, key }) => [field, key]))
})

const bad = (code: number, name: string, message: string, fields: Row = {}, status = 400): AdminAnswer => ({
  status,
  body: { code, name, message, fields }
})

/** The answer to a refused write. */
export const refusalAnswer = (refusal: Refusal): AdminAnswer => {
  switch (refusal._tag) {
    case "SchemaViolation":
      return { status: 400, body: schemaViolation(refusal.faults) }
    case "InvalidPrimaryKey":
      return bad(1, "invalid primary key", `invalid primary key: '${luaTable(refusal.fields)}'`, refusal.fields)
    case "PrimaryKeyViolation": {
      const message = `primary key violation on key '${luaTable(refusal.fields)}'`
      return bad(3, "primary key violation", message, refusal.fields)
    }
    case "UniqueViolation": {
      const message = `UNIQUE violation detected on '${luaTable(refusal.fields)}'`
      return bad(5, "unique constraint violation", message, refusal.fields, 409)
    }
    case "ForeignKeyViolation":
      return { status: 400, body: foreignKeyViolation(refusal.broken) }
    case "ReferencedByOthers": {
      const message = `an existing '${refusal.by}' entity references this '${refusal.entity}' entity`
      return bad(4, "foreign key violation", message, { "@referenced_by": refusal.by })
    }
    case "Indispensable": {
      const message = `the '${refusal.name}' entity of '${refusal.entity}' must exist under that name`
      return bad(12, "operation unsupported", message, {}, 405)
    }
    case "InvalidDeclarative":
      return { status: 400, body: invalidDeclarative(refusal.faults) }
    case "WouldEmpty":
      return bad(14, declarativeName, "this would delete every entity; say ?confirm_empty=true if that is meant")
    case "InvalidSize":
      return bad(9, "invalid size", `size must be an integer between 1 and ${pageSizeMax}`)
    case "InvalidTagFilter": {
      const fields = { tags: "invalid filter syntax" }
      return bad(11, "invalid options", "invalid option (tags: invalid filter syntax)", fields)
    }
    case "InvalidOffset":
      return bad(7, "invalid offset", `'${refusal.found}' is not a valid offset`)
  }
}

const plain = (status: number, message: string): AdminAnswer => ({ status, body: { message } })

export const answers = {
  notFound: plain(404, "Not found"),
  methodNotAllowed: plain(405, "Method not allowed"),
  unparsable: plain(400, "Cannot parse JSON body"),
  unparsableForm: plain(400, "Cannot parse form body"),
  tooLarge: plain(413, "Payload too large"),
  unsupportedMediaType: plain(415, "Unsupported media type"),
  unauthorised: plain(401, "Unauthorized"),
  crossSite: plain(403, "Requests of another site's pages are refused while no admin_token is set"),
  failed: plain(500, "An unexpected error occurred"),
  gone: { status: 204, body: undefined },
  unchanged: { status: 304, body: undefined }
} as const satisfies Readonly<Record<string, AdminAnswer>>
