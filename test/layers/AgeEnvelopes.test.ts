/** Envelopes encrypted to the nodes' keys: who reads them, who does not, and what was changed on the way. */
import { assert, describe, it } from "@effect/vitest"
import { generateX25519Identity, identityToRecipient } from "age-encryption"
import { Effect, Layer } from "effect"
import * as fc from "fast-check"
import * as AgeEnvelopes from "../../src/layers/AgeEnvelopes.ts"
import { formatFault } from "../../src/model/Fault.ts"
import type { SettingName } from "../../src/model/SettingTable.ts"
import { EnvelopeProtection } from "../../src/services/EnvelopeProtection.ts"
import * as VirtualDisk from "../../src/testing/VirtualDisk.ts"
import { settingsLayer } from "../support/settings.ts"

const pair = Effect.promise(async () => {
  const identity = await generateX25519Identity()
  return { identity, recipient: await identityToRecipient(identity) }
})

const keyFile = "/keys/age.txt"

const protectionOf = (given: Partial<Record<SettingName, string>>, file = "") => {
  const disk = VirtualDisk.make()
  disk.hand.write(keyFile, new TextEncoder().encode(file))
  return Effect.provide(
    Effect.flatMap(EnvelopeProtection, Effect.succeed),
    AgeEnvelopes.layer.pipe(Layer.provide([disk.layer, settingsLayer(given)]))
  )
}

const bytesOf = (length: number) => Uint8Array.from({ length }, (_, index) => (index * 31) % 251)

describe("an encrypted envelope", () => {
  it.live("is read by each of its recipients, whatever its size, and by nobody else", () =>
    Effect.gen(function* () {
      const [one, other, stranger] = yield* Effect.all([pair, pair, pair])
      const exporter = yield* protectionOf({ config_encryption_recipients: `${one.recipient}, ${other.recipient}` })
      assert.isTrue(exporter.isEncrypting)
      for (const length of [0, 1, 65_535, 65_536, 65_537, 200_000]) {
        const plain = bytesOf(length)
        const sealed = yield* exporter.protect(plain)
        for (const { identity } of [one, other]) {
          const { unprotect } = yield* protectionOf({ config_decryption_keys: `# mine\n${identity}\n` })
          assert.deepEqual(Uint8Array.from(yield* unprotect(sealed)), plain)
        }
        const inFile = yield* protectionOf(
          { config_decryption_keys: keyFile },
          `${stranger.identity}\n${one.identity}\n`
        )
        assert.deepEqual(Uint8Array.from(yield* inFile.unprotect(sealed)), plain)
      }
      const sealed = yield* exporter.protect(bytesOf(100))
      const { unprotect } = yield* protectionOf({ config_decryption_keys: stranger.identity })
      assert.include((yield* Effect.flip(unprotect(sealed))).message, "encrypted to one of config_decryption_keys")
      const none = yield* protectionOf({})
      assert.include((yield* Effect.flip(none.unprotect(sealed))).message, "expected config_decryption_keys")
    })
  )

  it.live("is refused whatever was changed or cut off", () =>
    Effect.gen(function* () {
      const { identity, recipient } = yield* pair
      const both = { config_encryption_recipients: recipient, config_decryption_keys: identity }
      const { protect, unprotect } = yield* protectionOf(both)
      const sealed = yield* protect(bytesOf(70_000))
      const [header] = sealed
      const places = fc.sample(fc.nat(sealed.length - 1), { numRuns: 60, seed: 7 })
      for (const at of places) {
        const flipped = Uint8Array.from(sealed)
        flipped[at] = (flipped[at] ?? 0) ^ 1
        const exits = yield* Effect.all([
          Effect.exit(unprotect(flipped)),
          Effect.exit(unprotect(sealed.subarray(0, at)))
        ])
        for (const [index, exit] of exits.entries()) {
          // Too short, or no more like it, to say that it is encrypted: then it comes back as it is, and is no gzip.
          const isPlain = exit._tag === "Success" && exit.value === (index === 0 ? flipped : exit.value)
          assert.isTrue(exit._tag === "Failure" || (isPlain && at < 19), `at ${at}`)
        }
      }
      assert.isDefined(header)
    })
  )

  it.live("is not made without recipients, and plain bytes come back as they are", () =>
    Effect.gen(function* () {
      const { isEncrypting, protect, unprotect } = yield* protectionOf({})
      assert.isFalse(isEncrypting)
      const plain = bytesOf(10)
      assert.strictEqual(yield* protect(plain), plain)
      assert.strictEqual(yield* unprotect(plain), plain)
    })
  )

  it.live("keys that are none stop the start, and are not shown", () =>
    Effect.gen(function* () {
      for (const [text, file] of [
        ["/nowhere", ""],
        ["AGE-SECRET-KEY-1SECRET", ""],
        [keyFile, "hello"]
      ] as const) {
        const { faults, exitCode } = yield* Effect.flip(protectionOf({ config_decryption_keys: text }, file))
        assert.strictEqual(exitCode, 2)
        assert.match(faults.map(formatFault).join(), /^config_decryption_keys: expected age identities/)
        assert.notInclude(faults.map(formatFault).join(), "SECRET")
      }
    })
  )
})
