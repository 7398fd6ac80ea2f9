/** The cache under encryption: `resilience.md` §2, and in `faults.md` "2.8.4.0 encrypted cache dead after restart". */
import { createPrivateKey, generateKeyPairSync } from "node:crypto"
import { readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Effect, Schema } from "effect"
import { cacheNonceLength, decryptCache, encryptCache, isEncrypted } from "../../src/model/CacheCipher.ts"
import { cacheKeyFromCluster, makeCacheKey, readCacheKeys } from "../../src/model/CacheKey.ts"
import { leafKey } from "../support/pems.ts"
import { propertyRuns } from "../support/propertyRuns.ts"

const filled = (length: number, value: number) => new Uint8Array(length).fill(value)
const [one, two] = [makeCacheKey(filled(32, 1)), makeCacheKey(filled(32, 2))]
const nonce = filled(cacheNonceLength, 7)
const plain = new TextEncoder().encode("a configuration")
const secret = encryptCache(plain, one, nonce)

const byte = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 255 }))
const bytes = (minLength: number, maxLength: number) =>
  Arbitrary.array(Arbitrary.schema(byte), { minLength, maxLength })

const reasonOf = (file: Uint8Array, keys = [one]) => {
  const answer = decryptCache(file, keys)
  return answer._tag === "Wrong" ? answer.reason : "right"
}

describe("the cipher of the cache", () => {
  it.effect.prop(
    "gives back what it was given, under any key and nonce, among any other keys",
    [bytes(0, 200), bytes(32, 32), bytes(cacheNonceLength, cacheNonceLength)],
    ([content, keyBytes, nonceBytes]) =>
      Effect.sync(() => {
        const key = makeCacheKey(Uint8Array.from(keyBytes))
        const file = encryptCache(Uint8Array.from(content), key, Uint8Array.from(nonceBytes))
        const answer = decryptCache(file, [two, key, one])
        assert(answer._tag === "Right")
        assert.deepStrictEqual([...answer.bytes], content)
        assert.strictEqual(answer.keyId, key.id)
        assert.strictEqual(decryptCache(file, []).keyId, key.id)
        assert.isTrue(isEncrypted(file))
      }),
    propertyRuns
  )

  it.effect.prop(
    "refuses whatever is cut off anywhere, changed anywhere, or longer by anything",
    [bytes(0, 60), bytes(1, 20)],
    ([content, more]) =>
      Effect.sync(() => {
        const file = encryptCache(Uint8Array.from(content), one, nonce)
        for (let length = 1; length < file.length; length++) {
          assert.strictEqual(reasonOf(file.subarray(0, length)), "truncated")
        }
        assert.isFalse(isEncrypted(file.subarray(0, 0)))
        assert.strictEqual(reasonOf(Buffer.concat([file, Uint8Array.from(more)])), "tampered")
        const xor = more[0] === 0 ? 1 : (more[0] ?? 1)
        for (let at = 0; at < file.length; at++) {
          const changed = Uint8Array.from(file)
          changed[at] = (changed[at] ?? 0) ^ xor
          assert.notStrictEqual(reasonOf(changed), "right", `byte ${at}`)
        }
      }),
    propertyRuns
  )

  it("says which way it is wrong, for the person who looks after the node", () => {
    const messageOf = (file: Uint8Array, keys = [one]) => {
      const answer = decryptCache(file, keys)
      return answer._tag === "Wrong" ? `${answer.reason}: ${answer.message}` : "right"
    }
    const changed = Uint8Array.from(secret).fill(9, secret.length - 1)
    const newer = Uint8Array.from(secret).fill(3, 8, 9)
    assert.isFalse(isEncrypted(Uint8Array.of(0x1f, 0x8b)))
    assert.match(messageOf(secret.subarray(0, 30)), /^truncated: expected at least 65 bytes, got 30/)
    assert.match(messageOf(secret.subarray(0, 70)), /^truncated: expected 80 bytes, got 70/)
    assert.match(messageOf(newer), /^newerFormat: expected encryption of format 1; a newer Holdfast wrote format 3/)
    assert.match(messageOf(changed), new RegExp(`^tampered: .*${one.id}`))
    assert.strictEqual(
      messageOf(secret, [two]),
      `unknownKey: expected the key ${one.id}, with which it was encrypted; there is ${two.id}`
    )
    assert.match(messageOf(secret, []), /there is none$/)
  })

  it("says nothing that docs/cache-encryption.md does not explain, word for word", () => {
    const page = readFileSync(new URL("../../docs/cache-encryption.md", import.meta.url), "utf8")
    const rows = [...page.matchAll(/^\| `(expected .*?)` \|/gm)].map(([, text = ""]) => text)
    const formOf = (message: string) =>
      message
        .replaceAll(/\b[0-9a-f]{16}\b/g, "<id>")
        .replace("there is <id>", "there is <ids>")
        .replace(/\d+ bytes, got \d+/, "<n> bytes, got <m>")
        .replace(/wrote format \d+/, "wrote format <n>")
    const changed = (at: number, value: number) => Uint8Array.from(secret).fill(value, at, at + 1)
    const said = [
      decryptCache(secret, [two]),
      decryptCache(changed(secret.length - 1, 9), [one]),
      decryptCache(secret.subarray(0, 70), [one]),
      decryptCache(secret.subarray(0, 30), [one]),
      decryptCache(Buffer.concat([secret, filled(1, 0)]), [one]),
      decryptCache(changed(8, 3), [one]),
      decryptCache(changed(8, 0), [one])
    ].map((answer) => (answer._tag === "Wrong" ? formOf(answer.message) : "right"))
    for (const message of said)
      assert.lengthOf(
        rows.filter((row) => row.split("; name it")[0] === message),
        1,
        message
      )
    assert.strictEqual(new Set(said).size, rows.length - 1, "and expected gzip")
  })

  it("tells a wrong key under the same id from the right one", () => {
    const impostor = { id: one.id, secret: two.secret }
    assert.strictEqual(reasonOf(secret, [impostor]), "tampered")
  })

  it("hides the content, and makes another file of it under another nonce", () => {
    assert.notInclude(Buffer.from(secret).toString("latin1"), "configuration")
    const again = encryptCache(plain, one, filled(cacheNonceLength, 8))
    assert.notDeepEqual(again.subarray(49), secret.subarray(49))
    // Either part of the nonce alone makes the difference.
    const otherSalt = Uint8Array.from(nonce).fill(1, 0, 1)
    const otherIv = Uint8Array.from(nonce).fill(1, 27, 28)
    for (const other of [otherSalt, otherIv]) {
      assert.notDeepEqual(encryptCache(plain, one, other).subarray(49), secret.subarray(49))
    }
  })

  it("stays readable: a file of format 1, as the first version wrote it", () => {
    const expectedFile =
      "484f4c4446415354013d29f0f05fb4907c070707070707070707070707070707070707070707070707070707070000000f07e7678de02d4b115ab61ab9592d20a1262b6ec8f0cd755ef85095db39d04c"
    assert.strictEqual(Buffer.from(secret).toString("hex"), expectedFile)
  })
})

describe("keys of the cache", () => {
  it("are read as hex or base64, by comma or by line, with comments, and one wrong one refuses all", () => {
    const hex = "01".repeat(32)
    const base64 = Buffer.from(filled(32, 1)).toString("base64")
    const idsOf = (text: string) => readCacheKeys(text)?.map(({ id }) => id)
    assert.deepStrictEqual(idsOf(hex), [one.id])
    assert.deepStrictEqual(idsOf(base64), [one.id])
    assert.deepStrictEqual(idsOf(`# newest first\n${base64}  # since May\n\n${"02".repeat(32)}\n`), [one.id, two.id])
    assert.deepStrictEqual(idsOf(`${hex}, ${"02".repeat(32)}`), [one.id, two.id])
    for (const bad of ["", "# none", "short", hex.slice(2), `${hex}00`, `${hex},x`, base64.slice(1)]) {
      assert.isUndefined(readCacheKeys(bad), bad)
    }
  })

  it("have ids that are theirs and give nothing away, and secrets that don't show", () => {
    assert.match(one.id, /^[0-9a-f]{16}$/)
    assert.notStrictEqual(one.id, two.id)
    assert.notInclude(JSON.stringify(one), "1,1,1")
    assert.notInclude(String(one.secret), "1,1,1")
  })

  it("come from a cluster key however its PEM is written, and differ between cluster keys", () => {
    const derived = cacheKeyFromCluster(leafKey)
    const key = createPrivateKey(leafKey)
    assert.strictEqual(cacheKeyFromCluster(key.export({ type: "pkcs8", format: "pem" }).toString()).id, derived.id)
    const other = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey
    const [pkcs8, sec1] = (["pkcs8", "sec1"] as const).map((type) => other.export({ type, format: "pem" }).toString())
    assert.strictEqual(cacheKeyFromCluster(pkcs8 ?? "").id, cacheKeyFromCluster(sec1 ?? "").id)
    assert.notStrictEqual(cacheKeyFromCluster(pkcs8 ?? "").id, derived.id)
    assert.throws(() => cacheKeyFromCluster("-----BEGIN PRIVATE KEY-----\nnonsense\n-----END PRIVATE KEY-----"))
  })
})
