/** Messages as values: reference `hybrid-protocol-v1.md` §3, §4, §7. */
import { assert, describe, it } from "@effect/vitest"
import {
  decodeBasicInfo,
  decodeErrorReport,
  decodeReconfigure,
  encodeBasicInfo,
  encodeErrorReport,
  reconfigureJson
} from "../../src/model/Wire.ts"

const bytes = (value: unknown): Uint8Array => Buffer.from(typeof value === "string" ? value : JSON.stringify(value))
const hash = "0123456789abcdef0123456789abcdef"

describe("basic_info (§3)", () => {
  it("comes back as it was", () => {
    const message = { plugins: [{ name: "acl" }, { name: "acme", version: "3.9.1" }], labels: { region: "eu" } }
    assert.deepStrictEqual(decodeBasicInfo(encodeBasicInfo(message)), { _tag: "Right", message })
  })

  it("reads an empty Lua table as an empty list, and ignores what it does not know (§14)", () => {
    const decoded = decodeBasicInfo(bytes({ type: "basic_info", plugins: {}, filters: [], more: 1 }))
    assert.deepStrictEqual(decoded, { _tag: "Right", message: { plugins: [] } })
  })

  for (const [name, value] of [
    ["another type", { type: "hello", plugins: [] }],
    ["no plugins", { type: "basic_info" }],
    ["plugins that are no list", { type: "basic_info", plugins: { acl: {} } }],
    ["a list", []],
    ["no JSON", "{"]
  ] as const) {
    it(`refuses ${name}`, () => assert.strictEqual(decodeBasicInfo(bytes(value))._tag, "Wrong"))
  }
})

describe("reconfigure (§4)", () => {
  it("comes back as it was", () => {
    const hashes = { config: hash, routes: hash, services: hash, plugins: hash, upstreams: hash, targets: hash }
    const message = { timestamp: 1.5, config_table: { services: [] }, config_hash: hash, hashes }
    assert.deepStrictEqual(decodeReconfigure(bytes(reconfigureJson(message))), { _tag: "Right", message })
  })

  it("fills missing granular hashes with zeros, and drops malformed ones", () => {
    const base = { type: "reconfigure", config_table: {} }
    const partial = decodeReconfigure(bytes({ ...base, hashes: { config: hash } }))
    assert.strictEqual(partial._tag === "Right" && partial.message.hashes?.routes, "0".repeat(32))
    const malformed = decodeReconfigure(bytes({ ...base, hashes: { config: "short" } }))
    assert.deepStrictEqual(malformed, { _tag: "Right", message: { config_table: {} } })
  })

  for (const config_hash of [null, "short", 7]) {
    it(`refuses the hash ${config_hash}`, () => {
      const decoded = decodeReconfigure(bytes({ type: "reconfigure", config_table: {}, config_hash }))
      assert.strictEqual(decoded._tag, "Wrong")
    })
  }

  it("tells all faults at once", () => {
    const decoded = decodeReconfigure(bytes({ type: "reconfigure", config_hash: "x" }))
    assert.strictEqual(decoded._tag === "Wrong" && decoded.faults.length, 2)
  })

  it("leaves other types alone", () => {
    assert.deepStrictEqual(decodeReconfigure(bytes({ type: "later" })), { _tag: "Other", type: "later" })
  })

  it("refuses text that is not UTF-8 rather than changing it", () => {
    const broken = Buffer.concat([bytes('{"type":"reconfigure","config_table":{"a":"'), Buffer.of(0xff), bytes('"}}')])
    assert.strictEqual(decodeReconfigure(broken)._tag, "Wrong")
  })
})

describe("error (§7)", () => {
  it("comes back as it was", () => {
    const message = { name: "configuration reload failed", message: "busy", config_hash: hash }
    assert.deepStrictEqual(decodeErrorReport(encodeErrorReport(message)), { _tag: "Right", message })
  })
})
