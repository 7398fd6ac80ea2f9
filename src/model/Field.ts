/**
 * The building blocks of an entity: each field is a Schema together with the few facts that a Schema does not carry
 * but that both planes need: its shape (to read form bodies, and to forgive Lua's `{}` for an empty array) and whether
 * its value may be shown. Rules: reference `config-model.md` §2.
 *
 * A nullable field may be absent or `null`; both decode to `null`.
 */

import { isIP } from "node:net"
import { Effect, Schema } from "effect"

export type Shape = "string" | "integer" | "number" | "boolean" | "array" | "record" | "any"

export interface Field<S extends Schema.Top = Schema.Top> {
  readonly schema: S
  readonly shape: Shape
  /** All that a value may be, where there are few. */
  readonly literals?: ReadonlyArray<string | number>
  /** Shape of an array's elements. */
  readonly element?: Shape
  /** The fields of a record whose keys are fixed; those of the elements, when it is an array of such records. */
  readonly fields?: Fields
  /** True when the value must never be shown: private keys and secrets. */
  readonly sensitive?: boolean
  /** True when a value must be given. */
  readonly required: boolean
}

export type Fields = { readonly [name: string]: Field }

/** True when showing a value of this field could give a secret away, its own or one further in. */
export const hides = ({ sensitive, fields }: Pick<Field, "sensitive" | "fields">): boolean =>
  sensitive === true || (fields !== undefined && Object.values(fields).some(hides))

type Required<S extends Schema.Top> = Field<S>

const field = <S extends Schema.Top>(shape: Shape, schema: S, more: Partial<Field> = {}): Required<S> => ({
  ...more,
  schema,
  shape,
  required: true
})

/** A rule about a value, with the words that end "expected …". */
const rule = <T>(expected: string, holds: (value: T) => boolean) =>
  Schema.makeFilter((value: T) => holds(value), { expected })

// --- texts ---

/** Half a surrogate pair is JSON that Lua's decoder refuses, and with it the whole configuration. */
const wellFormed = Schema.String.check(rule("well-formed Unicode text", (value: string) => value.isWellFormed()))

const text = (expected: string, holds: (value: string) => boolean) =>
  field("string", wellFormed.check(rule(expected, holds)))

const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i
const namePattern = /^(?:[A-Za-z0-9._~-]|[^\p{ASCII}])+$/u
const tagPattern = /^(?:(?![,/])[\x20-\x7e]|[^\p{ASCII}])+$/u
const tokenPattern = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
const hostLabel = /^(?!-)[A-Za-z0-9_-]{1,63}(?<!-)$/
const pathPattern = /^\/(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/]|%[0-9A-Fa-f]{2})*$/

/** As RFC 9110 §5.6.2 has it: names of headers and cookies. */
export const isToken = (value: string): boolean => tokenPattern.test(value)

export const isUuid = (value: string): boolean => uuidPattern.test(value)

export const isHostname = (value: string): boolean =>
  value.length <= 253 &&
  isIP(value) === 0 &&
  !/^[0-9.]+$/.test(value) &&
  value
    .replace(/\.$/, "")
    .split(".")
    .every((label) => hostLabel.test(label))

const unbracket = (value: string): string => (value.startsWith("[") && value.endsWith("]") ? value.slice(1, -1) : value)

export const isHost = (value: string): boolean => isIP(unbracket(value)) !== 0 || isHostname(value)

/** Splits `host:port`; an IPv6 address with a port must stand in brackets. */
export const splitHostPort = (
  value: string
): { readonly host: string; readonly port: number | undefined } | undefined => {
  if (isIP(unbracket(value)) !== 0) return { host: unbracket(value), port: undefined }
  const at = value.lastIndexOf(":")
  if (at === -1) return { host: value, port: undefined }
  const host = unbracket(value.slice(0, at))
  const port = value.slice(at + 1)
  return /^\d{1,5}$/.test(port) && Number(port) <= 65535 && host !== "" && (isIP(host) !== 0 || !host.includes(":"))
    ? { host, port: Number(port) }
    : undefined
}

const isHostPort = (value: string): boolean => {
  const parts = splitHostPort(value)
  return parts !== undefined && isHost(parts.host)
}

const hasWildcardLabel = (value: string, isPlain: (rest: string) => boolean): boolean =>
  value.startsWith("*.")
    ? isPlain(value.slice(2).replace(/\.$/, ""))
    : value.endsWith(".*")
      ? isPlain(value.slice(0, -2))
      : !value.includes("*") && isPlain(value)

/** `example.com`, `*.example.com`, `example.*`, each with an optional port (`router.md` §3). */
const isRouteHost = (value: string): boolean => {
  const at = value.lastIndexOf(":")
  const withoutPort =
    at !== -1 && isIP(value) === 0 && /^\d{1,5}$/.test(value.slice(at + 1)) ? value.slice(0, at) : value
  return hasWildcardLabel(withoutPort, isHost)
}

export const isServerName = (value: string): boolean => hasWildcardLabel(value, isHostname)

const isPath = (value: string): boolean => pathPattern.test(value) && !value.includes("//")

const regexBodyHasValidTriplets = (value: string): boolean => !/%(?![0-9A-Fa-f]{2})/.test(value)

/** A plain prefix or `~` and a regular expression; that it compiles is the router's to say. */
const isRoutePath = (value: string): boolean =>
  value.startsWith("~/")
    ? regexBodyHasValidTriplets(value)
    : value.startsWith("/") && !value.includes("//") && regexBodyHasValidTriplets(value)

const notEmpty = rule<string>("text that is not empty", (value) => value !== "")

export const string = field("string", wellFormed)
export const secret = field("string", wellFormed.check(notEmpty), { sensitive: true })
export const uuid = text("a UUID", isUuid)
export const name = text("a name of letters, digits, '.', '-', '_', '~' or non-ASCII characters", (v) =>
  namePattern.test(v)
)
export const tag = text("a tag without ',' or '/'", (v) => tagPattern.test(v))
export const host = text("a host name or an IP address without a port", isHost)
export const hostname = text("a host name, no IP address and no port", isHostname)
export const hostPort = text("host or host:port", isHostPort)
export const routeHost = text("a host name, with '*' only as its first or its last label", isRouteHost)
export const serverName = text("a server name, with '*' only as its first or its last label", isServerName)
export const sniName = text(
  "a server name, '*' alone or as its first or its last label",
  (v) => v === "*" || isServerName(v)
)
export const path = text("a path that starts with '/', without '//', of characters allowed by RFC 3986", isPath)
export const routePath = text(
  "'/' and a path without '//', or '~/' and a regular expression; valid percent triplets",
  isRoutePath
)
export const headerName = text("a header name", isToken)
export const method = text("an upper-case HTTP method", (v) => /^[A-Z]+$/.test(v))
export const pem = text("PEM text", (v) => v.includes("-----BEGIN ") || v.startsWith("{vault://"))
export const nonEmpty = field("string", wellFormed.check(notEmpty))

export const oneOf = <const L extends ReadonlyArray<string>>(literals: L) =>
  field("string", Schema.Literals(literals), { literals })

export const oneOfNumbers = <const L extends ReadonlyArray<number>>(literals: L) =>
  field("integer", Schema.Literals(literals), { literals })

const protocols = ["grpc", "grpcs", "http", "https", "tcp", "tls", "tls_passthrough", "udp"] as const
export const protocol = oneOf(protocols)
/** What a plugin may be told to run for: commercial control planes name WebSocket as well. */
export const pluginProtocol = oneOf([...protocols, "ws", "wss"])

// --- numbers and switches ---

export const integer = (minimum: number, maximum: number) =>
  field(
    "integer",
    Schema.Int.check(rule(`an integer between ${minimum} and ${maximum}`, (n: number) => n >= minimum && n <= maximum))
  )

export const number = (minimum: number, maximum: number) =>
  field(
    "number",
    Schema.Finite.check(rule(`a number between ${minimum} and ${maximum}`, (n: number) => n >= minimum && n <= maximum))
  )

export const port = integer(0, 65535)
export const boolean = field("boolean", Schema.Boolean)
export const timestamp = field("number", Schema.Finite)

// --- collections ---

/** What elements are, of what fields, and whether they may be shown. */
const elementsOf = (of: Field): Partial<Field> => ({
  element: of.shape,
  ...(of.fields === undefined ? {} : { fields: of.fields }),
  ...(of.sensitive === undefined ? {} : { sensitive: of.sensitive })
})

export const array = <S extends Schema.Top>(of: Field<S>) => field("array", Schema.Array(of.schema), elementsOf(of))

/** An array without duplicates whose order means nothing. */
export const set = <S extends Schema.Top>(of: Field<S>, minimum = 0) =>
  field(
    "array",
    Schema.Array(of.schema).check(
      rule<ReadonlyArray<unknown>>("no duplicates", (values) => new Set(values).size === values.length),
      rule<ReadonlyArray<unknown>>(`at least ${minimum} value(s)`, (values) => values.length >= minimum)
    ),
    elementsOf(of)
  )

export const map = <S extends Schema.Top>(key: Field, value: Field<S>) =>
  field("record", Schema.Record(key.schema as unknown as Schema.String, value.schema), {
    ...(hides(key) || hides(value) ? { sensitive: true } : {})
  })

export const anything = field("any", Schema.Unknown)

/** Keeps a field's values out of every message and every view. */
export const sensitive = <F extends Field>(of: F): F & { readonly sensitive: true } => ({ ...of, sensitive: true })

type SchemasOf<F extends Fields> = { readonly [K in keyof F]: F[K]["schema"] }

export const struct = <F extends Fields>(fields: F): Schema.Struct<SchemasOf<F>> =>
  Schema.Struct(Object.fromEntries(Object.entries(fields).map(([key, f]) => [key, f.schema])) as SchemasOf<F>)

/** A nested record with fixed keys, each of which has a default, so that the whole may be absent. */
export const record = <F extends Fields>(fields: F) => {
  const schema = struct(fields)
  return {
    ...field("record", schema.pipe(Schema.withDecodingDefaultKey(Effect.succeed({} as never)))),
    fields,
    required: false
  }
}

// --- absence ---

export const nullable = <S extends Schema.Top>(of: Field<S>) => ({
  ...of,
  schema: Schema.NullOr(of.schema).pipe(Schema.withDecodingDefaultKey(Effect.succeed(null))),
  required: false
})

export const withDefault = <S extends Schema.Top>(of: Field<S>, value: S["Type"] & S["Encoded"]) => ({
  ...of,
  schema: of.schema.pipe(Schema.withDecodingDefaultKey(Effect.succeed(value))),
  required: false
})

// --- references ---

/** The id of another entity, as a bare string (`config-model.md` §1.1). */
export const reference = field("string", Schema.NonEmptyString)
