/**
 * The disk rung under any sequence of writes, failing writes, crashes, damages, deletions and restarts: it offers the
 * newest good configuration, never nothing while one is good and the current file is there, and keeps no more files than
 * it says (`resilience.md` §2 and §9; the cache rows of the faults).
 */
import { gunzipSync } from "node:zlib"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Logger } from "effect"
import fc from "fast-check"
import type { WritableRung } from "../../../src/services/ConfigCache.ts"
import * as VirtualDisk from "../../../src/testing/VirtualDisk.ts"
import { goThrough } from "../../conformance/rung.ts"
import { cases } from "../../support/cases.ts"
import { fileIn, plainFile, quickCompression, startCache } from "../../support/diskCache.ts"
import { snapshotOf, table } from "../../support/tables.ts"

const prefix = "/prefix"
const generationsMax = 3
const generations = `${prefix}/generations`

type Step =
  | { readonly do: "write" | "restart" | "delete" | "refuse" }
  /** The write fails at one of its calls. */
  | { readonly do: "fail"; readonly at: number; readonly code: string }
  /** The process ends, or the power fails, at one of the write's calls. */
  | { readonly do: "crash"; readonly at: number; readonly part: number; readonly crash: VirtualDisk.Crash }
  /** One bit of the current file, or of a generation, turns; or the file is cut. */
  | { readonly do: "damage"; readonly which: number; readonly where: number; readonly isCut: boolean }

const part = fc.integer({ min: 0, max: 999 }).map((n) => n / 1000)

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.constant<Step>({ do: "write" }) },
  { weight: 2, arbitrary: fc.constant<Step>({ do: "restart" }) },
  { weight: 1, arbitrary: fc.constantFrom<Step>({ do: "delete" }, { do: "refuse" }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("fail" as const),
      at: fc.integer({ min: 1, max: 20 }),
      code: fc.constantFrom("EIO", "ENOSPC", "EROFS")
    })
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("crash" as const),
      at: fc.integer({ min: 1, max: 20 }),
      part: fc.constantFrom(0, 0.5, 1),
      crash: fc.record({ kind: fc.constantFrom("process" as const, "power" as const), seed: fc.nat(1_000_000) })
    })
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("damage" as const),
      which: fc.constantFrom(0, 0, 0, 1, 2),
      where: part,
      isCut: fc.boolean()
    })
  }
)

/** By nobody's code but Node's own: which version a file holds; 0 for none. */
const versionIn = (bytes: Uint8Array | undefined): number => {
  if (bytes === undefined) return 0
  try {
    return Number(JSON.parse(gunzipSync(bytes).toString()).routes[0].paths[0].slice(1))
  } catch {
    return 0
  }
}

const generationsOn = ({ hand }: VirtualDisk.VirtualDisk): ReadonlyArray<string> =>
  hand
    .list(generations)
    .filter((name) => /^\d+\.json\.gz$/.test(name))
    .toSorted()
    .toReversed()
    .map((name) => `${generations}/${name}`)

const checkBounds = (disk: VirtualDisk.VirtualDisk): void => {
  assert.isAtMost(generationsOn(disk).length, generationsMax)
  assert.isAtMost(disk.hand.list(generations).length, generationsMax + 1, "one may be half copied")
  assert.isAtMost(disk.hand.list(`${prefix}/quarantine`).filter((name) => name.endsWith(".gz")).length, 10)
  const others = disk.hand.list(prefix).filter((name) => !["generations", "quarantine"].includes(name))
  assert.includeMembers(["config.json.gz", "config.json.gz.new"], others as Array<string>)
}

const start = (disk: VirtualDisk.VirtualDisk) =>
  startCache(prefix, { config_cache_generations: String(generationsMax) }, disk.layer, quickCompression)

interface Life {
  disk: VirtualDisk.VirtualDisk
  cache: WritableRung
  written: number
  /** What must still be found: the last version that was persisted and not damaged or deleted since. */
  persisted: number
}

const restart = Effect.fnUntraced(function* (life: Life, refusesNewest = false) {
  const { disk } = life
  const found = [fileIn(prefix), ...generationsOn(disk)].map((path) => versionIn(disk.hand.read(path)))
  const isThere = disk.hand.read(fileIn(prefix)) !== undefined
  const good = isThere ? found.filter((version) => version > 0) : []
  assert.deepEqual(
    good,
    good.toSorted((a, b) => b - a),
    "the newest come first"
  )
  // A crash may have made the current file a generation already.
  const newest = [...new Set(good)]
  const refused = refusesNewest ? newest[0] : undefined
  const expected = newest.find((version) => version !== refused) ?? 0
  life.cache = yield* start(disk)
  const { serves } = yield* goThrough(life.cache, (path) => path !== `/${refused}`)
  assert.strictEqual(Number(serves?.slice(1) ?? 0), expected)
  if (!refusesNewest) assert.isAtLeast(expected, life.persisted)
  if (expected > 0) assert.strictEqual(versionIn(disk.hand.read(fileIn(prefix))), expected, "it is the current one now")
  life.persisted = expected
})

const writeUntil = Effect.fnUntraced(function* (life: Life, at: number, done: number) {
  const before = life.disk.callCount()
  let isStuck = false
  life.disk.become({
    faultOf: ({ n }) => {
      if (n - before !== at) return undefined
      isStuck = true
      return { _tag: "Hangs", part: done }
    }
  })
  const writing = Effect.exit(life.cache.write(snapshotOf(table(`/${life.written}`))))
  const fiber = yield* Effect.forkChild(writing, { startImmediately: true })
  while (!isStuck && fiber.pollUnsafe() === undefined) yield* Effect.yieldNow
  return !isStuck
})

const take = Effect.fnUntraced(function* (life: Life, step: Step) {
  switch (step.do) {
    case "restart":
      return yield* restart(life)
    case "refuse":
      return yield* restart(life, true)
    case "delete":
      life.disk.hand.remove(fileIn(prefix))
      life.persisted = 0
      return
    case "damage": {
      const path = [fileIn(prefix), ...generationsOn(life.disk)][step.which] ?? ""
      const bytes = life.disk.hand.read(path)
      if (bytes === undefined) return
      if (step.which === 0 || versionIn(bytes) === life.persisted) life.persisted = 0
      if (step.isCut) life.disk.hand.write(path, bytes.subarray(0, Math.floor(step.where * bytes.length)))
      else life.disk.hand.flipBit(path, step.where)
      return
    }
    case "write":
      yield* life.cache.write(snapshotOf(table(`/${++life.written}`)))
      life.persisted = life.written
      return
    case "fail": {
      const before = life.disk.callCount()
      life.disk.become({
        faultOf: ({ n }) => (n - before === step.at ? { _tag: "Fails", code: step.code, part: 0.5 } : undefined)
      })
      const result = yield* Effect.result(life.cache.write(snapshotOf(table(`/${++life.written}`))))
      life.disk.become({})
      if (result._tag === "Success") life.persisted = life.written
      return
    }
    case "crash":
      life.written++
      if (yield* writeUntil(life, step.at, step.part)) life.persisted = life.written
      life.disk = life.disk.crash(step.crash)
      return yield* restart(life)
  }
})

const live = (steps: ReadonlyArray<Step>) =>
  Effect.gen(function* () {
    const disk = VirtualDisk.make()
    const life: Life = { disk, cache: yield* start(disk), written: 0, persisted: 0 }
    for (const each of steps) {
      yield* take(life, each)
      checkBounds(life.disk)
    }
    yield* restart(life)
  }).pipe(Effect.scoped, Effect.provide(Logger.layer([])))

describe("the disk rung", () => {
  it("offers the newest good configuration, whatever happened", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25 }), (steps) => Effect.runPromise(live(steps))),
      cases()
    )
  })
})

describe("a damaged file", () => {
  const written = Effect.gen(function* () {
    const disk = VirtualDisk.make()
    yield* (yield* start(disk)).write(snapshotOf(table("/1")))
    return disk
  })

  const offered = (disk: VirtualDisk.VirtualDisk) =>
    Effect.gen(function* () {
      const answer = yield* (yield* start(disk)).offer
      return answer._tag === "Candidate" ? answer.offer.raw : answer._tag
    })

  const quietly = <A, E>(test: Effect.Effect<A, E>) => Effect.runPromise(test.pipe(Effect.provide(Logger.layer([]))))

  it("is refused or what it was, whichever of its bytes changed", async () => {
    const size = await quietly(Effect.map(written, (disk) => disk.hand.read(fileIn(prefix))?.length ?? 0))
    const every = Math.max(1, Math.floor((size * 8) / (cases().numRuns ?? 200)))
    await quietly(
      Effect.gen(function* () {
        for (let bit = (cases().seed ?? 1) % every; bit < size * 8; bit += every) {
          const disk = yield* written
          disk.hand.flipBit(fileIn(prefix), (bit + 0.5) / (size * 8))
          const found = yield* offered(disk)
          if (found !== "Unusable") assert.deepEqual(found, table("/1"), `bit ${bit}`)
        }
      })
    )
  })

  it("is refused wherever it was cut", async () => {
    await quietly(
      Effect.gen(function* () {
        const disk = yield* written
        const whole = disk.hand.read(fileIn(prefix)) ?? new Uint8Array()
        for (let length = 0; length < whole.length; length++) {
          disk.hand.write(fileIn(prefix), whole.subarray(0, length))
          assert.strictEqual(yield* offered(disk), "Unusable", `cut at ${length}`)
        }
      })
    )
  })

  it("is refused by its digest alone when its gzip is whole: any value of the table changed", async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom("services", "routes", "_format_version", "more"), fc.jsonValue(), (key, value) =>
        quietly(
          Effect.gen(function* () {
            const disk = yield* written
            const content = JSON.parse(gunzipSync(disk.hand.read(fileIn(prefix)) ?? "").toString())
            disk.hand.write(fileIn(prefix), plainFile({ ...content, [key]: value }))
            const { _holdfast, ...raw } = { ...content, [key]: value }
            const isSame = JSON.stringify(raw) === JSON.stringify((({ _holdfast: _, ...rest }) => rest)(content))
            const found = yield* offered(disk)
            if (!isSame) assert.strictEqual(found, "Unusable")
          })
        )
      ),
      cases()
    )
  })
})
