/** Exporting to object storage: reference `resilience.md` §5.1, §5.3 and §5.4, and what Holdfast does beyond it. */
import { gunzipSync, gzipSync } from "node:zlib"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Scope } from "effect"
import { TestClock } from "effect/testing"
import { decodeCachedTable } from "../../../src/model/CachedTable.ts"
import { verification } from "../../../src/model/ConfigStatement.ts"
import { EnvelopeProtectionError } from "../../../src/services/EnvelopeProtection.ts"
import { exportView } from "../../../src/services/export/ExportStatus.ts"
import { ExportFailed } from "../../../src/services/export/exportOnce.ts"
import { make, type StoreFault } from "../../../src/testing/MemoryObjectStore.ts"
import { publicKeyOf } from "../../support/configTrust.ts"
import { configOf, firstEpoch, secondEpoch, startExporter } from "../../support/exporting.ts"
import { settle } from "../../support/live.ts"
import { bomb, longestParsed } from "../../support/parsedSizes.ts"
import { table } from "../../support/tables.ts"

const pass = (ms: number) => Effect.andThen(TestClock.adjust(ms), settle)

const keys = {
  plain: "3.9.0.0/config.json",
  envelope: "3.9.0.0/envelope.json.gz",
  latest: "latest.json.gz"
}

type Bucket = ReturnType<typeof make>

const sequenceIn = (bytes: Uint8Array | undefined): number | undefined => {
  if (bytes === undefined) return undefined
  const decoded = decodeCachedTable(gunzipSync(bytes).toString())
  return decoded._tag === "Right" ? decoded.sequence : undefined
}

/** The number of what lies in each of the two envelopes, and the path of the plain table. */
const lying = ({ hand }: Bucket) => [
  sequenceIn(hand.get(keys.envelope)),
  sequenceIn(hand.get(keys.latest)),
  hand.get(keys.plain) === undefined
    ? undefined
    : JSON.parse(Buffer.from(hand.get(keys.plain) ?? "").toString()).routes?.[0]?.paths[0]
]

const writesTo = (bucket: Bucket, key: string) =>
  bucket.calls().filter(({ operation, path }) => operation === "write" && path === key).length

const always = (fault: StoreFault | undefined) => (fault === undefined ? {} : { faultOf: () => fault })

describe("an export", () => {
  it.effect("writes the plain table as Kong has it, and the envelope for this version and for all (§5.3)", () =>
    Effect.gen(function* () {
      const bucket = make()
      const node = yield* startExporter(bucket.client())
      yield* node.give(configOf(7))
      assert.deepEqual(lying(bucket), [7, 7, "/7"])
      assert.deepEqual(JSON.parse(Buffer.from(bucket.hand.get(keys.plain) ?? "").toString()), table("/7"))
      assert.deepEqual(bucket.hand.get(keys.latest), bucket.hand.get(keys.envelope))
      const [event] = node.events
      assert.deepInclude(event, { message: "configuration exported", level: "info" })
      assert.deepEqual(event?.fields, {
        place: "memory://bucket",
        hash: configOf(7).hash,
        tookMs: 0,
        wrote: [keys.envelope, keys.plain, keys.latest]
      })
      assert.deepInclude(node.facts(), { exports: 1, failures: 0, problem: undefined })
    })
  )

  it.effect("comes at once, and within the delay only for the newest: A, then B, C, D: B and C skipped (§5.1)", () =>
    Effect.gen(function* () {
      const bucket = make()
      const node = yield* startExporter(bucket.client())
      const exported = () => node.events.filter(({ message }) => message === "configuration exported").length
      yield* node.give(configOf(1))
      assert.deepEqual(lying(bucket), [1, 1, "/1"])
      for (const sequence of [2, 3, 4]) {
        yield* pass(10_000)
        yield* node.give(configOf(sequence))
      }
      yield* pass(29_000)
      assert.deepEqual(lying(bucket), [1, 1, "/1"])
      yield* pass(1_500)
      assert.deepEqual(lying(bucket), [4, 4, "/4"])
      assert.strictEqual(exported(), 2)
      yield* pass(61_000)
      yield* node.give(configOf(5))
      assert.deepEqual(lying(bucket), [5, 5, "/5"], "long enough ago: at once")
    })
  )

  it.effect("holds up nobody: a store that never answers takes none of those who have something new", () =>
    Effect.gen(function* () {
      const bucket = make()
      bucket.become(always({ _tag: "Slow", beforeMs: 40_000 }))
      const node = yield* startExporter(bucket.client())
      for (const sequence of [1, 2, 3]) yield* node.give(configOf(sequence))
      bucket.become({})
      yield* pass(200_000)
      yield* pass(200_000)
      assert.deepEqual(lying(bucket), [3, 3, "/3"])
    })
  )

  it.effect("tells a failure once, tries again with growing pauses, and the newest then", () =>
    Effect.gen(function* () {
      const bucket = make()
      bucket.become(always({ _tag: "Fails", trouble: "unavailable" }))
      const node = yield* startExporter(bucket.client())
      yield* node.give(configOf(1))
      for (let n = 0; n < 60; n++) yield* pass(10_000)
      assert.deepEqual(node.messages(), ["configuration can't be exported; trying again"])
      assert.deepInclude(node.events[0]?.fields, { cause: "write conditional-write-check: 503 SlowDown" })
      const attempts = node.facts()?.problem?.attempts ?? 0
      assert.isAtLeast(attempts, 12)
      assert.isAtMost(attempts, 30, "ten minutes, a minute between two of them in the end")
      yield* node.give(configOf(2))
      bucket.become({})
      yield* pass(60_000)
      assert.deepEqual(lying(bucket), [2, 2, "/2"])
      assert.deepEqual(node.messages().slice(1), ["configuration exported"])
      assert.isUndefined(node.facts()?.problem)
    })
  )

  it.effect("goes on with what a person has to mend, slower", () =>
    Effect.gen(function* () {
      const bucket = make()
      bucket.become(always({ _tag: "Fails", trouble: "denied" }))
      const node = yield* startExporter(bucket.client())
      yield* node.give(configOf(1))
      yield* pass(29_000)
      assert.strictEqual(node.facts()?.problem?.attempts, 1)
      bucket.become({})
      yield* pass(31_000)
      assert.deepEqual(lying(bucket), [1, 1, "/1"])
    })
  )

  it.effect("is not tried again when the configuration is at fault, and the next one is", () =>
    Effect.gen(function* () {
      const bucket = make()
      const node = yield* startExporter(bucket.client())
      yield* node.give(Effect.fail(new ExportFailed({ message: "expected less", isFinal: true })))
      yield* pass(600_000)
      assert.deepEqual(node.messages(), ["configuration can't be exported"])
      assert.strictEqual(node.facts()?.problem?.attempts, 1)
      yield* node.give(configOf(2))
      assert.deepEqual(lying(bucket), [2, 2, "/2"])
    })
  )

  it.effect("finds what it wrote when the answer was lost, and writes it once", () =>
    Effect.gen(function* () {
      const bucket = make()
      let isLost = false
      bucket.become({
        faultOf: ({ operation, path }) => {
          if (isLost || operation !== "write" || path !== keys.envelope) return undefined
          isLost = true
          return { _tag: "LosesAnswer" }
        }
      })
      const node = yield* startExporter(bucket.client())
      yield* node.give(configOf(1))
      yield* pass(5_000)
      assert.deepEqual(lying(bucket), [1, 1, "/1"])
      assert.strictEqual(writesTo(bucket, keys.envelope), 1)
    })
  )

  it.effect("reads back what it wrote (§5.5): a store that mangles it is in trouble", () =>
    Effect.gen(function* () {
      const bucket = make()
      bucket.become({
        faultOf: ({ operation, path }) =>
          operation === "read" && path === keys.envelope
            ? { _tag: "Lies", as: (bytes) => bytes.subarray(0, bytes.length - 9) }
            : undefined
      })
      const node = yield* startExporter(bucket.client())
      yield* node.give(configOf(1))
      for (let n = 0; n < 10; n++) yield* pass(500)
      assert.include(node.facts()?.problem?.reason, "does not read as it was written")
      assert.isUndefined(bucket.hand.get(keys.latest), "nothing goes on over it")
      bucket.become({})
      yield* pass(60_000)
      assert.deepEqual(lying(bucket), [1, 1, "/1"])
    })
  )

  it.effect("is made once more at a stop, within 5 s, when something is owed", () =>
    Effect.gen(function* () {
      const bucket = make()
      const scope = yield* Scope.make()
      const node = yield* startExporter(bucket.client()).pipe(Scope.provide(scope))
      yield* node.give(configOf(1))
      yield* node.give(configOf(2))
      assert.deepEqual(lying(bucket), [1, 1, "/1"])
      yield* Scope.close(scope, Exit.void)
      assert.deepEqual(lying(bucket), [2, 2, "/2"])
      assert.deepEqual(node.messages(), ["configuration exported", "configuration exported"])
      assert.strictEqual(exportView(node.facts()).state, "ok")
    })
  )

  it.effect("is abandoned at a stop when the store does not answer, which is told; until then it is under way", () =>
    Effect.gen(function* () {
      const bucket = make()
      const scope = yield* Scope.make()
      const node = yield* startExporter(bucket.client()).pipe(Scope.provide(scope))
      assert.strictEqual(exportView(node.facts()).state, "idle")
      bucket.become(always({ _tag: "Slow", beforeMs: 3_600_000 }))
      yield* node.give(configOf(1))
      assert.strictEqual(exportView(node.facts()).state, "exporting")
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void), { startImmediately: true })
      yield* settle
      yield* pass(4_900)
      assert.isUndefined(closing.pollUnsafe())
      assert.deepEqual(node.messages(), [])
      yield* pass(200)
      assert.isDefined(closing.pollUnsafe())
      yield* Fiber.await(closing)
      assert.deepEqual(node.messages(), ["stopping without the export that is owed"])
    })
  )
})

describe("what lies there already", () => {
  const given = (bucket: Bucket, ...sequences: ReadonlyArray<number>) =>
    Effect.gen(function* () {
      const other = yield* startExporter(bucket.client({ name: "other" }), {
        given: { cluster_fallback_config_export_delay: "0" }
      })
      for (const sequence of sequences) yield* other.give(configOf(sequence))
    })

  it.effect("stays when it is newer, which is told once (faults.md: nothing older replaces newer)", () =>
    Effect.gen(function* () {
      const bucket = make()
      yield* given(bucket, 5)
      const node = yield* startExporter(bucket.client(), { given: { cluster_fallback_config_export_delay: "0" } })
      for (const sequence of [3, 4, 4]) yield* node.give(configOf(sequence))
      assert.deepEqual(lying(bucket), [5, 5, "/5"])
      assert.deepEqual(node.messages(), ["configuration not exported: a newer one lies there"])
      assert.include(node.facts()?.notExported?.reason, "sequence 5")
      yield* node.give(configOf(6))
      assert.deepEqual(lying(bucket), [6, 6, "/6"])
    })
  )

  it.effect("is not written again when it is the same", () =>
    Effect.gen(function* () {
      const bucket = make()
      yield* given(bucket, 5)
      const node = yield* startExporter(bucket.client())
      yield* node.give(configOf(5))
      assert.strictEqual(
        writesTo(bucket, keys.envelope) + writesTo(bucket, keys.latest) + writesTo(bucket, keys.plain),
        3
      )
      assert.deepEqual(node.messages(), [])
    })
  )

  it.effect(
    "gets the newer number when the content is the same, for something in between must not take its place",
    () =>
      Effect.gen(function* () {
        const bucket = make()
        yield* given(bucket, 1)
        const node = yield* startExporter(bucket.client())
        yield* node.give(configOf(3, { raw: table("/1") }))
        assert.deepEqual(lying(bucket), [3, 3, "/1"])
        const late = yield* startExporter(bucket.client())
        yield* late.give(configOf(2))
        assert.deepEqual(lying(bucket), [3, 3, "/1"])
      })
  )

  it.effect("is replaced, aloud, when it is torn, altered or no configuration at all", () =>
    Effect.gen(function* () {
      const bucket = make()
      yield* given(bucket, 9)
      const whole = bucket.hand.get(keys.envelope) ?? new Uint8Array()
      const altered = gzipSync(gunzipSync(whole).toString().replace("/9", "/x"))
      for (const [n, bytes] of [whole.subarray(0, 50), altered, Buffer.from("hello"), gzipSync("{}")].entries()) {
        bucket.hand.put(keys.envelope, bytes)
        bucket.hand.put(keys.latest, bytes)
        const node = yield* startExporter(bucket.client())
        yield* node.give(configOf(n + 1))
        assert.deepEqual(lying(bucket), [n + 1, n + 1, `/${n + 1}`])
        assert.include(node.messages(), "an object that said nothing of use was replaced by the export")
      }
    })
  )

  it.effect("is replaced when it is not written as an exporter writes it, as by `jq`, and is never parsed", () =>
    Effect.gen(function* () {
      const bucket = make()
      yield* given(bucket, 5)
      const whole = gunzipSync(bucket.hand.get(keys.latest) ?? "").toString()
      const provenance = whole.slice(whole.indexOf('"_holdfast":'))
      for (const text of [
        JSON.stringify(JSON.parse(whole), null, 2),
        bomb(50_000),
        `${bomb(50_000).slice(0, -1)},${provenance}`,
        `{"_holdfast":${bomb(50_000)}}`
      ]) {
        for (const key of [keys.latest, keys.envelope]) bucket.hand.put(key, gzipSync(text))
        const node = yield* startExporter(bucket.client())
        assert.isAtMost(yield* longestParsed(node.give(configOf(4))), 64 * 1024)
        assert.deepEqual(lying(bucket), [4, 4, "/4"])
        assert.include(node.messages(), "an object that said nothing of use was replaced by the export")
      }
    })
  )

  it.effect("is left alone when a newer Holdfast wrote it", () =>
    Effect.gen(function* () {
      const bucket = make()
      yield* given(bucket, 5)
      const text = gunzipSync(bucket.hand.get(keys.latest) ?? "").toString()
      const foreign = gzipSync(text.replace(/"readable_by":\d+/, '"readable_by":99'))
      bucket.hand.put(keys.latest, foreign)
      const node = yield* startExporter(bucket.client())
      yield* node.give(configOf(6))
      assert.deepEqual(bucket.hand.get(keys.latest), new Uint8Array(foreign))
      assert.deepEqual([lying(bucket)[0], lying(bucket)[2]], [6, "/6"])
      assert.include(node.facts()?.notExported?.reason, "latest.json.gz is left alone")
    })
  )

  it.effect("counts only if somebody trusted has signed it, where signatures are asked for", () =>
    Effect.gen(function* () {
      const bucket = make()
      const trust = {
        isVouchedFor: (attestation: ReturnType<typeof configOf>["attestation"] | undefined) =>
          Effect.succeed(
            attestation !== undefined &&
              verification(attestation, { publicKeys: [publicKeyOf(1)], sealKeys: [] })._tag === "verified"
          )
      }
      const forger = yield* startExporter(bucket.client())
      yield* forger.give(configOf(99, { seed: 2 }))
      const node = yield* startExporter(bucket.client(), { trust })
      yield* node.give(configOf(1, { seed: 1 }))
      assert.deepEqual(lying(bucket), [1, 1, "/1"])
      // A good statement over other content is no better.
      const good = gunzipSync(bucket.hand.get(keys.latest) ?? "").toString()
      for (const key of [keys.latest, keys.envelope]) bucket.hand.put(key, gzipSync(good.replace("/1", "/evil")))
      const again = yield* startExporter(bucket.client(), { trust })
      yield* again.give(configOf(1, { seed: 1 }))
      assert.deepEqual(lying(bucket), [1, 1, "/1"])
    })
  )

  const nothingAtAll = { raw: { _format_version: "3.0", workspaces: [{ id: "w", name: "default" }] } }

  it.effect("is not replaced by an empty configuration, but by one that was emptied in the same epoch", () =>
    Effect.gen(function* () {
      const bucket = make()
      const fresh = yield* startExporter(bucket.client())
      yield* fresh.give(configOf(0, nothingAtAll))
      assert.deepEqual(lying(bucket), [undefined, undefined, undefined])
      yield* given(bucket, 5)
      const restored = yield* startExporter(bucket.client())
      yield* restored.give(configOf(1, { ...nothingAtAll, epoch: secondEpoch }))
      assert.deepEqual(lying(bucket), [5, 5, "/5"])
      assert.deepEqual(restored.messages(), ["configuration not exported"])
      const emptied = yield* startExporter(bucket.client())
      yield* emptied.give(configOf(6, { ...nothingAtAll, epoch: firstEpoch }))
      assert.deepEqual(lying(bucket).slice(0, 2), [6, 6])
    })
  )
})

describe("a store without conditional writes", () => {
  for (const expectations of ["ignored", "refused"] as const) {
    it.effect(`is found out when they are ${expectations}, and nothing is exported`, () =>
      Effect.gen(function* () {
        const bucket = make()
        bucket.become({ expectations })
        const node = yield* startExporter(bucket.client())
        yield* node.give(configOf(1))
        yield* pass(300_000)
        assert.deepEqual(lying(bucket), [undefined, undefined, undefined])
        assert.deepEqual(node.messages(), ["configuration can't be exported; trying again"])
        assert.strictEqual(node.facts()?.problem?.trouble, "unsupported")
        bucket.become({})
        yield* pass(60_000)
        assert.deepEqual(lying(bucket), [1, 1, "/1"])
      })
    )

    it.effect(`is written to all the same when the setting says so (${expectations})`, () =>
      Effect.gen(function* () {
        const bucket = make()
        bucket.become({ expectations })
        const node = yield* startExporter(bucket.client(), {
          given: { cluster_fallback_config_export_conditional: "off" }
        })
        yield* node.give(configOf(1))
        assert.deepEqual(lying(bucket), [1, 1, "/1"])
        assert.notInclude(bucket.hand.paths(), "conditional-write-check")
      })
    )
  }

  it.effect("is found out when it refuses to write over nothing, and ignores what lay there", () =>
    Effect.gen(function* () {
      const bucket = make()
      const honest = bucket.client()
      const store = {
        ...honest,
        write: (key: string, object: Parameters<typeof honest.write>[1]) =>
          honest.write(key, object.expects._tag === "Unchanged" ? { ...object, expects: { _tag: "Anything" } } : object)
      }
      const node = yield* startExporter(store)
      yield* node.give(configOf(1))
      assert.include(node.facts()?.problem?.reason, "what lay there before")
      const second = yield* startExporter(store)
      yield* second.give(configOf(1))
      assert.strictEqual(second.facts()?.problem?.trouble, "unsupported", "also where the object is from before")
    })
  )
})

describe("an encrypted export", () => {
  const flip = (bytes: Uint8Array) => Uint8Array.from(bytes, (byte) => byte ^ 0x55)
  const header = Buffer.from("age-encryption.org/v1\n")
  /** As one that knows only whom it encrypts to. */
  const writeOnly = () => {
    let count = 0
    return {
      isEncrypting: true,
      protect: (bytes: Uint8Array) => Effect.sync(() => Buffer.concat([header, Buffer.from([++count]), flip(bytes)])),
      unprotect: () => Effect.fail(new EnvelopeProtectionError({ message: "no key" }))
    }
  }
  const sequenceOf = (bytes: Uint8Array | undefined) => bytes && sequenceIn(flip(bytes.subarray(header.length + 1)))

  it.effect(
    "has nothing in plain but how old it is, and nothing older replaces anything newer though nobody can read",
    () =>
      Effect.gen(function* () {
        const bucket = make()
        const node = yield* startExporter(bucket.client(), { protection: writeOnly() })
        yield* node.give(configOf(5))
        assert.sameMembers(bucket.hand.paths().slice(), [
          "conditional-write-check",
          "3.9.0.0/envelope.standing.json",
          keys.envelope,
          "latest.standing.json",
          keys.latest
        ])
        for (const path of bucket.hand.paths()) {
          const text = Buffer.from(bucket.hand.get(path) ?? "").toString("latin1")
          assert.notInclude(text, "127.0.0.1")
          assert.notInclude(text, '/5"')
        }
        const late = yield* startExporter(bucket.client(), { protection: writeOnly() })
        yield* late.give(configOf(4))
        assert.deepEqual(
          [keys.envelope, keys.latest].map((key) => sequenceOf(bucket.hand.get(key))),
          [5, 5]
        )
        const newer = yield* startExporter(bucket.client(), { protection: writeOnly() })
        yield* newer.give(configOf(6))
        assert.deepEqual(
          [keys.envelope, keys.latest].map((key) => sequenceOf(bucket.hand.get(key))),
          [6, 6]
        )
      })
  )

  it.effect("is left alone by an exporter that does not encrypt, older or newer, which is told", () =>
    Effect.gen(function* () {
      const bucket = make()
      yield* (yield* startExporter(bucket.client(), { protection: writeOnly() })).give(configOf(5))
      for (const sequence of [3, 7]) {
        const plain = yield* startExporter(bucket.client())
        yield* plain.give(configOf(sequence))
        assert.deepEqual(
          [keys.envelope, keys.latest].map((key) => sequenceOf(bucket.hand.get(key))),
          [5, 5]
        )
        assert.isUndefined(bucket.hand.get(keys.plain))
        assert.deepEqual(plain.messages(), ["configuration not exported"])
        assert.include(plain.facts()?.notExported?.reason, "it is encrypted, and this exporter does not encrypt")
      }
    })
  )

  it.effect("takes the place of what lies there in plain, unless that is newer", () =>
    Effect.gen(function* () {
      const bucket = make()
      yield* (yield* startExporter(bucket.client())).give(configOf(5))
      const late = yield* startExporter(bucket.client(), { protection: writeOnly() })
      yield* late.give(configOf(4))
      assert.deepEqual(lying(bucket).slice(0, 2), [5, 5])
      assert.deepEqual(late.messages(), ["configuration not exported: a newer one lies there"])
      for (const sequence of [5, 6]) {
        const node = yield* startExporter(bucket.client(), { protection: writeOnly() })
        yield* node.give(configOf(sequence))
        assert.deepEqual(
          [keys.envelope, keys.latest].map((key) => sequenceOf(bucket.hand.get(key))),
          [sequence, sequence]
        )
      }
    })
  )

  it.effect("does not parse a standing that is no such thing", () =>
    Effect.gen(function* () {
      const bucket = make()
      bucket.hand.put("latest.standing.json", Buffer.from(bomb(50_000)))
      const node = yield* startExporter(bucket.client(), { protection: writeOnly() })
      assert.isAtMost(yield* longestParsed(node.give(configOf(5))), 64 * 1024)
      assert.strictEqual(sequenceOf(bucket.hand.get(keys.latest)), 5)
    })
  )
})
