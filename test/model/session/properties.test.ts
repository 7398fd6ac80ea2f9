/**
 * The promises of the session machine under generated sequences of events: outcomes of what it asked for in any order and
 * at any time, frames of every kind, late news of former dials, restarts, nonsense.
 */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import type { SessionEvent } from "../../../src/model/session/Event.ts"
import { dialLimitMs, fallbackDelayMs, silenceLimitMs } from "../../../src/model/session/limits.ts"
import type { EndFacts } from "../../../src/model/session/State.ts"
import { nextDeadlineMs, step } from "../../../src/model/session/step.ts"
import { holds } from "../../support/property.ts"
import { Watcher } from "./watcher.ts"

const names = ["A", "B", "C", "D", "E", "F"] as const

/** A choice of the world's; what it means depends on what the machine waits for. */
type Choice =
  | { readonly kind: "pass"; readonly ms: number }
  | { readonly kind: "untilDeadline" }
  | { readonly kind: "answer"; readonly which: number; readonly how: number }
  | { readonly kind: "frame"; readonly name: (typeof names)[number] | undefined; readonly isLate: boolean }
  | { readonly kind: "end"; readonly reason: EndFacts["reason"]; readonly isLate: boolean }
  | { readonly kind: "served"; readonly name: string }
  | {
      readonly kind: "nonsense"
      readonly tag: "opened" | "greeted" | "applied" | "persisted" | "reported" | "refused" | "delayChosen"
    }
  | { readonly kind: "restart" | "stop" }

const choice: fc.Arbitrary<Choice> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("pass"), ms: fc.integer({ min: 0, max: 50_000 }) }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("untilDeadline") }) },
  {
    weight: 12,
    arbitrary: fc.record({
      kind: fc.constant("answer"),
      which: fc.nat({ max: 7 }),
      how: fc.nat({ max: 9 })
    })
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("frame"),
      name: fc.option(fc.constantFrom(...names), { nil: undefined }),
      isLate: fc.boolean()
    })
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("end"),
      reason: fc.constantFrom("closed", "broken", "dialFailed", "refused"),
      isLate: fc.boolean()
    })
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("served"), name: fc.constantFrom("hand", "rung") }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("nonsense"),
      tag: fc.constantFrom("opened", "greeted", "applied", "persisted", "reported", "refused", "delayChosen")
    })
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom("restart", "restart", "stop") }) }
) as fc.Arbitrary<Choice>

const payload = (digest: string) => ({ digest, bytes: new Uint8Array() })
const bytesOf = (name: string, copy: number) => payload(`${name}${copy}`)

class World {
  readonly watcher = new Watcher()
  #rejections = 0

  get nowMs(): number {
    return this.watcher.nowMs
  }

  pass(ms: number): void {
    const endMs = this.nowMs + ms
    for (let next = nextDeadlineMs(this.watcher.state); next !== undefined && next <= endMs; ) {
      this.watcher.feed({ _tag: "tick", nowMs: Math.max(next, this.nowMs) })
      const following = nextDeadlineMs(this.watcher.state)
      // One tick does all that is due: were something left, whoever carries the machine would spin.
      if (following !== undefined && following <= this.nowMs) throw new Error("the clock stands still")
      next = following
    }
    this.watcher.nowMs = endMs
  }

  /** What somebody who carries the oldest of the machine's wishes out may bring back. */
  answer(which: number, how: number): void {
    const { outstanding } = this.watcher
    const action = outstanding[which % Math.max(1, outstanding.length)]
    if (action === undefined) return
    const nowMs = this.nowMs
    const event = ((): SessionEvent | undefined => {
      switch (action._tag) {
        case "dial":
          return { _tag: "opened", nowMs, dial: action.dial }
        case "greet":
          return { _tag: "greeted", nowMs, dial: action.dial }
        case "report":
          return { _tag: "reported", nowMs, id: action.rejection.id }
        case "chooseDelay":
          return { _tag: "delayChosen", nowMs, delayMs: 5_000 + how * 500 }
        case "apply":
          return this.#applyOutcome(action.payload.digest, how)
        case "persist":
          if (how === 7) return { _tag: "persistMoot", nowMs }
          return how < 7 ? { _tag: "persisted", nowMs } : { _tag: "persistFailed", nowMs, message: "EIO" }
        default:
          return undefined
      }
    })()
    if (event !== undefined) this.watcher.feed(event)
  }

  #applyOutcome(digest: string, how: number): SessionEvent {
    const nowMs = this.nowMs
    const name = digest.slice(0, 1)
    if (how === 9) return { _tag: "applyFailed", nowMs }
    if (how === 8) return { _tag: "ignored", nowMs }
    // E and F are wrong, whatever bytes they come in.
    if (name !== "E" && name !== "F") return { _tag: "applied", nowMs, hash: name.repeat(32) }
    const content = `content${name}`
    const isKnown = this.watcher.state.refused.includes(content)
    return isKnown
      ? { _tag: "refused", nowMs, content }
      : { _tag: "refused", nowMs, content, rejection: { id: ++this.#rejections, hash: name.repeat(32), faults: [] } }
  }

  play(choice: Choice): void {
    const { watcher, nowMs } = this
    const dial = watcher.state.dial
    switch (choice.kind) {
      case "pass":
        return this.pass(choice.ms)
      case "untilDeadline":
        return this.pass(Math.max(0, (nextDeadlineMs(watcher.state) ?? nowMs) - nowMs))
      case "answer":
        return this.answer(choice.which, choice.how)
      case "frame": {
        const from = choice.isLate ? dial - 1 : dial
        const isOpen = ["greeting", "live"].includes(watcher.state.link.phase)
        if (from === dial && !isOpen) return
        const event = { _tag: "frame", nowMs, dial: from } as const
        watcher.feed(choice.name === undefined ? event : { ...event, payload: bytesOf(choice.name, nowMs % 2) })
        return
      }
      case "end":
        watcher.feed({
          _tag: "ended",
          nowMs,
          dial: choice.isLate ? dial - 1 : dial,
          end: { reason: choice.reason, message: "" }
        })
        return
      case "served":
        watcher.feed({ _tag: "served", nowMs, hash: choice.name })
        return
      case "restart":
        watcher.feed({ _tag: "started", nowMs })
        return
      case "stop":
        watcher.feed({ _tag: "stopped", nowMs })
        return
      case "nonsense":
        return this.#nonsense(choice.tag)
    }
  }

  /** Outcomes of what nobody asked for: an outcome that is still owed must not be stolen. */
  #nonsense(tag: Extract<Choice, { readonly kind: "nonsense" }>["tag"]): void {
    const { watcher, nowMs } = this
    const isOwed = { applied: "apply", refused: "apply", persisted: "persist", delayChosen: "chooseDelay" } as const
    if (tag in isOwed && watcher.outstandingOf(isOwed[tag as keyof typeof isOwed]) !== undefined) return
    const events: Record<typeof tag, SessionEvent> = {
      opened: { _tag: "opened", nowMs, dial: watcher.state.dial - 1 },
      greeted: { _tag: "greeted", nowMs, dial: watcher.state.dial + 1 },
      applied: { _tag: "applied", nowMs, hash: "x" },
      refused: { _tag: "refused", nowMs, content: "x" },
      persisted: { _tag: "persisted", nowMs },
      reported: { _tag: "reported", nowMs, id: 0 },
      delayChosen: { _tag: "delayChosen", nowMs, delayMs: 1 }
    }
    watcher.feed(events[tag])
  }
}

const played = (choices: ReadonlyArray<Choice>): World => {
  const world = new World()
  world.watcher.feed({ _tag: "started", nowMs: 0 })
  for (const choice of choices) world.play(choice)
  return world
}

// Without a size, fast-check would end each at a dozen.
const choices = fc.array(choice, { minLength: 1, maxLength: 120, size: "max" })

describe("the session machine, under every sequence of events", () => {
  it("keeps its promises (watcher.ts says which)", () => {
    holds(choices, (all) => void played(all), 1_000)
  })

  it("is a pure function: the same events give the same states and actions", () => {
    holds(choices, (all) => {
      const [first, second] = [played(all), played(all)]
      assert.deepStrictEqual(first.watcher.state, second.watcher.state)
    })
  })

  it("changes nothing when a tick comes before its deadline", () => {
    holds(choices, (all) => {
      const { watcher } = played(all)
      const deadline = nextDeadlineMs(watcher.state)
      if (deadline !== undefined && deadline <= watcher.nowMs) return
      const [state, actions] = step(watcher.state, { _tag: "tick", nowMs: watcher.nowMs })
      assert.deepStrictEqual(state, watcher.state)
      assert.deepStrictEqual(actions, [])
    })
  })
})

describe("once the network is healed", () => {
  /** Everybody answers at once and rightly; the control plane pushes its latest on each connect, and answers pings. */
  const heal = (world: World, delayMs: number, withinMs: number): number => {
    const { watcher } = world
    const healedAtMs = world.nowMs
    const latest = bytesOf("A", 7)
    // A socket from before may be half open: what it would say is lost.
    const lostDial = watcher.state.dial
    if (watcher.state.link.phase === "stopped") watcher.feed({ _tag: "started", nowMs: world.nowMs })
    const isApplied = () => watcher.state.announced === "A".repeat(32) && watcher.state.link.phase === "live"
    while (!isApplied()) {
      if (world.nowMs - healedAtMs > withinMs) return Number.POSITIVE_INFINITY
      for (let action = watcher.outstanding[0]; action !== undefined; action = watcher.outstanding[0]) {
        const isLost = "dial" in action && action.dial === lostDial
        if (isLost) {
          watcher.outstanding = watcher.outstanding.filter((other) => other !== action)
          continue
        }
        if (action._tag === "chooseDelay") watcher.feed({ _tag: "delayChosen", nowMs: world.nowMs, delayMs })
        else world.answer(0, 0)
        if (action._tag === "greet" && watcher.state.link.phase === "live")
          watcher.feed({ _tag: "frame", nowMs: world.nowMs, dial: watcher.state.dial, payload: latest })
      }
      if (isApplied()) break
      const next = nextDeadlineMs(watcher.state)
      if (next === undefined) return Number.POSITIVE_INFINITY
      world.pass(Math.max(0, next - world.nowMs))
    }
    return world.nowMs - healedAtMs
  }

  it("applied is the latest within silence limit, dial timeout and one delay", () => {
    holds(
      fc.tuple(choices, fc.double({ min: 5_000, max: 9_999.9, noNaN: true })),
      ([all, delayMs]) => {
        // What the machine was told to wait before the healing counts as well: at most what is waited without a policy.
        const boundMs = silenceLimitMs + dialLimitMs + Math.max(delayMs, fallbackDelayMs)
        assert.isAtMost(heal(played(all), delayMs, boundMs), boundMs)
      },
      500
    )
  })
})
