/** The rung of object storage: reference `resilience.md` §5.3 to §5.5. */
import { gunzipSync, gzipSync } from "node:zlib"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Fiber, Layer, SubscriptionRef } from "effect"
import { TestClock } from "effect/testing"
import { objectStorageRungs } from "../../../src/layers/object-storage-rung/ObjectStorageRung.ts"
import { encodeCachedTable } from "../../../src/model/CachedTable.ts"
import { hashTable } from "../../../src/model/ConfigHash.ts"
import type { Row } from "../../../src/model/Entity.ts"
import { describeTable } from "../../../src/model/TableContent.ts"
import { CompressionError } from "../../../src/services/Compression.ts"
import { ConfigEncoding } from "../../../src/services/ConfigEncoding.ts"
import type { ConfigTrust } from "../../../src/services/ConfigTrust.ts"
import { serveRung } from "../../../src/services/Ladder.ts"
import { LiveConfig } from "../../../src/services/LiveConfig.ts"
import { ConfigStorage } from "../../../src/services/ObjectStore.ts"
import type { Rung } from "../../../src/services/Rung.ts"
import { type MemoryObjectStore, make } from "../../../src/testing/MemoryObjectStore.ts"
import { rungConformance } from "../../conformance/rung.ts"
import { signed as statementOf } from "../../support/configTrust.ts"
import { configOf, type ExportingStart, exportingLayer } from "../../support/exporting.ts"
import { joined, liveLayerFor } from "../../support/live.ts"
import type { LoggedEvent } from "../../support/logged.ts"
import { table } from "../../support/tables.ts"

const key = {
  plain: "3.9.0.0/config.json",
  envelope: "3.9.0.0/envelope.json.gz",
  latest: "latest.json.gz"
}

const importing = { cluster_fallback_config_import: "on", cluster_fallback_config_storage: "s3://bucket" }

/** In the caller's scope: a life of a node that asks this bucket. */
const start = Effect.fnUntraced(function* (
  bucket: MemoryObjectStore,
  { given = importing, ...start }: ExportingStart = {}
) {
  const events: Array<LoggedEvent> = []
  const layer = liveLayerFor({ ...joined, ...given }).pipe(
    Layer.provideMerge(exportingLayer({ given, ...start }, events)),
    Layer.provideMerge(Layer.succeed(ConfigStorage, bucket.client()))
  )
  const context = yield* Layer.build(layer)
  const rungs = yield* Effect.provide(objectStorageRungs, context)
  const live = Context.get(context, LiveConfig)
  const [rung = assert.fail("there is a rung")] = rungs.length === 0 ? [{} as Rung] : rungs
  return {
    events,
    rungs,
    rung,
    live,
    reads: () => bucket.calls().filter(({ operation }) => operation === "read").length,
    rejections: () => events.filter(({ message }) => message.startsWith("configuration rejected")),
    climb: serveRung(live, rung).pipe(Effect.provide(context)),
    state: SubscriptionRef.get(live.state)
  }
})

const encoded = (config: Parameters<ConfigEncoding["Service"]["encoded"]>[0], given = {}) =>
  Effect.flatMap(ConfigEncoding, (encoding) => encoding.encoded(config)).pipe(
    Effect.provide(exportingLayer({ given }, []))
  )

const putEnvelope = (bucket: MemoryObjectStore, at: string, sequence: number, given = {}) =>
  Effect.map(encoded(configOf(sequence), given), (bytes) => bucket.hand.put(at, bytes))

const putPlain = (bucket: MemoryObjectStore, raw: unknown) =>
  bucket.hand.put(key.plain, Buffer.from(JSON.stringify(raw)))

const offerWithoutAge = (raw: Row) => ({ raw, hash: hashTable(raw).config, receivedAtMs: 0 })

const bad = { services: [{ name: "no host" }] }

rungConformance(
  "object storage",
  false,
  Effect.sync(() => {
    const bucket = make()
    const put = (raw: Row) =>
      Effect.sync(() => {
        const origin = { hash: "d".repeat(32), source: "control_plane", receivedAtMs: 0 }
        bucket.hand.put(key.latest, gzipSync(encodeCachedTable(describeTable(raw), origin)))
      })
    return {
      source: "object_storage",
      start: Effect.map(Effect.scoped(start(bucket)), ({ rung }) => rung),
      put,
      damage: Effect.sync(() => {
        const whole = bucket.hand.get(key.latest) ?? new Uint8Array()
        bucket.hand.put(key.latest, whole.subarray(0, whole.length / 2))
      }),
      remove: Effect.sync(() => bucket.hand.remove(key.latest)),
      keepsRefused: true
    }
  })
)

describe("importing from object storage", () => {
  it.effect("is off unless the setting is on (§5.1)", () =>
    Effect.gen(function* () {
      const node = yield* start(make(), {
        given: { ...importing, cluster_fallback_config_import: "off", cluster_fallback_config_export: "on" }
      })
      assert.lengthOf(node.rungs, 0)
    })
  )

  it.effect("takes the latest, else the envelope of its version, else the plain table", () =>
    Effect.gen(function* () {
      const bucket = make()
      putPlain(bucket, table("/kong"))
      assert.strictEqual((yield* (yield* start(bucket)).climb)._tag, "Serves")
      const routes = Effect.fnUntraced(function* () {
        const node = yield* start(bucket)
        yield* node.climb
        const { snapshot, source } = yield* node.state
        assert.strictEqual(source, "object_storage")
        return (snapshot?.raw.routes as ReadonlyArray<Row> | undefined)?.[0]?.paths
      })
      assert.deepEqual(yield* routes(), ["/kong"])
      yield* putEnvelope(bucket, key.envelope, 3)
      assert.deepEqual(yield* routes(), ["/3"])
      yield* putEnvelope(bucket, key.latest, 4)
      assert.deepEqual(yield* routes(), ["/4"])
      yield* putEnvelope(bucket, key.envelope, 5)
      assert.deepEqual(yield* routes(), ["/5"], "an export that was broken off before the latest: the newer one counts")
    })
  )

  it.effect("takes Kong's object in any of the forms that it may have", () =>
    Effect.gen(function* () {
      const raw = table("/kong")
      const message = { type: "reconfigure", timestamp: 1, config_table: raw, config_hash: "a".repeat(32) }
      for (const text of [raw, message])
        for (const bytes of [Buffer.from(JSON.stringify(text)), gzipSync(JSON.stringify(text))]) {
          const bucket = make()
          bucket.hand.put(key.plain, bytes)
          const node = yield* start(bucket)
          yield* node.climb
          const { snapshot } = yield* node.state
          assert.deepEqual(snapshot?.raw, raw)
          assert.strictEqual(snapshot?.hash, hashTable(raw).config, "not what anybody may call it")
        }
    })
  )

  it.effect("refuses what is torn, altered, foreign or for another version, with the reason, and takes the next", () =>
    Effect.gen(function* () {
      const whole = yield* encoded(configOf(9))
      const other = yield* encoded(configOf(9), { kong_version: "4.0.0" })
      const text = gunzipSync(whole).toString()
      const cases = [
        ["gzip", whole.subarray(0, 80)],
        ["gzip", Buffer.from("hello")],
        ["json", gzipSync("[1]")],
        ["digest", gzipSync(text.replace("/9", "/x"))],
        ["format", gzipSync(text.replace(/"readable_by":\d+/, '"readable_by":99'))],
        ["version", other],
        ["schema", gzipSync(JSON.stringify(bad))]
      ] as const
      for (const [stage, bytes] of cases) {
        const bucket = make()
        bucket.hand.put(key.latest, bytes)
        yield* putEnvelope(bucket, key.envelope, 3)
        const node = yield* start(bucket)
        assert.strictEqual((yield* node.climb)._tag, "Serves", stage)
        assert.deepEqual(
          node.rejections().map(({ fields }) => fields.stage),
          [stage]
        )
        assert.include(String(node.rejections()[0]?.fields.reasons), "memory://bucket/latest.json.gz")
      }
    })
  )

  it.effect("tells what was refused once, fetches it less and less often, and takes it once it changes", () =>
    Effect.gen(function* () {
      const bucket = make()
      bucket.hand.put(key.latest, Buffer.from("hello"))
      const node = yield* start(bucket)
      for (let n = 0; n < 60; n++) {
        assert.strictEqual((yield* node.climb)._tag, "PassedOver")
        yield* TestClock.adjust(10_000)
      }
      assert.lengthOf(node.rejections(), 1)
      const { passedOver } = yield* node.state
      assert.include(passedOver[0]?.reasons.join(), "latest.json.gz: expected gzip")
      const latestReads = bucket.calls().filter(({ path }) => path === key.latest).length
      assert.isAtMost(latestReads, 15, "600 s: after 10, 20, 40 s, then each minute")
      yield* putEnvelope(bucket, key.latest, 7)
      yield* TestClock.adjust(60_000)
      assert.strictEqual((yield* node.climb)._tag, "Serves")
    })
  )

  it.effect("does not refuse the same content once for each object that holds it", () =>
    Effect.gen(function* () {
      const bucket = make()
      const bytes = yield* encoded(configOf(1, { raw: bad }))
      const plain = Buffer.from(`${describeTable(bad).text} \t \n`)
      bucket.hand.put(key.latest, bytes)
      bucket.hand.put(key.envelope, bytes)
      bucket.hand.put(key.plain, plain)
      const node = yield* start(bucket)
      yield* node.climb
      assert.lengthOf(node.rejections(), 1)
      assert.include((yield* node.state).passedOver[0]?.reasons.join(), "the same content was refused already")
    })
  )

  it.effect("takes the same content from the next object when only the first one's signature was bad", () =>
    Effect.gen(function* () {
      const bucket = make()
      bucket.hand.put(key.latest, yield* encoded(configOf(1)))
      bucket.hand.put(key.envelope, yield* encoded(configOf(1, { seed: 1 })))
      const trust: Partial<typeof ConfigTrust.Service> = {
        judge: ({ attestation }) =>
          Effect.succeed(
            (attestation?.signatures.length ?? 0) > 0
              ? undefined
              : { faults: [{ path: [], message: "nobody signed it" }], mayServeYet: true }
          )
      }
      const node = yield* start(bucket, { trust })
      assert.strictEqual((yield* node.climb)._tag, "Serves")
      assert.lengthOf(node.rejections(), 1)
    })
  )

  it.effect("says the store's own words, asks on where only one object is denied, and fills no log", () =>
    Effect.gen(function* () {
      const bucket = make()
      putPlain(bucket, table("/kong"))
      bucket.become({ faultOf: () => ({ _tag: "Fails", trouble: "unavailable" }) })
      const node = yield* start(bucket)
      for (let n = 0; n < 3; n++) yield* node.climb
      assert.deepEqual((yield* node.state).passedOver, [
        { source: "object_storage", reasons: ["memory://bucket: latest.json.gz: 503 SlowDown"] }
      ])
      assert.strictEqual(node.reads(), 3, "one object each time: the others have the same store")
      assert.lengthOf(node.rejections(), 0)
      bucket.become({
        faultOf: ({ path }) => (path === key.plain ? undefined : { _tag: "Fails", trouble: "denied" })
      })
      assert.strictEqual((yield* node.climb)._tag, "Serves", "S3 says 403 of what is not there to whoever may not list")
    })
  )

  it.effect("does not let a slow second object keep the first one from serving", () =>
    Effect.gen(function* () {
      const bucket = make()
      yield* putEnvelope(bucket, key.latest, 4)
      yield* putEnvelope(bucket, key.envelope, 3)
      bucket.become({ faultOf: ({ path }) => (path === key.envelope ? { _tag: "Slow", beforeMs: 29_000 } : undefined) })
      const node = yield* start(bucket)
      const climbing = yield* Effect.forkChild(node.climb, { startImmediately: true })
      yield* TestClock.adjust(6_000)
      assert.strictEqual((yield* Fiber.join(climbing))._tag, "Serves")
    })
  )

  it.effect("offers the first one without the second when reading it took nearly all of the patience", () =>
    Effect.gen(function* () {
      const bucket = make()
      yield* putEnvelope(bucket, key.latest, 4)
      yield* putEnvelope(bucket, key.envelope, 3)
      bucket.become({ faultOf: () => ({ _tag: "Slow", beforeMs: 26_000 }) })
      const node = yield* start(bucket)
      const climbing = yield* Effect.forkChild(node.climb, { startImmediately: true })
      yield* TestClock.adjust(26_500)
      assert.isDefined(climbing.pollUnsafe())
      assert.strictEqual((yield* Fiber.join(climbing))._tag, "Serves")
    })
  )

  it.effect("tries again after a while what other keys or another day would let serve", () =>
    Effect.gen(function* () {
      const bucket = make()
      yield* putEnvelope(bucket, key.latest, 4)
      let isTrusted = false
      const distrust = { faults: [{ path: [], message: "sealed by a key that is not at hand" }], mayServeYet: true }
      const node = yield* start(bucket, {
        trust: { judge: () => Effect.sync(() => (isTrusted ? undefined : distrust)) }
      })
      for (let n = 0; n < 29; n++) {
        assert.strictEqual((yield* node.climb)._tag, "PassedOver")
        yield* TestClock.adjust(10_000)
      }
      assert.lengthOf(node.rejections(), 1, "told once within five minutes")
      isTrusted = true
      yield* TestClock.adjust(10_000)
      assert.strictEqual((yield* node.climb)._tag, "Serves")
    })
  )

  it.effect("does not take want of memory for a verdict", () =>
    Effect.gen(function* () {
      const bucket = make()
      yield* putEnvelope(bucket, key.latest, 4)
      putPlain(bucket, table("/plain"))
      let isShort = true
      const node = yield* start(bucket, {
        compression: (known) => ({
          ...known,
          gunzip: (bytes, maxBytes) =>
            Effect.suspend(() =>
              isShort
                ? Effect.fail(new CompressionError({ reason: "noMemory", message: "out of memory" }))
                : known.gunzip(bytes, maxBytes)
            )
        })
      })
      assert.strictEqual((yield* node.climb)._tag, "PassedOver")
      assert.lengthOf(node.rejections(), 0)
      isShort = false
      assert.strictEqual((yield* node.climb)._tag, "Serves")
    })
  )

  it.effect("does not offer what is older than what serves, and fetches it ever less often", () =>
    Effect.gen(function* () {
      const bucket = make()
      yield* putEnvelope(bucket, key.latest, 5)
      yield* putEnvelope(bucket, key.envelope, 5)
      putPlain(bucket, table("/5"))
      const given = { ...importing, config_sources: "control_plane,object_storage,disk,declarative_file" }
      const node = yield* start(bucket, { given })
      yield* node.live.apply({ ...configOf(6), source: "disk" })
      for (let n = 0; n < 60; n++) {
        assert.strictEqual((yield* node.climb)._tag, "PassedOver")
        yield* TestClock.adjust(5_000)
      }
      assert.isAtMost(node.reads(), 20, "300 s: two objects after 10, 20, 40 s, then each minute")
      assert.notInclude(node.events.map(({ message }) => message).join(), "left aside")
      const { snapshot, passedOver } = yield* node.state
      assert.strictEqual(snapshot?.sequence, 6, "the plain table, which says nothing of its age, is not taken either")
      assert.include(passedOver[0]?.reasons.join(), "it is older (sequence 5")
      yield* putEnvelope(bucket, key.latest, 7)
      yield* TestClock.adjust(60_000)
      assert.strictEqual((yield* node.climb)._tag, "Serves")
    })
  )

  it.effect("does not offer the same object each time when something better serves at the moment of the offer", () =>
    Effect.gen(function* () {
      const bucket = make()
      yield* putEnvelope(bucket, key.latest, 5)
      const node = yield* start(bucket)
      yield* node.live.apply({ ...offerWithoutAge(table("/better")), source: "disk" })
      for (let n = 0; n < 12; n++) {
        yield* node.climb
        yield* TestClock.adjust(5_000)
      }
      assert.lengthOf(
        node.events.filter(({ message }) => message.includes("left aside")),
        1
      )
    })
  )

  it.effect("fetches less and less often what somebody writes anew all the time and is refused", () =>
    Effect.gen(function* () {
      const bucket = make()
      const node = yield* start(bucket)
      for (let n = 0; n < 240; n++) {
        bucket.hand.put(key.latest, Buffer.from(`rubbish ${n}`))
        yield* node.climb
        yield* TestClock.adjust(5_000)
      }
      assert.isAtMost(node.rejections().length, 9, "1200 s: after 10, 20, 40, 80, 160, 300 s, and so on")
      yield* putEnvelope(bucket, key.latest, 7)
      yield* TestClock.adjust(300_000)
      assert.strictEqual((yield* node.climb)._tag, "Serves")
    })
  )

  it.effect("computes what it is called unless somebody signs for the name together with the content", () =>
    Effect.gen(function* () {
      const good = table("/good")
      const stolen = hashTable(good).config
      const raw = table("/evil")
      const bucket = make()
      const origin = { hash: stolen, source: "control_plane", receivedAtMs: 0 }
      bucket.hand.put(key.latest, gzipSync(encodeCachedTable(describeTable(raw), origin)))
      const node = yield* start(bucket)
      yield* node.climb
      assert.strictEqual((yield* node.state).hash, hashTable(raw).config)
      const { isNew } = yield* node.live.apply({ ...origin, raw: good, source: "control_plane" })
      assert.isTrue(isNew)
      const signed = make()
      const hash = "b".repeat(32)
      const bytes = yield* encoded({ ...configOf(5, { raw: good }), hash, attestation: statementOf(good, { hash }) })
      signed.hand.put(key.latest, bytes)
      const other = yield* start(signed)
      yield* other.climb
      assert.strictEqual((yield* other.state).hash, hash)
    })
  )

  it.effect("gives no digest with Kong's message but of what is in it", () =>
    Effect.gen(function* () {
      const message = { type: "reconfigure", config_table: table("/kong"), config_hash: "a".repeat(32) }
      const bucket = make()
      const origin = { hash: "a".repeat(32), source: "control_plane", receivedAtMs: 0 }
      bucket.hand.put(key.plain, Buffer.from(encodeCachedTable(describeTable(message), origin)))
      const node = yield* start(bucket)
      const answer = yield* node.rung.offer
      assert(answer._tag === "Candidate")
      assert.deepEqual(answer.offer.raw, message.config_table)
      assert.isUndefined(answer.offer.sha256)
    })
  )
})
