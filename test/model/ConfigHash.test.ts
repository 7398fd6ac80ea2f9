/** The vectors of reference `hybrid-protocol-v1.md` §5.1 to §5.5: all of them, byte for byte. */
import { assert, describe, it } from "@effect/vitest"
import { formatNumber, hashTable, hashValue, serialisedBytes } from "../../src/model/ConfigHash.ts"

const zeros = "0".repeat(32)
const emptyHash = "99914b932bd37a50b983c5e7c90ae93b"
const textOf = (value: unknown): string => Buffer.from(serialisedBytes(value)).toString()
const envelope = { _format_version: "3.0", _transform: false }
const envelopeHash = "c60b430c1fe85624ebe35354b0c3f8ac"

describe("§5.1 whole arguments", () => {
  const vectors: ReadonlyArray<readonly [string, unknown, string]> = [
    ["absent", undefined, zeros],
    ["null", null, "5bf07a8b7343015026657d1108d8206e"],
    ["10", 10, "d3d9446802a44259755d38e6d163e820"],
    ["0.9", 0.9, "a894124cc6d5c5c71afe060d5dde0762"],
    ["empty text", "", "d41d8cd98f00b204e9800998ecf8427e"],
    ["true", true, "b326b5062b2f0e69046810717534cb09"],
    ["false", false, "68934a3e9455fa72420237eb05902327"],
    ["{}", {}, "2da3c26e4dbd6dd6ea3ab60a3dd7fb3e"],
    ["three empty sections", { routes: [], services: [], plugins: [] }, "81aac97a81ad03c0cf0b36663806488e"],
    ["two empty sections", { upstreams: [], targets: [] }, "4d60dd9998ea4314039da5ca2f1db96f"]
  ]
  for (const [name, value, expected] of vectors) {
    it(name, () => assert.strictEqual(hashTable(value).config, expected))
  }
})

describe("§5.1 sections", () => {
  const vectors: ReadonlyArray<readonly [unknown, string | undefined, string]> = [
    [["x"], undefined, "9dd4e461268c8034f5c8564e155c67a6"],
    [["a", "b"], "a;b", "45d17989299efc4321960bf46f2ebd0a"],
    [["1", "2", "3", "4", "5"], "1;2;3;4;5", "8121cbeca8c59ed606a12188087241c7"],
    [["1", "2", "3", "4", "5", "6"], "1;2;3;4;5;6;", "c79fb8044faf9b08d2c625c980992b05"],
    [{ b: 1, a: [true, null] }, "a:true;/null/;b:1;", "b23d52a28e3a9cd580e5c7d13d49d252"]
  ]
  for (const [value, bytes, expected] of vectors) {
    it(JSON.stringify(value), () => {
      if (bytes !== undefined) assert.strictEqual(textOf(value), bytes)
      assert.strictEqual(hashValue(value), expected)
    })
  }

  it("a list of one is its element, a list of an empty list is an empty object", () => {
    assert.strictEqual(hashValue(["x"]), hashValue("x"))
    assert.strictEqual(hashValue([[]]), hashValue({}))
  })
})

describe("§5 numbers", () => {
  const vectors: ReadonlyArray<readonly [number, string]> = [
    [1, "1"],
    [1.1, "1.1"],
    [0.1 + 0.2, "0.3"],
    [1700000000.123, "1700000000.123"],
    [1700000000.12345, "1700000000.1235"],
    [12345678901234, "12345678901234"],
    [1e14, "1e+14"],
    [123456789012346, "1.2345678901235e+14"],
    [0.0001, "0.0001"],
    [1e-5, "1e-05"],
    [-0, "-0"]
  ]
  for (const [value, expected] of vectors) it(expected, () => assert.strictEqual(formatNumber(value), expected))
})

describe("worked examples", () => {
  it("§5.2 A: the envelope alone", () => {
    assert.strictEqual(textOf(envelope), "_format_version:3.0;_transform:false;")
    assert.strictEqual(hashValue(envelope), envelopeHash)
    assert.deepStrictEqual(hashTable(envelope), {
      config: "3ba837da99e14dfab883d867101d37f6",
      routes: zeros,
      services: zeros,
      plugins: zeros,
      upstreams: zeros,
      targets: zeros
    })
  })

  it("§5.3 B: null, booleans, integers, short arrays, an empty section", () => {
    const service = {
      id: "11111111-1111-4111-8111-111111111111",
      name: "echo",
      host: "127.0.0.1",
      port: 8080,
      protocol: "http",
      path: null,
      retries: 5,
      enabled: true,
      tags: null
    }
    const route = {
      id: "22222222-2222-4222-8222-222222222222",
      name: "r1",
      service: "11111111-1111-4111-8111-111111111111",
      paths: ["/a"],
      methods: ["GET", "POST"],
      headers: null,
      strip_path: true,
      preserve_host: false,
      regex_priority: 0
    }
    assert.strictEqual(
      textOf([service]),
      "enabled:true;host:127.0.0.1;id:11111111-1111-4111-8111-111111111111;name:echo;path:/null/;port:8080;protocol:http;retries:5;tags:/null/;"
    )
    assert.strictEqual(
      textOf([route]),
      "headers:/null/;id:22222222-2222-4222-8222-222222222222;methods:GET;POST;name:r1;paths:/a;preserve_host:false;regex_priority:0;service:11111111-1111-4111-8111-111111111111;strip_path:true;"
    )
    assert.deepStrictEqual(hashTable({ ...envelope, services: [service], routes: [route], plugins: [] }), {
      config: "557ff8f313d15ba3ccc1a7cc3cf9e771",
      services: "dd02ef8a63f7c994be51a92ba7de218c",
      routes: "6521216a1f8ed24a72af924c8685677e",
      plugins: emptyHash,
      upstreams: zeros,
      targets: zeros
    })
  })

  it("§5.4 C: fractions, long arrays, arrays of five, an empty object", () => {
    const upstream = {
      name: "u1",
      slots: 10000,
      healthchecks: {
        threshold: 0.5,
        active: {
          healthy: { http_statuses: [200, 302], successes: 0 },
          unhealthy: { http_statuses: [429, 404, 500, 501, 502, 503, 504, 505] }
        }
      },
      tags: ["a", "b", "c", "d", "e"]
    }
    const target = { target: "10.0.0.1:80", weight: 100, created_at: 1700000000.123, upstream: "u1" }
    const rest = { ...envelope, consumers: [{ username: "bob", meta: {} }] }
    assert.strictEqual(
      textOf([upstream]),
      "healthchecks:active:healthy:http_statuses:200;302;successes:0;;unhealthy:http_statuses:429;404;500;501;502;503;504;505;;;;threshold:0.5;;name:u1;slots:10000;tags:a;b;c;d;e;"
    )
    assert.strictEqual(textOf([target]), "created_at:1700000000.123;target:10.0.0.1:80;upstream:u1;weight:100;")
    assert.strictEqual(textOf(rest), "_format_version:3.0;_transform:false;consumers:meta:{};username:bob;;")
    assert.strictEqual(hashValue(rest), "7004a153fb5490a3438831ea3fd121e8")
    assert.deepStrictEqual(hashTable({ ...rest, upstreams: [upstream], targets: [target] }), {
      config: "c7c9a43c7fa96cbf7828f21b653e80d9",
      services: zeros,
      routes: zeros,
      plugins: zeros,
      upstreams: "5265c6eba1b47e461dccbbd4fdd5b998",
      targets: "83102d8a34d7e0b6147f1f81c9364580"
    })
  })

  it("§5.5 D: a long buffer collapses on entering the next value", () => {
    const long = { x: ["a".repeat(1_000_001), "b"] }
    assert.strictEqual(Buffer.from(serialisedBytes(long)).toString("hex"), "834e6240f4b4e68e912abc877cde9be0623b")
    assert.strictEqual(hashValue(long), "d6966f2f7bd22101cd9348c2997dd0aa")
    assert.strictEqual(hashTable(long).config, "d572f7f5224df5b6d054aba377cd3194")
  })

  it("§5.5 D: a buffer just below the limit does not", () => {
    const short = { x: ["a".repeat(999_990), "b"] }
    assert.strictEqual(hashValue(short), "2f5d41cdbcafab2d50e3af718e2dd4bd")
    assert.strictEqual(hashTable(short).config, "bfc4354d8a826c2441065eb12e9b8270")
  })
})
