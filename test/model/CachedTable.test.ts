/** What stands in `config.json.gz`: `resilience.md` §2, `docs/cache-file.md`. */
import { createHash, generateKeyPairSync } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import {
  cacheFormat,
  decodeCachedTable,
  encodeCachedTable,
  type Origin,
  sourceByHand,
  tableByHand
} from "../../src/model/CachedTable.ts"
import { canonicalJson } from "../../src/model/CanonicalJson.ts"
import { hashTable } from "../../src/model/ConfigHash.ts"
import { attestationOf, sealedBy, sealKeyFromCluster, signedBy } from "../../src/model/ConfigStatement.ts"
import type { Row } from "../../src/model/Entity.ts"
import { describeTable } from "../../src/model/TableContent.ts"
import { version } from "../../src/model/version.ts"
import { cases } from "../support/cases.ts"

const hash = "0123456789abcdef0123456789abcdef"
const origin: Origin = { hash, source: "control_plane", receivedAtMs: 1_700_000_000_123 }
const encode = (raw: Row, more: Partial<Origin> = {}) => encodeCachedTable(describeTable(raw), { ...origin, ...more })
const right = (text: string) => {
  const decoded = decodeCachedTable(text)
  assert(decoded._tag === "Right", JSON.stringify(decoded))
  return decoded
}

/** Whatever a control plane may send, and keys that are traps in JavaScript. */
const anyTable: fc.Arbitrary<Row> = fc
  .dictionary(
    fc.oneof(fc.string(), fc.constantFrom("__proto__", "constructor", "toString", "10", "9")),
    fc.jsonValue({ maxDepth: 4 })
  )
  .map((row) => JSON.parse(JSON.stringify(row)) as Row)

/** The same value with its keys in another order, at every depth. */
const shuffled = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(shuffled)
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, inner]) => [key, shuffled(inner)])
  )
}

describe("a cached table", () => {
  it("is read back as it was, with its provenance", () => {
    fc.assert(
      fc.property(anyTable, fc.nat(), (raw, sequence) => {
        const { _holdfast, ...table } = raw
        const decoded = right(encode(raw, { epoch: "e", sequence }))
        assert.deepEqual(decoded, {
          _tag: "Right",
          raw: table,
          hash,
          receivedAtMs: origin.receivedAtMs,
          writtenBy: version,
          source: origin.source,
          gatewayVersion: undefined,
          sha256: describeTable(table).sha256,
          epoch: "e",
          sequence
        })
      }),
      cases()
    )
  })

  it("is the table's JSON with one key more, whose digest is that of its canonical form (RFC 8785)", () => {
    fc.assert(
      fc.property(anyTable, (raw) => {
        const { _holdfast, ...table } = JSON.parse(encode(raw))
        const canonical = canonicalJson(table)
        if (canonical._tag === "Right")
          assert.strictEqual(_holdfast.sha256, createHash("sha256").update(canonical.text).digest("hex"))
        assert.strictEqual(_holdfast.format, cacheFormat)
        assert.deepEqual(table, (({ _holdfast: _, ...rest }) => rest)(raw))
      }),
      cases()
    )
  })

  it("is the same for any order of keys and any spaces", () => {
    fc.assert(
      fc.property(anyTable, fc.constantFrom(0, 2, "\t"), (raw, indent) => {
        const rewritten = JSON.stringify(shuffled(JSON.parse(encode(raw))), null, indent)
        assert.strictEqual(right(rewritten).hash, hash)
      }),
      cases()
    )
  })

  it("is refused when anything in it changed and the provenance did not", () => {
    fc.assert(
      fc.property(anyTable, fc.string(), fc.jsonValue(), (raw, key, value) => {
        const content = JSON.parse(encode(raw)) as Row
        const changed = { ...content, [key]: value }
        const isSame =
          JSON.stringify(shuffled(JSON.parse(JSON.stringify(changed)))) === JSON.stringify(shuffled(content))
        const decoded = decodeCachedTable(JSON.stringify(changed))
        if (!isSame && key !== "_holdfast") assert.deepInclude(decoded, { _tag: "Wrong", stage: "digest" })
      }),
      cases()
    )
  })
})

describe("what is written", () => {
  const raw = { routes: [] }
  const provenanceOf = (more: Partial<Origin>) => JSON.parse(encode(raw, more))._holdfast

  it("says who can read it, who wrote it and where it came from; what is not known is left out", () => {
    const always = {
      format: 3,
      readable_by: 2,
      written_by: version,
      hash,
      source: "control_plane",
      received_at: "2023-11-14T22:13:20.123Z",
      sha256: describeTable(raw).sha256
    }
    assert.deepEqual(provenanceOf({}), always)
    assert.deepEqual(provenanceOf({ epoch: "e", sequence: 0 }), { ...always, epoch: "e", sequence: 0 })
  })

  it("comes back without what was not known", () => {
    const decoded = right(encode(raw))
    assert.notProperty(decoded, "epoch")
    assert.notProperty(decoded, "sequence")
  })
})

describe("provenance", () => {
  const withProvenance = (provenance: unknown) => JSON.stringify({ routes: [], _holdfast: provenance })
  const computed = hashTable({ routes: [] }).config
  const sha256 = describeTable({ routes: [] }).sha256

  it.each([
    ["none", undefined],
    ["a text", "x"],
    ["an empty object", {}],
    ["a name without a digest: an edit may be under it", { hash }],
    ["a name that is none", { hash: "short", sha256 }],
    ["a digest without a name", { sha256 }],
    ["a name that is no text", { hash: 5, sha256 }],
    ["the wire's hash alone, which can't be trusted with a name", { hash, table_hash: computed }]
  ])("that is %s leaves a plain table, under a computed name", (_, provenance) => {
    assert.deepInclude(right(withProvenance(provenance)), {
      raw: { routes: [] },
      hash: computed,
      receivedAtMs: undefined
    })
  })

  it.each([
    [{ hash, sha256, received_at: "2026-01-01T00:00:00Z" }, 1_767_225_600_000],
    [{ hash, sha256, received_at: "yesterday" }, undefined],
    [{ hash, sha256, received_at_ms: 5 }, 5]
  ])("tells when it came: %j", (provenance, receivedAtMs) => {
    assert.deepInclude(right(withProvenance(provenance)), { hash, receivedAtMs })
  })

  it("counts for nothing where it is of another type, or no number at all", () => {
    const text = `{"routes":[],"_holdfast":${JSON.stringify({ hash, sha256, epoch: 1, sequence: "7", written_by: 9 })}}`
    assert.deepEqual(right(text), {
      _tag: "Right",
      raw: { routes: [] },
      hash,
      sha256,
      receivedAtMs: undefined,
      writtenBy: undefined,
      source: undefined,
      gatewayVersion: undefined
    })
    assert.notProperty(right(text.replace('"7"', "1e999")), "sequence")
  })

  it("of the wire's hash that fits something else refuses the table", () => {
    const decoded = decodeCachedTable(withProvenance({ hash, table_hash: "0".repeat(32) }))
    assert.deepInclude(decoded, { _tag: "Wrong", stage: "digest" })
  })

  it("of another format that says no writer is of an unknown version", () => {
    const decoded = decodeCachedTable(withProvenance({ format: 4 }))
    assert.include(decoded._tag === "Wrong" ? decoded.message : "", "Holdfast an unknown version wrote format 4")
  })

  it.each([
    [{ format: 3, readable_by: 2, hash, sha256 }, true],
    [{ format: 3, readable_by: 1, hash, sha256 }, true],
    [{ format: 2, hash, sha256 }, true],
    [{ format: 3, hash, sha256 }, true],
    [{ format: 4, hash, sha256 }, false],
    [{ format: 9, readable_by: 4, hash, sha256 }, false]
  ])("of another format says who can read it: %j", (provenance, isReadable) => {
    const decoded = decodeCachedTable(withProvenance({ ...provenance, written_by: "7.7.7" }))
    if (isReadable) assert.deepInclude(decoded, { _tag: "Right", hash, writtenBy: "7.7.7" })
    else {
      assert.deepInclude(decoded, { _tag: "Wrong", stage: "format" })
      assert.match(
        decoded._tag === "Wrong" ? decoded.message : "",
        /Holdfast 7\.7\.7 wrote format [49], for readers of 4/
      )
    }
  })
})

describe("whether a person made it (docs/peers.md: such is never handed on)", () => {
  const raw: Row = { services: [] }
  const statement = { hash, sha256: describeTable(raw).sha256, issuedAtMs: 1 }
  const key = generateKeyPairSync("ed25519").privateKey

  it("is told by its source, or by that it says none, and outlives being written anew", () => {
    assert.isUndefined(right(encode(raw)).isByHand)
    assert.isTrue(right(JSON.stringify(raw)).isByHand)
    const sealed = right(encode(raw, { source: sourceByHand }))
    assert.isTrue(sealed.isByHand)
    assert.isTrue(right(encode(raw, { source: "disk", isByHand: true })).isByHand)
  })

  it("does not count where the control plane's key has signed it; a node's seal is no such word", () => {
    const signed = signedBy(attestationOf(statement), key)
    assert.isUndefined(right(encode(raw, { source: sourceByHand, attestation: signed })).isByHand)
    const pem = generateKeyPairSync("ed25519").privateKey.export({ type: "pkcs8", format: "pem" }).toString()
    const sealed = sealedBy(attestationOf(statement), sealKeyFromCluster(pem))
    assert.isTrue(right(encode(raw, { source: sourceByHand, attestation: sealed })).isByHand)
  })
})

describe("a table by hand", () => {
  it("keeps the control plane's name of what is the same, and takes another one for what is not", () => {
    fc.assert(
      fc.property(anyTable, anyTable, (raw, edited) => {
        const { _holdfast, ...table } = JSON.parse(encode(raw))
        assert.strictEqual(tableByHand(JSON.stringify({ _holdfast, ...(shuffled(table) as Row) }))?.hash, hash)
        const isSame = describeTable(raw).sha256 === describeTable(edited).sha256
        const sealed = tableByHand(JSON.stringify({ ...edited, _holdfast }))
        assert.strictEqual(sealed?.hash === hash, isSame)
        assert.strictEqual(sealed?.hash.length, 32)
      }),
      cases()
    )
  })

  it("gets a computed name where none stands", () => {
    const raw = { routes: [] }
    const named = tableByHand(JSON.stringify({ ...raw, _holdfast: { sha256: describeTable(raw).sha256 } }))
    assert.strictEqual(named?.hash, hashTable(raw).config)
    assert.strictEqual(tableByHand(JSON.stringify(raw))?.hash, hashTable(raw).config)
  })

  it("gets the name of its content when the wire's hash is blind to the edit", () => {
    const edited = { services: [{ port: "80" }] }
    const former = hashTable({ services: [{ port: 80 }] }).config
    assert.strictEqual(hashTable(edited).config, former)
    const named = tableByHand(JSON.stringify({ ...edited, _holdfast: { hash: former, sha256: "of the other" } }))
    assert.strictEqual(named?.hash, describeTable(edited).sha256.slice(0, 32))
  })

  it("is none where there is no object", () => {
    for (const text of ["", "{", "[]", "null", "5"]) assert.isUndefined(tableByHand(text))
  })
})
