/** Signatures, seals and the order of configurations: what is believed, and what is older than what. */
import { createPublicKey } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { mayReplace, orderOf, type Standing } from "../../src/model/ConfigOrder.ts"
import {
  type Attestation,
  attestationOf,
  attestationRow,
  type ConfigStatement,
  readAttestation,
  sealedBy,
  sealKeyFromCluster,
  signedBy,
  verification
} from "../../src/model/ConfigStatement.ts"
import { keyName } from "../../src/model/SigningKey.ts"
import { cases } from "../support/cases.ts"
import { pemOf, licenseKey as privateKey } from "../support/licenses.ts"

const statement: ConfigStatement = {
  epoch: "2026-01-01T00:00:00.000Z-00000000",
  sequence: 7,
  hash: "0123456789abcdef0123456789abcdef",
  sha256: "ab".repeat(32),
  issuedAtMs: 1_767_225_600_000
}

const publicKey = (seed: number) => createPublicKey(privateKey(seed))
const sealKey = (seed: number) => sealKeyFromCluster(pemOf(privateKey(seed)))
const none = { publicKeys: [], sealKeys: [] }

const throughJson = (attestation: Attestation): Attestation => {
  const read = readAttestation(JSON.parse(JSON.stringify(attestationRow(attestation))))
  if (read === undefined) throw new Error("not read")
  return read
}

describe("a signed statement", () => {
  it("is verified by the key that signed it, after any way through JSON, among other keys and signatures", () => {
    const signed = signedBy(signedBy(attestationOf(statement), privateKey(1)), privateKey(2))
    for (const seed of [1, 2]) {
      const keys = { publicKeys: [publicKey(9), publicKey(seed)], sealKeys: [] }
      assert.deepEqual(verification(throughJson(signed), keys), { _tag: "verified", by: keyName(publicKey(seed)) })
    }
    assert.deepEqual(throughJson(signed), signed)
  })

  it("is known by its seal to whoever has the cluster's key, and to nobody else", () => {
    const sealed = throughJson(sealedBy(attestationOf(statement), sealKey(1)))
    assert.strictEqual(verification(sealed, { publicKeys: [], sealKeys: [sealKey(2), sealKey(1)] })._tag, "verified")
    assert.deepEqual(verification(sealed, { publicKeys: [publicKey(1)], sealKeys: [sealKey(2)] }), {
      _tag: "unknown",
      by: [sealKey(1).name]
    })
  })

  it("is not verified by anybody who is not at hand, and not invalid either", () => {
    const signed = signedBy(attestationOf(statement), privateKey(1))
    assert.deepEqual(verification(signed, none), { _tag: "unknown", by: [keyName(publicKey(1))] })
    assert.deepEqual(verification(attestationOf(statement), none), { _tag: "unknown", by: [] })
  })

  it("is invalid once anything in it was changed: each field, the signature, a field more", () => {
    const signed = signedBy(sealedBy(attestationOf(statement), sealKey(3)), privateKey(1))
    const keys = { publicKeys: [publicKey(1)], sealKeys: [sealKey(3)] }
    const changes: ReadonlyArray<Partial<Record<string, unknown>>> = [
      { epoch: "2026-01-01T00:00:00.000Z-00000001" },
      { sequence: 8 },
      { hash: "f".repeat(32) },
      { sha256: "cd".repeat(32) },
      { issued_at: "2030-01-01T00:00:00.000Z" },
      { rollback_over: { epoch: "z", sequence: 9 } },
      { note: "more" }
    ]
    for (const change of changes) {
      const row = attestationRow(signed)
      const changed = readAttestation({ ...row, statement: { ...signed.signed, ...change } })
      assert.strictEqual(changed && verification(changed, keys)._tag, "invalid", JSON.stringify(change))
    }
    for (const at of [0, 1]) {
      const signatures = signed.signatures.map((each) => ({
        ...each,
        signature: "00".repeat(each.signature.length / 2)
      }))
      const changed = { ...signed, signatures: [signatures[at] ?? { by: "", signature: "" }] }
      assert.strictEqual(verification(changed, keys)._tag, "invalid")
    }
  })

  it("by a key is no seal, and a seal no signature by that key", () => {
    const signed = signedBy(attestationOf(statement), privateKey(1))
    const [signature] = signed.signatures
    const passedOff = { ...signed, signatures: [{ by: sealKey(1).name, signature: signature?.signature ?? "" }] }
    assert.strictEqual(verification(passedOff, { publicKeys: [], sealKeys: [sealKey(1)] })._tag, "invalid")
  })

  it("that is none is not read", () => {
    const row = attestationRow(signedBy(attestationOf(statement), privateKey(1)))
    const good = row.statement as Record<string, unknown>
    const wrong: ReadonlyArray<unknown> = [
      undefined,
      [],
      { statement: good },
      { ...row, statement: { ...good, hash: "short" } },
      { ...row, statement: { ...good, sha256: undefined } },
      { ...row, statement: { ...good, issued_at: "yesterday" } },
      { ...row, statement: { ...good, sequence: 1.5 } },
      { ...row, statement: { ...good, epoch: 1 } },
      { ...row, statement: { ...good, rollback_over: { epoch: "e" } } }
    ]
    for (const value of wrong) assert.isUndefined(readAttestation(value), JSON.stringify(value))
  })
})

const standings = fc.record({
  epoch: fc.constantFrom("2026-01-01T00:00:00.000Z-00000000", "2026-01-02T00:00:00.000Z-00000000"),
  sequence: fc.nat(5)
})

describe("the order of configurations", () => {
  it("is by epoch and then by sequence, whatever the clocks said", () => {
    fc.assert(
      fc.property(standings, standings, fc.nat(9), fc.nat(9), (a, b, aMs, bMs) => {
        const order = orderOf({ ...a, issuedAtMs: aMs }, { ...b, issuedAtMs: bMs })
        const [left, right] = [`${a.epoch} ${a.sequence}`, `${b.epoch} ${b.sequence}`]
        assert.strictEqual(order, left === right ? "same" : left < right ? "older" : "newer")
      }),
      cases()
    )
  })

  it("is by time where one of them has no sequence, and unknown without that", () => {
    const a: Standing = { epoch: "e", sequence: 1, issuedAtMs: 5 }
    assert.strictEqual(orderOf(a, { issuedAtMs: 6 }), "older")
    assert.strictEqual(orderOf({ issuedAtMs: 6 }, a), "newer")
    assert.strictEqual(orderOf({}, a), "unknown")
  })

  it("of the same content is the same, whatever number it has", () => {
    assert.strictEqual(
      orderOf({ epoch: "e", sequence: 1, sha256: "x" }, { epoch: "e", sequence: 2, sha256: "x" }),
      "same"
    )
  })

  it("lets nothing older replace anything, and a rollback whatever is not newer than what it is over", () => {
    fc.assert(
      fc.property(standings, standings, standings, (candidate, known, over) => {
        assert.strictEqual(mayReplace(candidate, known), orderOf(candidate, known) !== "older")
        const rollback = { ...candidate, rollbackOver: over }
        assert.strictEqual(mayReplace(rollback, known), orderOf(known, over) !== "newer")
        // Nor does what was rolled back come again, from wherever it lies.
        assert.strictEqual(mayReplace(known, rollback), orderOf(known, over) === "newer")
        assert.strictEqual(orderOf(rollback, { ...known, rollbackOver: over }), "same")
      }),
      cases()
    )
  })
})
