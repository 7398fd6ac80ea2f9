/** Taking an envelope apart without parsing it: what comes out is what parsing would give. */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { encodeCachedTable } from "../../src/model/CachedTable.ts"
import type { Row } from "../../src/model/Entity.ts"
import { plainTable, splitEnvelope } from "../../src/model/EnvelopeParts.ts"
import { describeTable } from "../../src/model/TableContent.ts"
import { holds } from "../support/property.ts"

const bytesOf = (text: string) => new TextEncoder().encode(text)
const textOf = (bytes: Uint8Array) => new TextDecoder().decode(bytes)

const encoded = (raw: Row) =>
  encodeCachedTable(describeTable(raw), { hash: "d".repeat(32), source: "control_plane", receivedAtMs: 0 })

/** What might be taken for the member, inside. */
const nasty = fc.constantFrom('"_holdfast":', ',"_holdfast":{"a":1}}', "_holdfast", "}", '\\\\"', "é\u2028")
const text = fc.oneof(nasty, fc.string())
const leaf = fc.oneof(text, fc.integer(), fc.constant(null))
const inside = fc.dictionary(fc.oneof(text, fc.constant("_holdfast")), fc.oneof(leaf, fc.dictionary(text, leaf)))
const tables = fc.dictionary(
  text.filter((name) => name !== "_holdfast"),
  fc.oneof(leaf, fc.array(inside))
)
const marks = fc.uint8Array({ minLength: 8, maxLength: 8 })

describe("an envelope's parts", () => {
  it("are the table's canonical text, and the provenance, whatever stands in the table", () => {
    holds(fc.tuple(tables, marks), ([raw, mark]) => {
      const envelope = encoded(raw)
      const parts = splitEnvelope(bytesOf(envelope))
      assert(parts !== undefined)
      assert.strictEqual(`${textOf(parts.tableHead)}}`, describeTable(raw).text)
      assert.deepEqual(parts.provenance, JSON.parse(envelope)._holdfast)
      const plain = textOf(plainTable(parts, mark))
      assert.strictEqual(plain.trimEnd(), describeTable(raw).text)
      assert.match(plain, /\}[ \t]{64}\n$/)
    })
  })

  it("make other bytes of one table for each mark", () => {
    holds(fc.tuple(marks, marks), ([one, other]) => {
      const parts = splitEnvelope(bytesOf(encoded({ a: 1 })))
      assert(parts !== undefined)
      const isSame = textOf(plainTable(parts, one)) === textOf(plainTable(parts, other))
      assert.strictEqual(isSame, Buffer.compare(one, other) === 0)
    })
  })

  it("are not taken from what is written otherwise", () => {
    const whole = encoded({ a: 1 })
    const others = [
      "",
      "{}",
      '{"a":1}',
      whole.slice(0, -1),
      whole.slice(0, -2),
      `${whole} `,
      `[${whole}]`,
      `{"x":${whole}}`,
      '{"_holdfast":{"a":1},"b":2}',
      '"_holdfast":{}}',
      JSON.stringify(JSON.parse(whole), null, 2)
    ]
    for (const other of others) assert.isUndefined(splitEnvelope(bytesOf(other)), other)
  })
})
