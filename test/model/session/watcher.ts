/**
 * Watches a session machine from outside: a plain second version of its rules, which knows only the events that went in and
 * the actions that came out. It throws at the first one that breaks a promise.
 */
import { assert } from "@effect/vitest"
import { zeroHash } from "../../../src/model/Snapshot.ts"
import type { Action } from "../../../src/model/session/Action.ts"
import type { SessionEvent } from "../../../src/model/session/Event.ts"
import {
  fallbackDelayMs,
  persistPatienceMs,
  pingIntervalMs,
  refusedMax,
  silenceLimitMs
} from "../../../src/model/session/limits.ts"
import type { Payload, SessionState } from "../../../src/model/session/State.ts"
import { initialState, nextDeadlineMs, step } from "../../../src/model/session/step.ts"

/** What a state knows in each phase: these, and nothing left over from another one. */
const shapes: ReadonlySet<string> = new Set([
  "link: stopped",
  "link: dialling untilMs",
  "link: greeting untilMs",
  "link: live pingAtMs settlesAtMs silentAtMs",
  "link: waiting isChosen untilMs",
  "apply: idle",
  "apply: applying failures payload",
  "apply: retrying failures payload retryAtMs",
  "persist: idle",
  "persist: writing failures hash next",
  "persist: retrying failures hash retryAtMs"
])

const shapeOf = (region: "link" | "apply" | "persist", { [region]: { phase, ...facts } }: SessionState): string =>
  [`${region}: ${phase}`, ...Object.keys(facts).sort()].join(" ")

export class Watcher {
  state: SessionState = initialState
  nowMs = 0
  /** What was asked for and has no outcome yet. */
  outstanding: ReadonlyArray<Action> = []

  #openDial: number | undefined
  #isGreeted = false
  #lastSignMs = 0
  #greetedAtMs = 0
  #isSettled = false
  #delayUntilMs: number | undefined
  #isDelayChosen = false
  #dialsSeen = 0
  #refused: ReadonlyArray<string> = []
  /** What arrived while something was being applied, newest last. */
  #arrived: ReadonlyArray<Payload> = []
  #newestApplied = ""
  #announceable = zeroHash
  #waiting: { readonly hash: string; readonly byMs: number } | undefined
  #isReported = new Set<number>()
  #sentOverDial = new Map<number, number>()

  outstandingOf<Tag extends Action["_tag"]>(tag: Tag): Extract<Action, { readonly _tag: Tag }> | undefined {
    return this.outstanding.find((action): action is Extract<Action, { readonly _tag: Tag }> => action._tag === tag)
  }

  feed(event: SessionEvent): ReadonlyArray<Action> {
    this.nowMs = event.nowMs
    const before = this.state
    const applying = this.outstandingOf("apply")
    const persisting = this.outstandingOf("persist")
    this.#settle(event)
    this.#learn(event, before, applying?.payload, persisting?.hash)
    const [state, actions] = step(before, event)
    this.state = state
    for (const action of actions) this.#watch(action, event)
    this.#checkState(event, before)
    return actions
  }

  /** An outcome answers its action. */
  #settle(event: SessionEvent): void {
    const answers: Partial<Record<SessionEvent["_tag"], Action["_tag"]>> = {
      delayChosen: "chooseDelay",
      applied: "apply",
      ignored: "apply",
      refused: "apply",
      applyFailed: "apply",
      persisted: "persist",
      persistMoot: "persist",
      persistFailed: "persist"
    }
    // Whoever would have brought the delay is gone with the driver.
    if (event._tag === "started") this.#drop((action) => action._tag === "chooseDelay")
    const tag = answers[event._tag]
    if (tag !== undefined) this.#drop((action) => action._tag === tag)
    if (event._tag === "opened") this.#drop((action) => action._tag === "dial" && action.dial === event.dial)
    if (event._tag === "greeted") this.#drop((action) => action._tag === "greet" && action.dial === event.dial)
    if (event._tag === "reported") this.#drop((action) => action._tag === "report" && action.rejection.id === event.id)
  }

  #drop(isAnswered: (action: Action) => boolean): void {
    const at = this.outstanding.findIndex(isAnswered)
    if (at >= 0) this.outstanding = this.outstanding.filter((_, index) => index !== at)
  }

  #learn(
    event: SessionEvent,
    before: SessionState,
    applying: Payload | undefined,
    persisting: string | undefined
  ): void {
    switch (event._tag) {
      case "frame": {
        if (event.dial !== this.#openDial && event.dial !== before.dial) return
        if (before.link.phase === "live") this.#lastSignMs = event.nowMs
        if (event.payload !== undefined && before.link.phase !== "stopped")
          this.#arrived = [...this.#arrived, event.payload]
        return
      }
      case "greeted":
        if (event.dial === this.#openDial && before.link.phase === "greeting") {
          this.#isGreeted = true
          this.#greetedAtMs = event.nowMs
          this.#isSettled = false
          this.#lastSignMs = event.nowMs
        }
        return
      case "delayChosen":
        if (before.link.phase === "waiting" && !this.#isDelayChosen) {
          this.#delayUntilMs = event.nowMs + event.delayMs
          this.#isDelayChosen = true
        }
        return
      case "applied":
        if (applying === undefined) return
        this.#newestApplied = event.hash
        this.#waiting = { hash: event.hash, byMs: this.#waiting?.byMs ?? event.nowMs + persistPatienceMs }
        return
      case "refused":
        if (applying === undefined) return
        this.#refused = [
          ...this.#refused.filter((name) => name !== applying.digest && name !== event.content),
          applying.digest,
          event.content
        ].slice(-refusedMax)
        return
      case "served":
        this.#announceable = event.hash
        this.#waiting = undefined
        return
      case "persisted":
        if (persisting !== undefined && persisting === this.#waiting?.hash && persisting === this.#newestApplied)
          this.#mayAnnounce()
        return
      case "persistFailed":
        if (persisting !== undefined) this.#mayAnnounce()
        return
      case "persistMoot":
        if (persisting !== undefined && persisting === this.#newestApplied) this.#waiting = undefined
        return
      case "tick":
        if (this.#waiting !== undefined && event.nowMs >= this.#waiting.byMs) this.#mayAnnounce()
        return
      case "reported":
        this.#isReported.add(event.id)
        return
      default:
        return
    }
  }

  #mayAnnounce(): void {
    if (this.#waiting === undefined) return
    this.#announceable = this.#waiting.hash
    this.#waiting = undefined
  }

  #watch(action: Action, event: SessionEvent): void {
    switch (action._tag) {
      case "dial":
        assert.isUndefined(this.#openDial, "a dial while another one is open")
        assert.strictEqual(action.dial, this.#dialsSeen + 1)
        if (event._tag === "tick" && this.#delayUntilMs !== undefined)
          assert.isAtLeast(event.nowMs, this.#delayUntilMs, "dialled before the delay was over")
        this.#dialsSeen = action.dial
        this.#openDial = action.dial
        this.#isGreeted = false
        this.#delayUntilMs = undefined
        break
      case "hangUp":
        assert.strictEqual(action.dial, this.#openDial, "hung up what was not open")
        this.#openDial = undefined
        this.outstanding = this.outstanding.filter((other) => !("dial" in other && other.dial === action.dial))
        return
      case "greet":
        assert.strictEqual(action.dial, this.#openDial)
        break
      case "ping":
        assert.strictEqual(action.dial, this.#openDial, "a ping over a socket that is not open")
        assert.isTrue(this.#isGreeted, "a ping before the introduction")
        assert.strictEqual(
          action.hash,
          this.#announceable,
          "announced what is neither persisted nor failed nor overdue"
        )
        return
      case "report": {
        assert.strictEqual(action.dial, this.#openDial)
        assert.isTrue(this.#isGreeted)
        assert.isFalse(this.#isReported.has(action.rejection.id), "reported again what was reported")
        assert.notStrictEqual(this.#sentOverDial.get(action.rejection.id), action.dial, "reported twice in one session")
        this.#sentOverDial.set(action.rejection.id, action.dial)
        break
      }
      case "chooseDelay":
        // One that has not answered by now is not waited for any more.
        this.#drop((other) => other._tag === "chooseDelay")
        this.#delayUntilMs = event.nowMs + fallbackDelayMs
        this.#isDelayChosen = false
        break
      case "apply":
        this.#watchApply(action.payload, event)
        break
      case "persist":
        if (event._tag !== "started") assert.isUndefined(this.outstandingOf("persist"), "two writes at once")
        assert.strictEqual(action.hash, this.#newestApplied, "persists what does not serve")
        if (event._tag === "started") this.#drop((other) => other._tag === "persist")
        break
      case "tell":
        if (action.change._tag !== "settled") return
        assert.isFalse(this.#isSettled, "settled twice")
        assert.isAtLeast(event.nowMs, this.#greetedAtMs + pingIntervalMs, "settled too early")
        this.#isSettled = true
        return
    }
    this.outstanding = [...this.outstanding, action]
  }

  #watchApply(payload: Payload, event: SessionEvent): void {
    if (event._tag === "started") {
      this.#drop((other) => other._tag === "apply")
      return
    }
    assert.isUndefined(this.outstandingOf("apply"), "two configurations are applied at once")
    assert.notInclude(this.#refused, payload.digest, "tried again what was refused")
    const candidates = this.#arrived.filter(({ digest }) => !this.#refused.includes(digest))
    const newest = candidates.at(-1)
    if (newest !== undefined) assert.strictEqual(payload.digest, newest.digest, "did not take the newest")
    this.#arrived = []
  }

  #checkState(event: SessionEvent, before: SessionState): void {
    const { link, refused } = this.state
    for (const region of ["link", "apply", "persist"] as const) {
      const shape = shapeOf(region, this.state)
      if (!shapes.has(shape)) assert.fail(`no such state: ${shape}`)
    }
    assert.isAtMost(refused.length, refusedMax)
    assert.strictEqual(new Set(refused).size, refused.length)
    if (link.phase === "live" && event._tag === "tick")
      assert.isBelow(event.nowMs, this.#lastSignMs + silenceLimitMs, "45 s of silence, and still live")
    if (before.link.phase === "live" && link.phase === "waiting" && event._tag === "tick")
      assert.isAtLeast(event.nowMs, this.#lastSignMs + silenceLimitMs, "ended a session that was not silent")
    if (link.phase !== "stopped") assert.isDefined(nextDeadlineMs(this.state), "nothing will ever wake it")
  }
}
