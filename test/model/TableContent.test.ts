/** One text of a table, however its keys are ordered and whatever JSON makes of its numbers (RFC 8785). */
import { assert, describe, it } from "@effect/vitest"
import { describeTable, sha256 } from "../../src/model/TableContent.ts"

describe("the text of a table", () => {
  it("is that of what is read back, in canonical order, where a number is beyond what a double holds", () => {
    const raw = JSON.parse('{"b":1e999,"a":[{"d":-1e999,"c":1}],"_holdfast":{"hash":"x"}}')
    const text = '{"a":[{"c":1,"d":null}],"b":null}'
    assert.deepEqual(describeTable(raw), { text, sha256: sha256(text) })
    assert.deepEqual(describeTable(JSON.parse(text)), describeTable(raw), "as it is after a restart")
  })

  it("is its JSON as it comes where a text in it is no Unicode", () => {
    const json = '{"b":"\\ud800","a":1}'
    assert.deepEqual(describeTable(JSON.parse(json)), { text: json, sha256: sha256(json) })
  })
})
