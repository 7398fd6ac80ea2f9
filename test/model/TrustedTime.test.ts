/** The trusted time under generated clocks: `faults.md`, "Clocks"; `architecture.md`, "The wall clock is a witness". */
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import type { KeptTime } from "../../src/model/KeptTime.ts"
import {
  agreementMs,
  begin,
  confirm,
  freshMs,
  type Happening,
  keptOf,
  type Reading,
  type Step,
  step,
  type TrustedTime,
  toleranceMs
} from "../../src/model/TrustedTime.ts"
import { holds } from "../support/property.ts"

const minuteMs = 60_000
const hourMs = 60 * minuteMs
const dayMs = 24 * hourMs
const bornMs = Date.UTC(2026, 10, 23)

type Event =
  | { readonly _tag: "Run"; readonly ms: number }
  | { readonly _tag: "Jump"; readonly byMs: number }
  | { readonly _tag: "Right" }
  | { readonly _tag: "Wander"; readonly toMs: number }
  | { readonly _tag: "Suspend"; readonly ms: number }
  | { readonly _tag: "Confirm"; readonly ageMs: number }
  | { readonly _tag: "Restart"; readonly offMs: number; readonly origin: number }

const distance = fc.oneof(
  fc.integer({ min: 3_000, max: 2 * minuteMs }),
  fc.constantFrom(hourMs, dayMs, 365 * dayMs),
  fc.integer({ min: minuteMs, max: 40 * dayMs })
)

const event: fc.Arbitrary<Event> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({ _tag: fc.constant("Run" as const), ms: fc.integer({ min: 0, max: minuteMs }) })
  },
  {
    weight: 3,
    arbitrary: fc.record({
      _tag: fc.constant("Jump" as const),
      byMs: fc.tuple(distance, fc.constantFrom(-1, 1)).map(([ms, sign]) => ms * sign)
    })
  },
  { weight: 2, arbitrary: fc.constant({ _tag: "Right" as const }) },
  {
    weight: 2,
    arbitrary: fc.record({ _tag: fc.constant("Wander" as const), toMs: fc.integer({ min: -900, max: 900 }) })
  },
  { weight: 1, arbitrary: fc.record({ _tag: fc.constant("Suspend" as const), ms: distance }) },
  {
    weight: 1,
    arbitrary: fc.record({
      _tag: fc.constant("Confirm" as const),
      ageMs: fc.oneof(fc.integer({ min: 0, max: 20_000 }), fc.integer({ min: 0, max: 40 * dayMs }))
    })
  },
  {
    weight: 2,
    arbitrary: fc.record({
      _tag: fc.constant("Restart" as const),
      offMs: fc.oneof(fc.integer({ min: 0, max: minuteMs }), distance),
      origin: fc.integer({ min: 0, max: 10 * dayMs })
    })
  }
)

/** Runs of a minute again and again, so that ten minutes come about often. */
const events = fc
  .array(
    fc.oneof(
      event.map((one) => [one]),
      event.map((one) => Array.from({ length: 13 }, () => one))
    ),
    {
      minLength: 1,
      maxLength: 25
    }
  )
  .map((chunks) => chunks.flat())

interface Moment {
  readonly event: Event
  readonly before: TrustedTime
  readonly after: Step
  readonly trueMs: number
  readonly wallErrorMs: number
  /** How long the wall clock has been one and the same, and right, as the node could see. */
  readonly sameMs: number
  readonly rightMs: number
  readonly controlPlaneMs: number | undefined
}

/** A machine whose true time is known, and a node that reads its clocks after each event. Every reading is kept. */
const live = (all: ReadonlyArray<Event>): ReadonlyArray<Moment> => {
  let trueMs = bornMs
  let [errorMs, wanderMs, monotonicMs, sameMs, rightMs] = [0, 0, 0, 0, 0]
  const reading = (): Reading => ({ wallMs: trueMs + errorMs + wanderMs, monotonicMs })
  let time = begin(undefined, reading()).time
  return all.map((event) => {
    const before = time
    const wallBeforeMs = trueMs + errorMs + wanderMs
    let controlPlaneMs: number | undefined
    if (event._tag === "Run") {
      trueMs += event.ms
      monotonicMs += event.ms
      sameMs += event.ms
      rightMs = errorMs === 0 ? rightMs + event.ms : 0
    } else if (event._tag === "Wander") wanderMs = event.toMs
    else if (event._tag === "Suspend") {
      trueMs += event.ms
      sameMs = 0
      rightMs = 0
    } else if (event._tag === "Jump" || event._tag === "Right") {
      const nextMs = event._tag === "Right" ? 0 : errorMs + event.byMs
      if (nextMs !== errorMs) [sameMs, rightMs] = [0, 0]
      errorMs = nextMs
    } else if (event._tag === "Confirm") controlPlaneMs = trueMs - event.ageMs
    else {
      trueMs += event.offMs
      monotonicMs = event.origin
      // Off for long, a node that doubted nothing begins to doubt now.
      if (before.doubt === undefined && event.offMs > 9 * minuteMs) rightMs = 0
    }
    const after =
      event._tag === "Restart"
        ? begin(keptOf(before), reading())
        : controlPlaneMs === undefined
          ? step(before, reading())
          : confirm(before, reading(), controlPlaneMs)
    if (event._tag === "Restart" && reading().wallMs < wallBeforeMs - toleranceMs) sameMs = 0
    time = after.time
    return { event, before, after, trueMs, wallErrorMs: errorMs, sameMs, rightMs, controlPlaneMs }
  })
}

const holdsAtEach = (judge: (moment: Moment) => void) => holds(events, (all) => live(all).forEach(judge))

describe("under generated clocks", () => {
  it("moves at the monotonic clock's pace, give or take a tenth, except by a correction that it tells", () =>
    holdsAtEach(({ event, before, after }) => {
      if (event._tag === "Restart") return
      const elapsedMs = event._tag === "Run" ? event.ms : 0
      const correctedMs = after.happened?._tag === "Believed" ? after.happened.byMs : 0
      const movedMs = after.time.nowMs - correctedMs - before.nowMs
      assert.isAtLeast(movedMs, elapsedMs * 0.9 - 0.001)
      assert.isAtMost(movedMs, elapsedMs * 1.1 + 0.001)
    }))

  it("is never earlier after a restart than it was before", () =>
    holdsAtEach(({ event, before, after }) => {
      if (event._tag === "Restart") assert.isAtLeast(after.time.nowMs, Math.floor(before.nowMs))
    }))

  it("believes no clock that has not been one and the same for ten minutes, unless a control plane confirms it", () =>
    holdsAtEach(({ event, after, sameMs }) => {
      if (after.happened?._tag !== "Believed") return
      if (after.happened.because === "control plane") assert.strictEqual(event._tag, "Confirm")
      else assert.isAtLeast(sameMs, agreementMs)
    }))

  it("is right whenever the wall clock was right for ten minutes, restarts and all", () =>
    holdsAtEach(({ after, trueMs, rightMs }) => {
      if (rightMs < agreementMs + minuteMs) return
      assert.isAtMost(Math.abs(after.time.nowMs - trueMs), 2 * toleranceMs)
      assert.isUndefined(after.time.doubt)
    }))

  it("is right at once when a control plane's fresh timestamp confirms a clock that is right", () =>
    holdsAtEach(({ event, after, trueMs, wallErrorMs }) => {
      if (event._tag !== "Confirm" || event.ageMs > 20_000 || wallErrorMs !== 0) return
      assert.isAtMost(Math.abs(after.time.nowMs - trueMs), freshMs + event.ageMs + 2 * toleranceMs)
    }))

  it("is not moved forward past the truth by an honest control plane, however wrong the wall clock is", () =>
    holdsAtEach(({ before, after, trueMs }) => {
      const { happened } = after
      if (happened?._tag !== "Believed" || happened.because !== "control plane" || happened.byMs < 0) return
      assert.isAtMost(after.time.nowMs, Math.max(before.nowMs, trueMs) + freshMs)
    }))

  it("tells each change once: doubted, then returned or believed", () => {
    holds(events, (all) => {
      let isDoubted = false
      for (const { event, after } of live(all)) {
        const told = after.happened?._tag
        if (event._tag === "Restart") isDoubted = false
        if (told === "Returned") assert.isTrue(isDoubted)
        if (told === undefined) assert.strictEqual(after.time.doubt !== undefined, isDoubted)
        isDoubted = after.time.doubt !== undefined
      }
    })
  })
})

/** A node that reads its clocks every `everyMs` while the wall clock is off by `errorMs`. */
const run = (time: TrustedTime, forMs: number, errorMs: number, everyMs = 30_000) => {
  const told: Array<Happening> = []
  const startMs = time.monotonicMs
  let current = time
  for (let ms = everyMs; ms <= forMs; ms += everyMs) {
    const monotonicMs = startMs + ms
    const next = step(current, { wallMs: bornMs + monotonicMs + errorMs, monotonicMs })
    current = next.time
    if (next.happened !== undefined) told.push(next.happened)
  }
  return { time: current, told }
}

const fresh = begin(undefined, { wallMs: bornMs, monotonicMs: 0 }).time

describe("what happens to clocks", () => {
  it.each([
    ["forward", dayMs],
    ["backward", -dayMs]
  ])("a jump of a day %s is doubted for ten minutes, then believed", (_, byMs) => {
    const before = run(fresh, hourMs, 0).time
    const during = run(before, agreementMs, byMs)
    assert.deepEqual(during.told, [{ _tag: "Doubted", byMs }])
    assert.strictEqual(during.time.nowMs, bornMs + hourMs + agreementMs)
    const after = run(during.time, minuteMs, byMs)
    assert.deepInclude(after.told[0], { _tag: "Believed", byMs, because: "agreement" })
    assert.strictEqual(after.time.nowMs, bornMs + hourMs + agreementMs + minuteMs + byMs)
  })

  it("a jump that is taken back within ten minutes changed nothing", () => {
    const off = run(run(fresh, hourMs, 0).time, 9 * minuteMs, dayMs).time
    const back = run(off, minuteMs, 0)
    assert.deepEqual(back.told, [{ _tag: "Returned", byMs: dayMs, afterMs: 9 * minuteMs }])
    assert.strictEqual(back.time.nowMs, bornMs + hourMs + 10 * minuteMs)
  })

  it("a clock that flaps is never believed", () => {
    let time = fresh
    for (let i = 0; i < 100; i++) time = run(time, 5 * minuteMs, i % 2 === 0 ? dayMs : 2 * dayMs).time
    assert.strictEqual(time.nowMs, bornMs + 500 * minuteMs)
  })

  it("a suspended machine's clock is a jump forward, believed after ten minutes of being awake", () => {
    const asleepMs = 8 * hourMs
    const awake = run(fresh, 11 * minuteMs, asleepMs)
    assert.deepEqual(
      awake.told.map(({ _tag }) => _tag),
      ["Doubted", "Believed"]
    )
    assert.strictEqual(awake.time.nowMs, bornMs + 11 * minuteMs + asleepMs)
  })

  it("a slewed clock is followed, and one that creeps faster than any daemon slews is doubted in the end", () => {
    let errorMs = 0
    let time = fresh
    for (let i = 0; i < 100; i++) {
      errorMs += 1_500
      time = run(time, 30_000, errorMs).time
    }
    assert.closeTo(time.nowMs, bornMs + time.monotonicMs + errorMs, 1)
    for (let i = 0; i < 19; i++) {
      errorMs += 15_000
      time = run(time, 30_000, errorMs).time
    }
    assert.isDefined(time.doubt)
    assert.isBelow(time.nowMs, bornMs + time.monotonicMs + errorMs - 100_000)
  })

  it("a process that nobody let run counts a minute of it at most", () => {
    const doubted = run(fresh, minuteMs, dayMs).time
    const { time } = step(doubted, { wallMs: bornMs + 11 * minuteMs + dayMs, monotonicMs: 11 * minuteMs })
    assert.strictEqual(time.doubt?.agreedMs, 30_000 + minuteMs)
  })
})

describe("at a start", () => {
  const at = (kept: KeptTime | undefined, wallMs: number) => begin(kept, { wallMs, monotonicMs: 7 })

  it("believes the wall clock when nothing is kept", () => assert.strictEqual(at(undefined, 5).time.nowMs, 5))

  it("takes a clock that is a few minutes ahead for the time that it was off", () => {
    const { time, happened } = at({ trustedMs: bornMs }, bornMs + 5 * minuteMs)
    assert.strictEqual(time.nowMs, bornMs + 5 * minuteMs)
    assert.isUndefined(happened)
  })

  it("doubts a clock that is a month ahead, as it does after a month off, and believes it ten minutes later", () => {
    const started = at({ trustedMs: bornMs }, bornMs + 30 * dayMs)
    assert.strictEqual(started.time.nowMs, bornMs)
    assert.deepEqual(started.happened, { _tag: "Doubted", byMs: 30 * dayMs })
    const later = run({ ...started.time, monotonicMs: 0, doubt: undefined }, 11 * minuteMs, 30 * dayMs)
    assert.strictEqual(later.time.nowMs, bornMs + 30 * dayMs + 11 * minuteMs)
  })

  it("does not go back for a clock that is a second behind what was kept", () => {
    const { time, happened } = at({ trustedMs: bornMs }, bornMs - 1_000)
    assert.strictEqual(time.nowMs, bornMs)
    assert.isUndefined(happened)
  })

  it("goes on from a file of the future until the clock was believed against it", () => {
    const started = at({ trustedMs: bornMs + dayMs }, bornMs)
    assert.strictEqual(started.time.nowMs, bornMs + dayMs)
    assert.deepEqual(started.happened, { _tag: "Doubted", byMs: -dayMs })
  })

  it("gets there through lives of 20 s each, a day apart", () => {
    let kept: KeptTime = { trustedMs: bornMs }
    let lives = 0
    for (let wallMs = bornMs + dayMs; lives === 0 || kept.doubt !== undefined; wallMs += dayMs) {
      let { time } = begin(kept, { wallMs, monotonicMs: 0 })
      for (const ms of [1_000, 3_000, 7_000, 15_000, 20_000]) {
        time = step(time, { wallMs: wallMs + ms, monotonicMs: ms }).time
      }
      kept = keptOf(time)
      assert.isAtMost(++lives, 31)
    }
    assert.strictEqual(lives, 30)
  })

  it("begins the minutes anew when the clock went back meanwhile", () => {
    const kept = { trustedMs: bornMs, doubt: { wallMs: bornMs + dayMs, agreedMs: 9 * minuteMs } }
    assert.strictEqual(at(kept, bornMs + dayMs).time.doubt?.agreedMs, 9 * minuteMs)
    assert.strictEqual(at(kept, bornMs + dayMs - minuteMs).time.doubt?.agreedMs, 0)
  })
})

describe("what a control plane's timestamp proves", () => {
  /** The node is an hour old; the wall clock is off by `errorMs`. */
  const doubting = (errorMs: number) => run(run(fresh, hourMs, 0).time, 30_000, errorMs).time
  const told = (time: TrustedTime, controlPlaneMs: number) =>
    confirm(time, { wallMs: time.nowMs + time.deviationMs, monotonicMs: time.monotonicMs }, controlPlaneMs)

  it("a fresh one that agrees with the clock confirms the jump, forward and backward", () => {
    for (const byMs of [dayMs, -dayMs]) {
      const time = doubting(byMs)
      const { happened } = told(time, time.nowMs + byMs - 20_000)
      assert.deepInclude(happened, { _tag: "Believed", byMs, because: "control plane" })
    }
  })

  it("a later one than the trusted time brings it forward so far, no further", () => {
    const time = doubting(30 * dayMs)
    const next = told(time, time.nowMs + 20 * dayMs)
    assert.strictEqual(next.time.nowMs, time.nowMs + 20 * dayMs)
    assert.isDefined(next.time.doubt)
  })

  it("an old one proves nothing", () => {
    const ahead = doubting(dayMs)
    assert.isUndefined(told(ahead, ahead.nowMs - hourMs).happened)
    const behind = doubting(-dayMs)
    assert.isUndefined(told(behind, behind.nowMs - hourMs).happened)
    assert.isUndefined(told(behind, behind.nowMs - 2 * dayMs).happened)
  })

  it("one that fits the trusted time as well as a clock that went back a little does not confirm that clock", () => {
    const behind = doubting(-30_000)
    assert.isUndefined(told(behind, behind.nowMs - 25_000).happened)
  })

  it("one of a control plane whose clock is wrong moves nothing alone", () => {
    const right = run(fresh, hourMs, 0).time
    assert.isUndefined(told(right, right.nowMs + 365 * dayMs).happened)
    const wandering = step(right, { wallMs: right.nowMs + 1_000, monotonicMs: right.monotonicMs }).time
    assert.isUndefined(told(wandering, right.nowMs + 30_000).happened)
    const behind = doubting(-dayMs)
    assert.isUndefined(told(behind, behind.nowMs + 365 * dayMs).happened)
  })
})
