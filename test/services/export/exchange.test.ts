/**
 * Any number of exporters and importers over one store, with crashes at any call, lost answers, conflicts and pauses: an
 * importer gets the newest completed export or an older complete one, never a mixture, and no object ever goes back
 * (`faults.md`, "nothing older replaces newer"; reference `resilience.md` §5.4 and §5.5).
 */
import { gunzipSync } from "node:zlib"
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Deferred, Effect, Layer, Random, Schema, Scope } from "effect"
import { TestClock } from "effect/testing"
import { objectStorageRungs } from "../../../src/layers/object-storage-rung/ObjectStorageRung.ts"
import { decodeCachedTable } from "../../../src/model/CachedTable.ts"
import type { Row } from "../../../src/model/Entity.ts"
import { conditionCheckKey } from "../../../src/model/StorageKeys.ts"
import {
  type EnvelopeProtection,
  EnvelopeProtectionError,
  isEncrypted
} from "../../../src/services/EnvelopeProtection.ts"
import { ConfigStorage, type ObjectStore, ObjectStoreError } from "../../../src/services/ObjectStore.ts"
import { type MemoryObjectStore, make } from "../../../src/testing/MemoryObjectStore.ts"
import { configOf, exportingLayer, startExporter } from "../../support/exporting.ts"
import { joined, liveLayerFor, settle } from "../../support/live.ts"
import { propertyRuns } from "../../support/propertyRuns.ts"
import { table } from "../../support/tables.ts"

const key = {
  plain: "3.9.0.0/config.json",
  envelope: "3.9.0.0/envelope.json.gz",
  latest: "latest.json.gz"
}

const small = (max: number) => Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: max }))

/** What befalls one call of an exporter: by a die with many sides, for a world in which nothing works shows nothing. */
const Fate = Schema.Struct({ roll: small(23), ms: small(6_000) })
type Fate = typeof Fate.Type

const fates = ["loses answer", "fails", "crash before", "crash after", "pause after", "pause after"] as const
const pauses = 12
const fine: Fate = { roll: 23, ms: 0 }

const whatOf = ({ roll }: Fate) => fates[roll] ?? (roll < pauses ? "pause before" : "fine")

const Step = Schema.Union([
  /** The control plane's next configuration reaches this exporter; the others may miss it. */
  Schema.Struct({ do: Schema.Literal("give"), exporter: small(3), content: small(2), isNew: Schema.Boolean }),
  Schema.Struct({ do: Schema.Literal("pass"), ms: small(5_000) }),
  Schema.Struct({ do: Schema.Literal("import") })
])

const Case = Schema.Struct({
  steps: Schema.Array(Step).check(Schema.isMinLength(4), Schema.isMaxLength(40)),
  befalls: Schema.Array(Fate).check(Schema.isMaxLength(60)),
  tags: Schema.Literals(["content", "generation"])
})

const contents = [table("/x"), table("/y"), table("/z")]

/** Holds what an exporter may do to the store, and looks at the store at each deed. */
const fated = (store: ObjectStore, fateOf: () => Fate, look: () => void, life: Life): ObjectStore => {
  const gone = (operation: "read" | "write", at: string) =>
    new ObjectStoreError({ trouble: "unavailable", operation, key: at, message: "gone" })
  const call = <A>(operation: "read" | "write", at: string, deed: Effect.Effect<A, ObjectStoreError>) =>
    Effect.gen(function* () {
      const never = Effect.andThen(Deferred.await(life.end), Effect.fail(gone(operation, at)))
      if (life.isOver) return yield* never
      const fate = at === conditionCheckKey ? fine : fateOf()
      const what = whatOf(fate)
      if (what === "pause before") yield* Effect.sleep(fate.ms)
      // Over by now: what was sent may arrive all the same.
      if (what === "fails") return yield* Effect.fail(gone(operation, at))
      if (what === "crash before") return yield* Effect.andThen(Effect.sync(life.die), never)
      const done = yield* Effect.exit(deed)
      look()
      if (what === "crash after") return yield* Effect.andThen(Effect.sync(life.die), never)
      if (what === "loses answer") return yield* Effect.fail(gone(operation, at))
      if (what === "pause after") yield* Effect.sleep(fate.ms)
      return yield* done
    })
  return {
    place: store.place,
    read: (at, maxBytes) => call("read", at, store.read(at, maxBytes)),
    write: (at, object) => call("write", at, store.write(at, object))
  }
}

interface Life {
  isOver: boolean
  readonly die: () => void
  readonly end: Deferred.Deferred<void>
}

const textOf = (bytes: Uint8Array) => Buffer.from(bytes).toString()

/** Everything that lies there, each time that it changes; fails at what must never be. */
const makeWatch = (bucket: MemoryObjectStore, given: ReadonlyMap<number, Row>) => {
  const before = new Map<string, { readonly text: string; readonly sequences: ReadonlyArray<number> }>()
  const broken: Array<string> = []

  /** Which of the configurations given it may be. */
  const sequencesOf = (at: string, bytes: Uint8Array): ReadonlyArray<number> => {
    if (at === key.plain) {
      const raw = JSON.stringify(JSON.parse(textOf(bytes)))
      return [...given].filter(([, known]) => JSON.stringify(sorted(known)) === raw).map(([n]) => n)
    }
    const decoded = decodeCachedTable(gunzipSync(open(bytes)).toString())
    if (decoded._tag === "Wrong" || decoded.sequence === undefined) return []
    const isWhole = JSON.stringify(sorted(decoded.raw)) === JSON.stringify(sorted(given.get(decoded.sequence) ?? {}))
    return isWhole ? [decoded.sequence] : []
  }

  const look = () => {
    for (const at of [key.plain, key.envelope, key.latest]) {
      const bytes = bucket.hand.get(at)
      if (bytes === undefined) continue
      const text = Buffer.from(bytes).toString("latin1")
      const known = before.get(at)
      if (known?.text === text) continue
      const possible = sequencesOf(at, bytes)
      const least = Math.min(...(known?.sequences ?? [0]))
      // A plain table says nothing of its number: the same content may be any of those that have it.
      const sequences = possible.filter((sequence) => sequence >= least)
      if (sequences.length === 0) broken.push(`${at}: ${possible} after ${known?.sequences}`)
      before.set(at, { text, sequences: sequences.length === 0 ? possible : sequences })
    }
  }
  return { look, broken, sequenceAt: (at: string) => before.get(at)?.sequences ?? [] }
}

const sorted = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, inside]) => [name, sorted(inside)])
  )
}

interface Way {
  /** Which of the exporters encrypt. */
  readonly encrypts: (exporter: number) => boolean
}

const plainWay: Way = { encrypts: () => false }
const encryptedWay: Way = { encrypts: () => true }
const mixedWay: Way = { encrypts: (exporter) => exporter % 2 === 1 }

/** An exporter that encrypts and can't read, and importers that can. */
const flip = (bytes: Uint8Array) => Uint8Array.from(bytes, (byte) => byte ^ 0x55)
let nonces = 0
const header = Buffer.from("age-encryption.org/v1\n")
const protection = (): typeof EnvelopeProtection.Service => ({
  isEncrypting: true,
  protect: (bytes) =>
    Effect.sync(() => {
      const nonce = Buffer.alloc(4)
      nonce.writeUInt32LE(++nonces)
      return Buffer.concat([header, nonce, flip(bytes)])
    }),
  unprotect: () => Effect.fail(new EnvelopeProtectionError({ message: "no key" }))
})

const open = (bytes: Uint8Array): Uint8Array => (isEncrypted(bytes) ? flip(bytes.subarray(header.length + 4)) : bytes)

const importing = (store: ObjectStore) => {
  const given = { cluster_fallback_config_import: "on", cluster_fallback_config_storage: "s3://bucket" }
  const reading = { ...protection(), unprotect: (bytes: Uint8Array) => Effect.sync(() => open(bytes)) }
  return Effect.flatMap(objectStorageRungs, ([rung]) => rung?.offer ?? Effect.die("there is a rung")).pipe(
    Effect.provide(
      liveLayerFor({ ...joined, ...given }).pipe(
        Layer.provideMerge(exportingLayer({ given, protection: reading }, [])),
        Layer.provideMerge(Layer.succeed(ConfigStorage, store))
      )
    )
  )
}

const play = ({ steps, befalls, tags }: typeof Case.Type, way: Way) =>
  Effect.gen(function* () {
    const bucket = make({ tags })
    const given = new Map<number, Row>()
    const watch = makeWatch(bucket, given)
    const end = yield* Deferred.make<void>()
    let calls = 0
    let isCalm = false
    let sequence = 0
    let completed = 0
    const fateOf = (): Fate => (isCalm ? fine : (befalls[calls++ % Math.max(1, befalls.length)] ?? fine))
    const newest = new Map<number, ReturnType<typeof configOf>>()
    const scope = yield* Scope.make()
    const exporters = new Map<number, { life: Life; exporter: Effect.Success<ReturnType<typeof startExporter>> }>()

    const begin = Effect.fnUntraced(function* (n: number) {
      const life: Life = {
        isOver: false,
        end,
        die: () => {
          life.isOver = true
        }
      }
      const exporter = yield* startExporter(fated(bucket.client(), fateOf, watch.look, life), {
        given: { cluster_fallback_config_export_delay: "1" },
        ...(way.encrypts(n) ? { protection: protection() } : {})
      }).pipe(Scope.provide(scope))
      exporters.set(n, { life, exporter })
      return exporter
    })

    /** Whoever crashed starts anew, and gets from its control plane what that has. */
    const alive = Effect.fnUntraced(function* (n: number) {
      const known = exporters.get(n)
      if (known !== undefined && !known.life.isOver) return known.exporter
      return yield* begin(n)
    })

    const noteCompleted = () => {
      for (const { exporter } of exporters.values())
        for (const [n, config] of [...given].map(([n, raw]) => [n, configOf(n, { raw })] as const))
          if (exporter.facts()?.exported?.hash === config.hash && watch.sequenceAt(key.latest).includes(n))
            completed = Math.max(completed, n)
    }

    const pass = (ms: number) => Effect.andThen(TestClock.adjust(ms), settle)

    for (const step of steps) {
      if (step.do === "pass") yield* pass(step.ms)
      else if (step.do === "give") {
        if (step.isNew || sequence === 0) given.set(++sequence, contents[step.content] ?? table())
        const config = configOf(sequence, { raw: given.get(sequence) ?? table() })
        newest.set(step.exporter, config)
        yield* (yield* alive(step.exporter)).give(config)
      } else {
        noteCompleted()
        const least = completed
        const answer = yield* importing(bucket.client())
        if (answer._tag === "Candidate") {
          assert.deepEqual(sorted(answer.offer.raw), sorted(given.get(answer.offer.sequence ?? 0)))
          assert.isAtLeast(answer.offer.sequence ?? 0, least, "a completed export is found, or a newer one")
        } else assert.strictEqual(least, 0, JSON.stringify(answer))
      }
      assert.deepEqual(watch.broken, [])
    }

    isCalm = true
    for (const [n, config] of newest) if (exporters.get(n)?.life.isOver) yield* (yield* begin(n)).give(config)
    for (let n = 0; n < 20; n++) yield* pass(10_000)
    yield* Deferred.succeed(end, undefined)
    yield* settle
    yield* Scope.close(scope, yield* Effect.exit(Effect.void))
    watch.look()
    assert.deepEqual(watch.broken, [])
    const mostOf = (isCounted: (exporter: number) => boolean) =>
      Math.max(0, ...[...newest].map(([n, { sequence = 0 }]) => (isCounted(n) ? sequence : 0)))
    const encrypted = mostOf(way.encrypts)
    const most = mostOf((n) => !way.encrypts(n))
    // What is encrypted is replaced by nobody who does not encrypt.
    const least = encrypted > 0 ? encrypted : most
    if (least === 0) return
    for (const at of [key.envelope, key.latest])
      assert.isAtLeast(Math.max(...watch.sequenceAt(at)), least, `${at} comes to the newest in the end`)
    if (encrypted > 0) return
    assert.include(watch.sequenceAt(key.plain), most)
    assert.deepEqual(
      sorted(JSON.parse(textOf(bucket.hand.get(key.plain) ?? new Uint8Array()))),
      sorted(given.get(most))
    )
  }).pipe(Random.withSeed("exchange"))

describe("any number of exporters and importers over one store", () => {
  it.effect.prop("in plain", [Arbitrary.schema(Case)], ([given]) => play(given, plainWay), propertyRuns)
  it.effect.prop("encrypted", [Arbitrary.schema(Case)], ([given]) => play(given, encryptedWay), propertyRuns)
  it.effect.prop(
    "some in plain and some encrypted",
    [Arbitrary.schema(Case)],
    ([given]) => play(given, mixedWay),
    propertyRuns
  )
})
