/** The licence that is kept apart from the configurations: `faults.md`, "licence state survives restart". */
import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import type { FoundLicense } from "../../src/model/FoundLicense.ts"
import {
  decodeKeptLicense,
  encodeKeptLicense,
  type KeptLicense,
  keepNewer,
  keepOfControlPlane,
  outweighs
} from "../../src/model/KeptLicense.ts"
import { cases } from "../support/cases.ts"

const text = (content: string, updatedAt?: number) => ({
  _tag: "Text" as const,
  text: content,
  ...(updatedAt === undefined ? {} : { updatedAt })
})
const nothing: FoundLicense = { _tag: "Nothing" }
const unreadable: FoundLicense = { _tag: "Unreadable", faults: [] }
const kept = (content: string | undefined, updatedAt?: number): KeptLicense => ({ updatedAt, text: content })

describe("what is kept", () => {
  it("is read as it was written, and anything else is none", () => {
    const optional = <A>(arbitrary: fc.Arbitrary<A>) => fc.option(arbitrary, { nil: undefined })
    const licenses = fc.record({
      updatedAt: optional(fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0)),
      text: optional(fc.string({ unit: "binary" }))
    })
    fc.assert(
      fc.property(licenses, (license) => {
        const encoded = encodeKeptLicense(license)
        assert.deepStrictEqual(decodeKeptLicense(encoded), license)
        // Cut off anywhere but behind its last brace.
        for (let length = 0; length < encoded.length - 1; length++)
          assert.isUndefined(decodeKeptLicense(encoded.slice(0, length)))
      }),
      cases()
    )
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.string()), (foreign) => assert.isUndefined(decodeKeptLicense(foreign))),
      cases()
    )
    for (const wrong of [{ format: 2 }, { updated_at: "1" }, { payload: 1 }, { payload: undefined }]) {
      const document = { format: 1, updated_at: 1, payload: "x", ...wrong }
      assert.isUndefined(decodeKeptLicense(JSON.stringify(document)))
    }
  })

  it.each<readonly [string, KeptLicense, Parameters<typeof outweighs>[1], boolean]>([
    ["newer than what is found", kept("k", 2), text("f", 1), true],
    ["older", kept("k", 1), text("f", 2), false],
    ["as old: the copy at hand is as good", kept("k", 1), text("f", 1), false],
    ["beside one that a person wrote", kept("k", 2), text("f"), false],
    ["without a date itself", kept("k"), text("f", 1), false],
    ["taken away, without a date itself", kept(undefined), text("f", 1), false],
    ["taken away, as new as what is found", kept(undefined, 2), text("f", 2), true],
    ["taken away, after what is found", kept(undefined, 2), text("f", 1), true],
    ["taken away, before what is found", kept(undefined, 2), text("f", 3), false]
  ])("%s", (_case, license, found, expected) => assert.strictEqual(outweighs(license, found), expected))

  it("is what the control plane says, be it older; what it took away is remembered by its date", () => {
    assert.deepStrictEqual(keepOfControlPlane(kept("k", 2), text("f", 1)), kept("f", 1))
    assert.deepStrictEqual(keepOfControlPlane(undefined, text("f")), kept("f"))
    assert.deepStrictEqual(keepOfControlPlane(kept("k", 2), nothing), kept(undefined, 2))
    assert.deepStrictEqual(keepOfControlPlane(kept(undefined, 2), nothing), kept(undefined, 2))
    assert.isUndefined(keepOfControlPlane(undefined, nothing))
  })

  it("is of an older configuration only what is not older, and never that it has none", () => {
    assert.deepStrictEqual(keepNewer(undefined, text("f", 1)), kept("f", 1))
    assert.deepStrictEqual(keepNewer(kept("k", 2), text("f", 1)), kept("k", 2))
    assert.deepStrictEqual(keepNewer(kept("k", 2), text("f", 2)), kept("f", 2))
    assert.deepStrictEqual(keepNewer(kept("k", 2), text("f")), kept("k", 2))
    assert.deepStrictEqual(keepNewer(kept("k"), text("f")), kept("f"))
    assert.deepStrictEqual(keepNewer(kept(undefined, 2), text("f", 2)), kept(undefined, 2))
    for (const none of [nothing, unreadable])
      for (const before of [kept("k", 2), kept("k"), undefined]) assert.deepStrictEqual(keepNewer(before, none), before)
  })
})
