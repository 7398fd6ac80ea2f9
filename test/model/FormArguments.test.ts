/** Queries and form bodies as nginx reads them. */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { argumentsNamed, argumentsOf, withoutArgument } from "../../src/model/FormArguments.ts"
import { holds } from "../support/property.ts"

describe("arguments", () => {
  it("are found by their decoded names, decoded; malformed triplets stay", () => {
    const text = "a=1&%61=2+3&a&b=%c3%a9&a=%zz&=x&aa=9&"
    assert.deepStrictEqual(argumentsNamed(text, "a"), ["1", "2 3", true, "%zz"])
    assert.deepStrictEqual(argumentsNamed(text, "b"), ["\u00c3\u00a9"])
    assert.deepStrictEqual(argumentsNamed(text, "c"), [])
    assert.deepStrictEqual(argumentsNamed("", ""), [])
    assert.deepStrictEqual(
      [...argumentsOf(text)],
      [
        ["a", ["1", "2 3", true, "%zz"]],
        ["b", ["\u00c3\u00a9"]],
        ["aa", ["9"]]
      ]
    )
  })

  it("are taken out under every spelling of the name, and the others stay letter for letter", () => {
    assert.strictEqual(withoutArgument("x=%41&a=1&%61&b=+&a", "a"), "x=%41&b=+")
    const piece = fc.stringMatching(/^(?:[ab]|%6[12])(?:=[a-z%+]{0,4})?$/)
    holds(fc.tuple(fc.array(piece, { maxLength: 8 }), fc.constantFrom("a", "b")), ([pieces, name]) => {
      const left = withoutArgument(pieces.join("&"), name)
      assert.deepStrictEqual(argumentsNamed(left, name), [])
      const other = name === "a" ? "b" : "a"
      assert.deepStrictEqual(argumentsNamed(left, other), argumentsNamed(pieces.join("&"), other))
    })
  })
})
