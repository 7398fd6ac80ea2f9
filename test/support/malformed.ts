/** What may come in from outside, made wrong in every way that we could think of. */
import { gzipSync } from "node:zlib"
import fc from "fast-check"
import { type SettingName, settingTable } from "../../src/model/SettingTable.ts"
import { table } from "./tables.ts"

const junkText = fc.oneof(
  fc.string({ maxLength: 40 }),
  fc.string({ unit: "grapheme", maxLength: 20 }),
  fc.constantFrom(
    "-1",
    "0",
    "1e99",
    "0x10",
    "NaN",
    "true,false",
    "on off",
    "127.0.0.1",
    "127.0.0.1:99999",
    "256.0.0.1:80",
    "[::1",
    "a:b:c",
    "::::",
    "off, 127.0.0.1:0",
    "127.0.0.1:0 shiny",
    "{vault://env/x}",
    "-----BEGIN CERTIFICATE-----\nnope\n-----END CERTIFICATE-----",
    "LS0tLS1CRUdJTiA=",
    "/dev/null",
    "/",
    "../../../etc/shadow",
    "$(reboot)",
    "a".repeat(5_000)
  )
)

/** A process environment can't hold a NUL. */
const environmentText = junkText.map((text) => text.replaceAll("\0", "�"))

/** Where files land is the test's business, not the generator's. */
const isFree = (name: string): boolean => name !== "prefix"
const settingNames = (Object.keys(settingTable) as ReadonlyArray<SettingName>).filter(isFree)

export const malformedSettings = fc
  .uniqueArray(fc.tuple(fc.constantFrom("KONG_", "HOLDFAST_"), fc.constantFrom(...settingNames), environmentText), {
    minLength: 1,
    maxLength: 4,
    selector: ([prefix, name]) => prefix + name
  })
  .map((entries) => Object.fromEntries(entries.map(([prefix, name, text]) => [prefix + name.toUpperCase(), text])))

// --- JSON that is nearly a config table ---

const junkValue = fc.oneof(
  fc.jsonValue({ maxDepth: 2 }),
  fc.constantFrom<unknown>(null, {}, [], "", -1, 1e308, true, [[]], [null], { id: 1 }, "x".repeat(10_000), "__proto__")
)

const paths: ReadonlyArray<ReadonlyArray<string | number>> = [
  [],
  ["_format_version"],
  ["_transform"],
  ["services"],
  ["services", 0],
  ["services", 0, "id"],
  ["services", 0, "host"],
  ["services", 0, "port"],
  ["services", 0, "tags"],
  ["routes"],
  ["routes", 0],
  ["routes", 0, "id"],
  ["routes", 0, "paths"],
  ["routes", 0, "paths", 0],
  ["routes", 0, "service"],
  ["routes", 0, "headers"],
  ["routes", 0, "protocols"],
  ["upstreams"],
  ["plugins"],
  ["constructor"],
  ["nonsense"]
]

const put = (root: unknown, path: ReadonlyArray<string | number>, value: unknown): unknown => {
  const [key, ...rest] = path
  if (key === undefined) return value
  const copy: Record<string | number, unknown> = Array.isArray(root)
    ? ([...root] as never)
    : { ...(typeof root === "object" ? root : {}) }
  copy[key] = put(copy[key], rest, value)
  return copy
}

/** A table with one to three places overwritten by junk. Some of these are valid: that is a case, too. */
export const nearlyTable = fc
  .array(fc.tuple(fc.constantFrom(...paths), junkValue), { minLength: 1, maxLength: 3 })
  .map((changes) => changes.reduce<unknown>((root, [path, value]) => put(root, path, value), table("/near")))

const mangled = (bytes: Buffer) =>
  fc
    .tuple(fc.constantFrom("cut", "flip", "insert", "swap"), fc.nat(bytes.length - 1), fc.nat(255))
    .map(([how, at, byte]) => {
      if (how === "cut") return bytes.subarray(0, at)
      if (how === "insert") return Buffer.concat([bytes.subarray(0, at), Buffer.from([byte]), bytes.subarray(at)])
      const copy = Buffer.from(bytes)
      if (how === "flip") copy[at] = (copy[at] ?? 0) ^ (byte | 1)
      else copy[at] = byte
      return copy
    })

const bytes = fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array))

/** Files that stand where the cache is expected. */
export const malformedCache = fc.oneof(
  bytes,
  mangled(gzipSync(JSON.stringify(table("/near")))),
  bytes.map((content) => gzipSync(content)),
  nearlyTable.map((value) => gzipSync(JSON.stringify(value) ?? "")),
  fc.constantFrom(Buffer.alloc(0), Buffer.from("PK\u0003\u0004"))
)

const yamlLine = fc.constantFrom(
  '_format_version: "3.0"',
  "services:",
  "  - name: a",
  "    host: example.com",
  "    port: nope",
  "    routes:",
  "      - paths: [/a",
  "  name: [",
  "\tTab: here",
  "- &a [*a, *a, *a]",
  "b: *nowhere",
  "? complex",
  "!!binary x: y",
  "---",
  "...",
  "{unclosed: 'quote",
  "%YAML 9.9"
)

/** Texts that stand where a declarative document is expected. */
export const malformedDocument = fc.oneof(
  fc.array(yamlLine, { maxLength: 12 }).map((lines) => lines.join("\n")),
  junkText,
  nearlyTable.map((value) => JSON.stringify(value) ?? "")
)

// --- frames ---

export type MalformedFrame =
  | { readonly _tag: "Text"; readonly text: string }
  | { readonly _tag: "Binary"; readonly bytes: Buffer }

const envelope = fc
  .record(
    {
      type: fc.oneof(fc.constant<unknown>("reconfigure"), junkValue),
      timestamp: junkValue,
      config_table: fc.oneof(nearlyTable, junkValue),
      config_hash: fc.oneof(fc.string({ minLength: 32, maxLength: 32 }), junkValue),
      hashes: junkValue
    },
    { requiredKeys: [] }
  )
  .map((message) => gzipSync(JSON.stringify(message)))

/** Payloads that a session survives: nothing here is broken as a WebSocket frame. */
export const malformedFrame: fc.Arbitrary<MalformedFrame> = fc.oneof(
  junkText.map((text) => ({ _tag: "Text" as const, text })),
  fc
    .oneof(
      bytes,
      envelope,
      envelope.chain(mangled),
      bytes.map((content) => gzipSync(content))
    )
    .map((payload) => ({ _tag: "Binary" as const, bytes: payload }))
)

/** Half a megabyte that wants to be 600. */
export const gzipBomb = (): Buffer => gzipSync(Buffer.alloc(600_000_000))

/** Bodies for the admin API, with the type that they claim to be. */
export const malformedBody = fc.tuple(
  fc.constantFrom("application/json", "application/x-www-form-urlencoded", "multipart/form-data", "text/plain", ""),
  fc.oneof(
    junkText,
    nearlyTable.map((value) => JSON.stringify(value) ?? ""),
    fc.constantFrom("{", "[]", "name=%zz&paths[]", "[object Object]")
  )
)
