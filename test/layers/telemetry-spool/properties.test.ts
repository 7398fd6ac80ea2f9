/**
 * The spool under any schedule of traffic, deliveries, crashes, and disks that are full, read-only, failing or dead (faults.md, rows on
 * telemetry): what was billed is never more than what was served, and exactly that where nothing but the network and the
 * process failed; every request is in the analytics once, or among the drops; the bounds hold.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Logger } from "effect"
import * as fc from "fast-check"
import { uuidOf } from "../../../src/model/DeterministicId.ts"
import { runVirtual } from "../../../src/testing/runVirtual.ts"
import * as VirtualDisk from "../../../src/testing/VirtualDisk.ts"
import { cases } from "../../support/cases.ts"
import { compiledRoute, consumerOf, finished } from "../../support/requests.ts"
import {
  epochBytes,
  makeReceiver,
  type Receiver,
  type SpoolLife,
  spoolFolder,
  startSpool,
  takeAll
} from "../../support/telemetrySpool.ts"

type Step =
  | { readonly do: "traffic"; readonly requests: number; readonly spread: number; readonly everyMs: number }
  | { readonly do: "wait"; readonly ms: number }
  /** Takes about so much, and hears that so much of it was committed; the word of the rest is lost. */
  | { readonly do: "deliver"; readonly bytes: number; readonly heard: number }
  | { readonly do: "flush" | "restart" | "heal" }
  | { readonly do: "crash"; readonly crash: VirtualDisk.Crash }
  /** From now on each call takes so long: whatever else happens, happens meanwhile. */
  | { readonly do: "slow"; readonly ms: number }
  | { readonly do: "afflict"; readonly kind: "full" | "readOnly" | "stuck" | "failing"; readonly seed: number }

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("traffic" as const),
      requests: fc.integer({ min: 1, max: 60 }),
      spread: fc.constantFrom(1, 3, 20),
      everyMs: fc.constantFrom(0, 7, 90, 800)
    })
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("wait" as const), ms: fc.integer({ min: 0, max: 15_000 }) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("deliver" as const),
      bytes: fc.constantFrom(1, 700, 3000, 1e9),
      heard: fc.constantFrom(0, 0.3, 0.7, 1, 1, 1, 1, 1, 1)
    })
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom("flush" as const, "restart" as const, "heal" as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("crash" as const),
      crash: fc.record({ kind: fc.constantFrom("process" as const, "power" as const), seed: fc.nat(1e6) })
    })
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant("slow" as const), ms: fc.constantFrom(1, 30, 100, 400) })
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("afflict" as const),
      kind: fc.constantFrom("full" as const, "readOnly" as const, "stuck" as const, "failing" as const),
      seed: fc.nat(1e6)
    })
  }
)

interface Played {
  disk: VirtualDisk.VirtualDisk
  life: SpoolLife
  number: number
  readonly receiver: Receiver
  readonly counted: Map<string, { matched: number; unmatched: number; isExact: boolean; isAfflicted: boolean }>
  requests: number
  /** Whatever was committed was acknowledged. */
  isHeard: boolean
  isSlow: boolean
  /** What was taken may have been dropped before it was acknowledged. */
  wasSlow: boolean
}

const epochOf = (life: number): string => uuidOf(epochBytes(life))

const settings = (maxBytes: number) => ({ analytics_flush_interval: 2, telemetry_spool_max_bytes: maxBytes })

const begin = Effect.fnUntraced(function* (played: Omit<Played, "life">, maxBytes: number) {
  played.counted.set(epochOf(played.number), { matched: 0, unmatched: 0, isExact: true, isAfflicted: false })
  played.receiver.newLife()
  return yield* startSpool(played.disk, played.number, settings(maxBytes))
})

const countOf = (played: Played) => {
  const count = played.counted.get(epochOf(played.number))
  if (count === undefined) throw new Error("no life")
  return count
}

const mayDiffer =
  ({ counted }: Pick<Played, "counted">) =>
  (epoch: string): boolean =>
    counted.get(epoch)?.isAfflicted === true

const play = Effect.fnUntraced(function* (played: Played, now: Step, maxBytes: number) {
  const { life, receiver } = played
  const count = countOf(played)
  const next = Effect.fnUntraced(function* (disk: VirtualDisk.VirtualDisk) {
    yield* life.end
    played.disk = disk
    played.isSlow = false
    played.number++
    played.life = yield* begin(played, maxBytes)
  })
  switch (now.do) {
    case "traffic":
      for (let n = 0; n < now.requests; n++) {
        played.requests++
        const at = played.requests % now.spread
        const isMatched = played.requests % 7 !== 0
        if (isMatched) count.matched++
        else count.unmatched++
        const compiled = isMatched ? compiledRoute(at, at % 2) : undefined
        life.counters.record(finished({ compiled, consumer: at % 3 === 0 ? consumerOf(at) : undefined, endedAtMs: n }))
        yield* Effect.sleep(now.everyMs)
      }
      return
    case "wait":
      return yield* Effect.sleep(now.ms)
    case "deliver": {
      const batch = yield* takeAll(life.spool, now.bytes)
      receiver.commit(batch, mayDiffer(played))
      const heard = batch.slice(0, Math.ceil(batch.length * now.heard))
      if (heard.length < batch.length) played.isHeard = false
      return yield* life.spool.acknowledge(receiver.acknowledged(heard))
    }
    case "flush":
      return yield* life.spool.flush
    case "restart":
      yield* life.spool.flush
      // A stop waits for the disk, but not for ever.
      if (count.isAfflicted || played.isSlow) count.isExact = false
      return yield* next(played.disk.crash({ kind: "process", seed: 0 }))
    case "crash":
      count.isExact = false
      return yield* next(played.disk.crash(now.crash))
    case "afflict": {
      for (const each of played.counted.values()) each.isAfflicted = true
      const used = played.disk.usedBytes()
      const conditions: Readonly<Record<typeof now.kind, VirtualDisk.DiskConditions>> = {
        full: { capacityBytes: used + (now.seed % 200) },
        readOnly: { isReadOnly: true },
        stuck: { isStuck: true },
        failing: { faultOf: VirtualDisk.drawnFaults(now.seed, { fails: 0.3 }) }
      }
      return played.disk.become(conditions[now.kind])
    }
    case "slow":
      played.isSlow = true
      played.wasSlow = true
      return played.disk.become({ slowMs: now.ms })
    case "heal":
      played.isSlow = false
      return played.disk.become({})
  }
})

/** All that can be had: every life's records, over as many deliveries as it takes. */
const deliverAll = Effect.fnUntraced(function* (played: Played) {
  const { life, receiver } = played
  for (;;) {
    const batch = yield* takeAll(life.spool)
    if (batch.length === 0) return
    receiver.commit(batch, mayDiffer(played))
    yield* life.spool.acknowledge(receiver.acknowledged(batch))
  }
})

const live = Effect.fnUntraced(function* (steps: ReadonlyArray<Step>, maxBytes: number) {
  const beginning = {
    disk: VirtualDisk.make(),
    number: 1,
    receiver: makeReceiver(),
    counted: new Map(),
    requests: 0,
    isHeard: true,
    isSlow: false,
    wasSlow: false
  }
  const played: Played = { ...beginning, life: yield* begin(beginning, maxBytes) }
  const checkBounds = () => {
    const { bytes } = played.life.spool.facts()
    // The newest billing record of each life stays, whatever the bound.
    assert.isAtMost(bytes, maxBytes + played.number * 400, "facts")
  }
  for (const now of steps) {
    yield* play(played, now, maxBytes)
    checkBounds()
  }
  played.disk.become({})
  // Whatever waited for a second try has it.
  yield* Effect.sleep("15 seconds")
  yield* played.life.spool.flush
  yield* Effect.sleep("1 second")
  assert.isUndefined(played.life.spool.facts().problem)
  const dropped = played.life.spool.facts().dropped
  yield* deliverAll(played)
  assert.deepInclude(played.life.spool.facts(), { bytes: 0, records: 0 })
  yield* Effect.sleep("1 second")
  const left = played.disk.hand.list(spoolFolder)
  // What could not be read again and again stays where it is.
  const isAfflicted = steps.some((each) => each.do === "afflict" && each.kind === "failing")
  if (!isAfflicted) assert.deepStrictEqual(left, [])
  yield* played.life.end
  return { played, dropped }
})

const judge = ({
  played,
  dropped
}: {
  readonly played: Played
  readonly dropped: { readonly requests: number }
}): void => {
  const { receiver, counted } = played
  let missing = 0
  let isExact = true
  for (const [epoch, count] of counted) {
    const told = receiver.ofEpoch(epoch)
    assert.isAtMost(told.apiCalls, count.matched, epoch)
    assert.isAtMost(told.matched, count.matched, epoch)
    assert.isAtMost(told.unmatched, count.unmatched, epoch)
    if (count.isExact) assert.strictEqual(told.apiCalls, count.matched, `${epoch}: billed is what was served`)
    else isExact = false
    missing += count.matched - told.matched + count.unmatched - told.unmatched
    if (count.isExact && dropped.requests === 0 && told.dropped.requests === 0 && counted.size === 1) {
      assert.strictEqual(told.matched, count.matched, `${epoch}: analytics`)
      assert.strictEqual(told.unmatched, count.unmatched, `${epoch}: analytics of no route`)
    }
  }
  // In one life every request is in the analytics or among the drops; in both where nobody heard that it was committed.
  if (!isExact || counted.size > 1) return
  assert.isAtMost(missing, dropped.requests)
  if (played.isHeard && !played.wasSlow) assert.strictEqual(missing, dropped.requests)
}

const holdsFor = (maxBytes: number, steps: fc.Arbitrary<ReadonlyArray<Step>>) =>
  fc.assert(
    fc.asyncProperty(steps, async (all) => {
      judge(await runVirtual(Effect.provide(live(all, maxBytes), Logger.layer([]))))
    }),
    cases()
  )

const isKind = (...kinds: ReadonlyArray<Step["do"]>) => step.filter((each) => kinds.includes(each.do))

describe("the spool", { timeout: 120_000 }, () => {
  it("bills what was served and counts each request once, whatever happens to deliveries and processes", () =>
    holdsFor(
      2 ** 30,
      fc.array(isKind("traffic", "wait", "deliver", "flush", "restart", "crash", "slow"), { maxLength: 25 })
    ))

  it("comes through any trouble of the disk, and has written everything once that is over", () =>
    holdsFor(2 ** 30, fc.array(step, { maxLength: 25 })))

  it("within a narrow bound drops analytics, tells how much, and goes on billing exactly", () =>
    holdsFor(20_000, fc.array(isKind("traffic", "wait", "deliver", "flush", "restart", "slow"), { maxLength: 25 })))

  it("within a narrow bound comes through any trouble of the disk", () =>
    holdsFor(20_000, fc.array(step, { maxLength: 25 })))
})
