/**
 * The session machine: `step(state, event)` is the whole life of a node's connection, as a pure function. No clock, no
 * randomness, no I/O: time and delays come in with the events, and what is to be done comes out as data.
 *
 * The order contract, for whoever carries actions out: begin them in the order given; feed every outcome back as an
 * event; call again with `tick` once `nextDeadlineMs` has come. `link.ts` and `intake.ts` hold the two regions.
 */
import { zeroHash } from "../Snapshot.ts"
import type { SessionEvent } from "./Event.ts"
import * as Intake from "./intake.ts"
import * as Link from "./link.ts"
import type { SessionState } from "./State.ts"
import { type Step, sequence, stay } from "./sequence.ts"

export const initialState: SessionState = {
  link: { phase: "stopped" },
  dial: 0,
  apply: { phase: "idle" },
  pending: undefined,
  refused: [],
  persist: { phase: "idle" },
  durability: "ok",
  announced: zeroHash,
  unannounced: undefined,
  unreported: undefined
}

const onFrame = (state: SessionState, event: Extract<SessionEvent, { readonly _tag: "frame" }>): Step => {
  const { payload } = event
  if (event.dial !== state.dial || state.link.phase === "stopped") return stay(state)
  // A payload counts even when it overtakes the news that the introduction is out, or meets the end of its session.
  return sequence(
    state,
    (next) => Link.onSign(next, event.nowMs),
    (next) => (payload === undefined ? stay(next) : Intake.onPayload(next, payload))
  )
}

export const step = (state: SessionState, event: SessionEvent): Step => {
  switch (event._tag) {
    case "started":
      return sequence(state, (next) => Link.onStarted(next, event), Intake.onResumed)
    case "stopped":
      return Link.onStopped(state)
    case "tick":
      return sequence(
        state,
        (next) => Link.onLinkTick(next, event.nowMs),
        (next) => Intake.onIntakeTick(next, event.nowMs),
        (next) => Link.onPingTick(next, event.nowMs)
      )
    case "opened":
      return Link.onOpened(state, event)
    case "greeted":
      return Link.onGreeted(state, event)
    case "frame":
      return onFrame(state, event)
    case "ended":
      return Link.onEnded(state, event)
    case "delayChosen":
      return Link.onDelayChosen(state, event)
    case "applied":
      return Intake.onApplied(state, event)
    case "ignored":
      return Intake.onIgnored(state)
    case "refused":
      return Intake.onRefused(state, event)
    case "applyFailed":
      return Intake.onApplyFailed(state, event)
    case "served":
      return Intake.onServed(state, event)
    case "persisted":
      return Intake.onPersisted(state, event)
    case "persistMoot":
      return Intake.onPersistMoot(state)
    case "persistFailed":
      return Intake.onPersistFailed(state, event)
    case "reported":
      return Link.onReported(state, event)
  }
}

const linkDeadlineMs = ({ link }: SessionState): number | undefined => {
  switch (link.phase) {
    case "stopped":
      return undefined
    case "live":
      return Math.min(link.pingAtMs, link.silentAtMs, link.settlesAtMs ?? link.pingAtMs)
    default:
      return link.untilMs
  }
}

/** When `tick` is due next; `undefined` while nothing is waited for. The one timer that a machine needs. */
export const nextDeadlineMs = (state: SessionState): number | undefined => {
  const { apply, persist, unannounced } = state
  const deadlines = [
    linkDeadlineMs(state),
    apply.phase === "retrying" ? apply.retryAtMs : undefined,
    persist.phase === "retrying" ? persist.retryAtMs : undefined,
    unannounced?.byMs
  ].filter((deadline) => deadline !== undefined)
  return deadlines.length === 0 ? undefined : Math.min(...deadlines)
}
