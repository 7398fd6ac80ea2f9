import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { secretText } from "../../src/model/SecretText.ts"
import { holds } from "../support/property.ts"

/** Gives these bytes over and over. */
const source = (bytes: ReadonlyArray<number>) => {
  let at = 0
  return (count: number) => Uint8Array.from({ length: count }, () => bytes[at++ % bytes.length] ?? 0)
}

describe("a key that nobody gave (config-model.md §1.2)", () => {
  it("is 32 letters and digits, whatever the bytes", () => {
    holds(fc.array(fc.integer({ min: 0, max: 255 }), { minLength: 1, maxLength: 100 }), (bytes) => {
      fc.pre(bytes.some((byte) => byte < 248))
      assert.match(secretText(source(bytes)), /^[A-Za-z0-9]{32}$/)
    })
  })

  it("is made of bytes that favour no letter: those that would are left out", () => {
    assert.strictEqual(secretText(source([255, 248, 61])), "9".repeat(32))
    assert.strictEqual(secretText(source([247])), "9".repeat(32))
  })
})
