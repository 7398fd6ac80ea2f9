/** Reference `resilience.md` §6.1: what a licence looks like. */
import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import { formatFault } from "../../src/model/Fault.ts"
import { dateMs, licenseMaxBytes, licenseText, parseLicense } from "../../src/model/License.ts"
import { cases } from "../support/cases.ts"
import { licenseUntil, parsed, payloadUntil } from "../support/licenses.ts"

const faultsOf = (text: string): ReadonlyArray<string> => {
  const result = parseLicense(text)
  assert(result._tag === "Wrong", "expected faults")
  return result.faults.map(formatFault)
}

const licenseOf = (license: unknown): string => JSON.stringify({ license })
const right = { payload: payloadUntil("2027-07-20"), signature: "ab".repeat(64), version: "1" }

describe("license.json (resilience.md §6.1)", () => {
  it("is read as Kong writes it: payload, 128 hexadecimal digits, version 1", () => {
    const license = parsed(licenseOf({ ...right, signature: "AB".repeat(64) }))
    assert.strictEqual(license.expiresAtMs, Date.UTC(2027, 6, 20))
    assert.strictEqual(license.signature, "ab".repeat(64))
    assert.deepStrictEqual(license.payload, payloadUntil("2027-07-20"))
  })

  it("may say more than is known here", () => {
    const text = JSON.stringify({ license: { ...right, future: 1 }, more: true })
    assert.strictEqual(parseLicense(text)._tag, "Right")
    assert.strictEqual(parseLicense(licenseUntil("2027-07-20", { features: { a: [1, null] } }))._tag, "Right")
  })

  it("is the same licence whatever the order and space of its text, and another one when any field differs", () => {
    const { digest } = parsed(licenseOf(right))
    const reversed = (row: object) => Object.fromEntries(Object.entries(row).reverse())
    const respelled = JSON.stringify({ license: { ...reversed(right), payload: reversed(right.payload) } }, null, 4)
    assert.strictEqual(parsed(respelled).digest, digest)
    assert.notStrictEqual(parsed(licenseOf({ ...right, payload: payloadUntil("2027-07-21") })).digest, digest)
    assert.notStrictEqual(parsed(licenseOf({ ...right, signature: "ac".repeat(64) })).digest, digest)
  })

  it("may be as large as a licence can be, and no larger", () => {
    const text = licenseOf(right)
    const room = licenseMaxBytes - Buffer.byteLength(text)
    assert.strictEqual(parseLicense(text + " ".repeat(room))._tag, "Right")
    assert.deepStrictEqual(faultsOf(text + " ".repeat(room + 1)), ["expected at most 65536 bytes"])
  })

  it("may expire on the day that it was made", () => {
    const payload = payloadUntil("2027-07-20", { license_creation_date: "2027-07-20" })
    assert.strictEqual(parseLicense(licenseOf({ ...right, payload }))._tag, "Right")
  })

  it("has a fault without a path when it is none at all", () =>
    assert.deepStrictEqual(faultsOf("null"), ["expected a licence: a JSON object"]))

  it("is written as people read it", () => {
    const text = licenseText({ license_expiration_date: "2027-07-20" }, "ab")
    const lines = [
      "{",
      '  "license": {',
      '    "payload": {',
      '      "license_expiration_date": "2027-07-20"',
      "    },",
      '    "signature": "ab",',
      '    "version": "1"',
      "  }",
      "}",
      ""
    ]
    assert.strictEqual(text, lines.join("\n"))
  })

  it("tells everything that is wrong at once, and shows no value", () => {
    const secret = "s3cret"
    const payload = { license_expiration_date: secret, license_creation_date: secret, license_key: secret }
    const faults = faultsOf(licenseOf({ payload, signature: secret, version: secret }))
    assert.deepStrictEqual(faults, [
      "license.payload.license_expiration_date: expected a date, written YYYY-MM-DD",
      "license.payload.license_creation_date: expected a date, written YYYY-MM-DD, or nothing",
      "license.signature: expected a signature in hexadecimal digits",
      'license.version: expected "1"'
    ])
  })

  it("says once that its payload is missing", () => {
    assert.deepStrictEqual(faultsOf('{"license":{"signature":"ab","version":"1"}}'), [
      "license.payload: expected an object"
    ])
  })

  it.each<readonly [string, string | RegExp]>([
    ["", "expected a licence: a JSON object"],
    ["{", "expected a licence: a JSON object"],
    ["null", "expected a licence: a JSON object"],
    ["[]", "expected a licence: a JSON object"],
    ["{}", "license: expected an object"],
    ['{"license":"x"}', "license: expected an object"],
    [licenseOf({ ...right, payload: [] }), "license.payload: expected an object"],
    [licenseOf({ ...right, payload: undefined }), /license.payload/],
    [licenseOf({ ...right, payload: {} }), /license_expiration_date: expected a date/],
    [licenseOf({ ...right, payload: payloadUntil("2000-12-31") }), /license_creation_date: expected a day no later/],
    [licenseOf({ ...right, signature: "" }), /signature: expected/],
    [licenseOf({ ...right, signature: "abc" }), /signature: expected/],
    [licenseOf({ ...right, signature: 12 }), /signature: expected/],
    [licenseOf({ ...right, version: 1 }), 'license.version: expected "1"'],
    [licenseOf({ ...right, version: "2" }), 'license.version: expected "1"'],
    [licenseOf({ ...right, payload: payloadUntil("2027-07-20", { x: "\ud800" }) }), "license.payload.x: expected"],
    [`${licenseOf(right)}${" ".repeat(licenseMaxBytes)}`, "expected at most 65536 bytes"]
  ])("refuses %s", (text, fault) => {
    const all = faultsOf(text).join("; ")
    if (typeof fault === "string") assert.include(all, fault)
    else assert.match(all, fault)
  })

  it("is refused, not fallen over, when it is nested deeper than recursion goes", () => {
    const deep = "[".repeat(20_000) + "]".repeat(20_000)
    const text = licenseOf(right).replace('"Example Ltd"', deep)
    assert.match(faultsOf(text).join(), /license\.payload\.customer.*expected at most 1000 levels/)
  })

  it("never throws, whatever stands there", () => {
    const nearly = fc.record(
      {
        payload: fc.oneof(
          fc.jsonValue(),
          fc.record({
            license_expiration_date: fc.oneof(fc.string(), fc.jsonValue()),
            license_creation_date: fc.jsonValue()
          })
        ),
        signature: fc.oneof(fc.string(), fc.jsonValue()),
        version: fc.oneof(fc.constant("1"), fc.jsonValue())
      },
      { requiredKeys: [] }
    )
    const text = fc.oneof(fc.string({ unit: "binary" }), fc.json(), nearly.map(licenseOf))
    fc.assert(
      fc.property(text, (garbage) => {
        const result = parseLicense(garbage)
        if (result._tag === "Wrong") assert.isNotEmpty(result.faults)
        for (const { value } of result._tag === "Wrong" ? result.faults : []) assert.isUndefined(value)
      }),
      cases()
    )
  })
})

describe("dates", () => {
  it.each([
    ["0001-01-01", "0001-01-01"],
    ["9999-12-31", "9999-12-31"],
    ["2000-02-29", "2000-02-29"],
    ["2024-02-29", "2024-02-29"],
    ["0004-02-29", "0004-02-29"]
  ])("%s is 00:00 UTC of that day", (text, day) => {
    assert.strictEqual(new Date(dateMs(text) ?? Number.NaN).toISOString(), `${day}T00:00:00.000Z`)
  })

  it.each([
    "1900-02-29",
    "2023-02-29",
    "2024-02-30",
    "2024-04-31",
    "2024-00-10",
    "2024-13-01",
    "2024-01-00",
    "2024-01-32",
    "0000-01-01",
    "2024-1-1",
    "24-01-01",
    "2024/01/01",
    "2024-01-01T00:00:00Z",
    " 2024-01-01",
    "2024-01-01\n",
    "-2024-01-01",
    "+02024-01-01",
    "+010000-01",
    "-000001-01",
    "２０２４-01-01",
    ""
  ])("%j is none", (text) => assert.isUndefined(dateMs(text)))

  it.each([undefined, null, 20240101, new Date(0), ["2024-01-01"], {}])("%o is none", (value) =>
    assert.isUndefined(dateMs(value))
  )

  it("every day of the years 1 to 9999 is read, and the next one is a day later", () => {
    const dayMs = 86_400_000
    const first = dateMs("0001-01-01") ?? Number.NaN
    const last = dateMs("9999-12-31") ?? Number.NaN
    const textAt = (day: number): string => new Date(first + day * dayMs).toISOString().slice(0, 10)
    fc.assert(
      fc.property(fc.nat((last - first) / dayMs - 1), (day) => {
        assert.strictEqual(dateMs(textAt(day)), first + day * dayMs)
        assert.strictEqual(dateMs(textAt(day + 1)), first + (day + 1) * dayMs)
      }),
      { ...cases(), examples: [[0], [(last - first) / dayMs - 1]] }
    )
  })
})
