import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import { canonicalJson } from "../../src/model/CanonicalJson.ts"
import { formatFault } from "../../src/model/Fault.ts"
import { cases } from "../support/cases.ts"

const textOf = (value: unknown): string => {
  const canonical = canonicalJson(value)
  assert(canonical._tag === "Right", canonical._tag === "Wrong" ? formatFault(canonical.fault) : "")
  return canonical.text
}

const faultOf = (value: unknown): string => {
  const canonical = canonicalJson(value)
  assert(canonical._tag === "Wrong", "expected a refusal")
  return formatFault(canonical.fault)
}

const numberOf = (bits: string): number => Buffer.from(bits, "hex").readDoubleBE()

describe("RFC 8785", () => {
  it("§3.2.2: the sample", () => {
    const sample = String.raw`{
      "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
      "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
      "literals": [null, true, false]
    }`
    assert.strictEqual(
      textOf(JSON.parse(sample)),
      String.raw`{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}`
    )
  })

  it("§3.2.2.2: control characters by their short names, else in four lower-case digits", () => {
    assert.strictEqual(textOf("\b\t\n\f\r\u0000\u001f\u007f\u2028/"), '"\\b\\t\\n\\f\\r\\u0000\\u001f\u007f\u2028/"')
  })

  it("§3.2.3: keys in the order of their UTF-16 code units", () => {
    const sample = String.raw`{
      "\u20ac": "Euro Sign",
      "\r": "Carriage Return",
      "\ufb33": "Hebrew Letter Dalet With Dagesh",
      "1": "One",
      "\ud83d\ude00": "Emoji: Grinning Face",
      "\u0080": "Control",
      "\u00f6": "Latin Small Letter O With Diaeresis"
    }`
    assert.deepStrictEqual(textOf(JSON.parse(sample)).match(/(?<=:")[^"]+/g), [
      "Carriage Return",
      "One",
      "Control",
      "Latin Small Letter O With Diaeresis",
      "Euro Sign",
      "Emoji: Grinning Face",
      "Hebrew Letter Dalet With Dagesh"
    ])
    assert.strictEqual(textOf({ 10: 1, 9: 2 }), '{"10":1,"9":2}', "numbers as keys are texts")
    assert.strictEqual(textOf(JSON.parse('{"b":1,"__proto__":2}')), '{"__proto__":2,"b":1}')
  })

  it.each([
    ["0000000000000000", "0"],
    ["8000000000000000", "0"],
    ["0000000000000001", "5e-324"],
    ["8000000000000001", "-5e-324"],
    ["7fefffffffffffff", "1.7976931348623157e+308"],
    ["ffefffffffffffff", "-1.7976931348623157e+308"],
    ["4340000000000000", "9007199254740992"],
    ["c340000000000000", "-9007199254740992"],
    ["4430000000000000", "295147905179352830000"],
    ["44b52d02c7e14af5", "9.999999999999997e+22"],
    ["44b52d02c7e14af6", "1e+23"],
    ["44b52d02c7e14af7", "1.0000000000000001e+23"],
    ["444b1ae4d6e2ef4e", "999999999999999700000"],
    ["444b1ae4d6e2ef4f", "999999999999999900000"],
    ["444b1ae4d6e2ef50", "1e+21"],
    ["3eb0c6f7a0b5ed8c", "9.999999999999997e-7"],
    ["3eb0c6f7a0b5ed8d", "0.000001"],
    ["41b3de4355555553", "333333333.3333332"],
    ["41b3de4355555554", "333333333.33333325"],
    ["41b3de4355555555", "333333333.3333333"],
    ["41b3de4355555556", "333333333.3333334"],
    ["41b3de4355555557", "333333333.33333343"],
    ["becbf647612f3696", "-0.0000033333333333333333"],
    ["43143ff3c1cb0959", "1424953923781206.2"]
  ])("appendix B: %s is %s", (bits, text) => assert.strictEqual(textOf(numberOf(bits)), text))

  it.each(["7fffffffffffffff", "7ff0000000000000", "fff0000000000000"])("appendix B: %s is an error", (bits) =>
    assert.match(faultOf(numberOf(bits)), /^expected what JSON can carry/)
  )
})

describe("what JSON can't carry is refused, never dropped", () => {
  const circle: Array<unknown> = []
  circle.push({ circle })
  it.each<readonly [unknown, RegExp]>([
    [undefined, /^expected what/],
    [{ a: [1, undefined] }, /^a\[1\]: expected what/],
    [[{ a: undefined }], /^\[0\]\.a: expected what/],
    [new Array(1), /^\[0\]: expected what/],
    [{ when: new Date(0) }, /^when: expected what/],
    [new Map([[1, 2]]), /^expected what/],
    [Object.create({ inherited: 1 }), /^expected what/],
    [{ f: () => 1 }, /^f: expected what/],
    [{ n: 1n }, /^n: expected what/],
    [Symbol.iterator, /^expected what/],
    [{ a: { text: "\ud800" } }, /^a\.text: expected well-formed Unicode text$/],
    [{ "\udc00": 1 }, /^expected well-formed Unicode text$/],
    [circle, /expected at most 1000 levels$/]
  ])("%o", (value, fault) => assert.match(faultOf(value), fault))

  it("shows no value: it may be a secret", () => assert.notInclude(faultOf({ a: ["secret\ud800"] }), "secret"))

  it("what is nested too deep, whatever is left of the stack; what is not, is written", () => {
    const nested = (depth: number): unknown => JSON.parse(`${"[".repeat(depth)}${"]".repeat(depth)}`)
    assert.match(faultOf(nested(100_000)), /expected at most 1000 levels$/)
    assert.strictEqual(textOf(nested(1000)).length, 2000)
  })
})

const shuffled = (value: unknown): unknown =>
  Array.isArray(value)
    ? value.map(shuffled)
    : typeof value === "object" && value !== null
      ? Object.fromEntries(
          Object.entries(value)
            .reverse()
            .map(([key, inner]) => [key, shuffled(inner)])
        )
      : value

describe("any JSON", () => {
  const json = fc.jsonValue({ stringUnit: "binary" })

  it("comes back as it was, and is written the same in any order of its keys", () =>
    fc.assert(
      fc.property(json, (value) => {
        const text = textOf(value)
        const again: unknown = JSON.parse(text)
        assert.deepStrictEqual(again, JSON.parse(JSON.stringify(value)))
        assert.strictEqual(textOf(again), text)
        assert.strictEqual(textOf(shuffled(value)), text)
      }),
      cases()
    ))
})
