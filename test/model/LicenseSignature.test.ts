import { createPublicKey, generateKeyPairSync, sign } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import { issueLicense, signatureVerdict } from "../../src/model/LicenseSignature.ts"
import { readPrivateKey, readPublicKeys } from "../../src/model/SigningKey.ts"
import { cases } from "../support/cases.ts"
import { licenseKey, licenseUntil, parsed, payloadUntil, pemOf, publicPem } from "../support/licenses.ts"

const ours = createPublicKey(licenseKey(1))
const other = createPublicKey(licenseKey(2))

describe("signatures of licences", () => {
  it("are 128 hexadecimal digits, as in the example of resilience.md §6.1", () =>
    assert.match(parsed(licenseUntil("2030-01-01")).signature, /^[0-9a-f]{128}$/))

  it("are verified by any of the keys, and unverifiable without the one that would tell", () => {
    const license = parsed(licenseUntil("2030-01-01"))
    assert.strictEqual(signatureVerdict(license, [ours]), "verified")
    assert.strictEqual(signatureVerdict(license, [other, ours]), "verified")
    assert.strictEqual(signatureVerdict(license, [other]), "unverifiable")
    assert.strictEqual(signatureVerdict(license, []), "unverifiable")
  })

  it("of somebody else's, who names no key, are unverifiable; verified all the same when one of ours made them", () => {
    const kongs = { payload: payloadUntil("2030-01-01"), signature: "ab".repeat(64), version: "1" }
    const license = parsed(JSON.stringify({ license: kongs }))
    assert.strictEqual(signatureVerdict(license, [ours, other]), "unverifiable")
    const signature = sign(null, Buffer.from(license.signedText), licenseKey(1)).toString("hex")
    assert.strictEqual(signatureVerdict({ ...license, signature }, [other, ours]), "verified")
  })

  it("name their key, which both halves of the pair call the same", () => {
    const names = [1, 2].map((seed) => parsed(licenseUntil("2030-01-01", {}, seed)).payload.signing_key)
    assert.match(String(names[0]), /^ed25519:[0-9a-f]{16}$/)
    assert.notStrictEqual(names[0], names[1])
  })

  it.each(["00", "ab".repeat(63), "ab".repeat(64), "ab".repeat(65)])("of other bytes are invalid: %s", (signature) =>
    assert.strictEqual(signatureVerdict({ ...parsed(licenseUntil("2030-01-01")), signature }, [ours]), "invalid")
  )

  it("cover the payload, not its spelling: the order of the keys and the space between are free", () => {
    const { license } = JSON.parse(licenseUntil("2030-01-01"))
    const payload = Object.fromEntries(Object.entries(license.payload).reverse())
    const respelled = JSON.stringify({ license: { ...license, payload } }, null, 7)
    assert.strictEqual(signatureVerdict(parsed(respelled), [ours]), "verified")
  })

  it("no longer fit when anything is changed, added or taken away", () => {
    const payload = fc.record({ customer: fc.string({ unit: "binary" }), note: fc.jsonValue({ stringUnit: "binary" }) })
    const change = fc.constantFrom("customer", "license_key", "license_expiration_date", "fresh")
    fc.assert(
      fc.property(payload, change, (more, field) => {
        const { license } = JSON.parse(licenseUntil("2030-01-01", more))
        const verdict = (changed: unknown) =>
          signatureVerdict(parsed(JSON.stringify({ license: { ...license, payload: changed } })), [ours])
        assert.strictEqual(verdict(license.payload), "verified")
        const value = field === "license_expiration_date" ? "2031-01-01" : `${license.payload[field] ?? ""}x`
        assert.strictEqual(verdict({ ...license.payload, [field]: value }), "invalid")
        const { support_plan: _, ...less } = license.payload
        assert.strictEqual(verdict(less), "invalid")
      }),
      cases()
    )
  })

  it("are made for what can be read as one", () => {
    const issued = issueLicense(payloadUntil("2030-01-01"), licenseKey(1))
    assert(issued._tag === "Right", "expected a licence")
    assert.strictEqual(parsed(issued.text).payload.license_expiration_date, "2030-01-01")
  })

  it("are not made for what nobody could read as a licence", () => {
    for (const payload of [payloadUntil("2030-02-30"), payloadUntil("1999-01-01"), {}]) {
      assert.strictEqual(issueLicense(payload, licenseKey(1))._tag, "Wrong")
    }
  })
})

describe("keys", () => {
  it("are read from PEM, public ones several at a time", () => {
    assert.strictEqual(readPublicKeys(publicPem(1))?.length, 1)
    assert.strictEqual(readPublicKeys(`ours\n${publicPem(1)}\nthe next\n${publicPem(2)}`)?.length, 2)
    assert.isTrue(readPrivateKey(pemOf(licenseKey(1)))?.equals(licenseKey(1)))
  })

  it("of another kind are refused", () => {
    const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" })
    assert.isUndefined(readPrivateKey(pemOf(privateKey)))
    assert.isUndefined(readPrivateKey(publicPem(1)))
    const broken = publicPem(1).replace("MCow", "AAAA")
    for (const pem of [
      "",
      "x",
      pemOf(publicKey),
      pemOf(licenseKey(1)),
      publicPem(1) + pemOf(licenseKey(1)),
      broken,
      publicPem(1) + broken
    ])
      assert.isUndefined(readPublicKeys(pem))
  })
})
