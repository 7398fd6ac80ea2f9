/**
 * The link to the control plane.
 *
 *   stopped   → dialling                 started
 *   dialling  → greeting                 opened
 *   dialling  → waiting                  the dial failed or took 5 s
 *   greeting  → live                     the introduction is out
 *   greeting  → waiting                  it can't be sent within 5 s
 *   live      → waiting                  a close, a broken socket, 45 s without any frame
 *   waiting   → dialling                 the delay that the reconnect policy chose is over
 *   any       → stopped                  the node stops
 *
 * There is no state in which it gives up.
 */
import type { SessionEvent } from "./Event.ts"
import { dialLimitMs, fallbackDelayMs, greetLimitMs, pingIntervalMs, silenceLimitMs } from "./limits.ts"
import type { EndFacts, SessionState } from "./State.ts"
import { type Step, sequence, stay } from "./sequence.ts"

type Event<Tag extends SessionEvent["_tag"]> = Extract<SessionEvent, { readonly _tag: Tag }>

const longestTimerMs = 2_147_483_647

/** A policy of an embedder's may answer anything; a timer takes only some of it. */
const sane = (delayMs: number): number =>
  Number.isFinite(delayMs) && delayMs >= 0 ? Math.min(delayMs, longestTimerMs) : fallbackDelayMs

const isOpen = ({ link }: SessionState): boolean => link.phase !== "stopped" && link.phase !== "waiting"

const dial = (state: SessionState, nowMs: number): Step => {
  const number = state.dial + 1
  const link = { phase: "dialling", untilMs: nowMs + dialLimitMs } as const
  return [{ ...state, dial: number, link }, [{ _tag: "dial", dial: number }]]
}

/** A policy that throws, or never answers, costs its delay and not the connection. */
const end = (state: SessionState, facts: EndFacts, nowMs: number): Step => [
  { ...state, link: { phase: "waiting", untilMs: nowMs + fallbackDelayMs, isChosen: false } },
  [
    { _tag: "hangUp", dial: state.dial },
    { _tag: "chooseDelay", end: facts, isFresh: state.link.phase === "live" },
    { _tag: "tell", change: { _tag: "disconnected", end: facts } }
  ]
]

/** Whoever hangs up decides what comes next. */
const hangUp = (state: SessionState): Step =>
  isOpen(state) ? [state, [{ _tag: "hangUp", dial: state.dial }]] : stay(state)

/** Tells what `announced` says; the next one is due a whole interval later. */
export const ping = (state: SessionState, nowMs: number): Step =>
  state.link.phase === "live"
    ? [
        { ...state, link: { ...state.link, pingAtMs: nowMs + pingIntervalMs } },
        [{ _tag: "ping", dial: state.dial, hash: state.announced }]
      ]
    : stay(state)

/** Once a refusal, while somebody is there to be told. */
export const report = (state: SessionState): Step =>
  state.link.phase === "live" && state.unreported !== undefined
    ? [state, [{ _tag: "report", dial: state.dial, rejection: state.unreported }]]
    : stay(state)

export const onStarted = (state: SessionState, { nowMs }: Event<"started">): Step =>
  sequence(
    state,
    hangUp,
    (free) => [free, [{ _tag: "tell", change: { _tag: "connecting" } }]],
    (free) => dial(free, nowMs)
  )

export const onStopped = (state: SessionState): Step =>
  sequence(state, hangUp, (free) => stay({ ...free, link: { phase: "stopped" } }))

export const onOpened = (state: SessionState, event: Event<"opened">): Step =>
  state.link.phase === "dialling" && event.dial === state.dial
    ? [
        { ...state, link: { phase: "greeting", untilMs: event.nowMs + greetLimitMs } },
        [{ _tag: "greet", dial: state.dial }]
      ]
    : stay(state)

export const onGreeted = (state: SessionState, { dial: number, nowMs }: Event<"greeted">): Step => {
  if (state.link.phase !== "greeting" || number !== state.dial) return stay(state)
  const link = {
    phase: "live",
    pingAtMs: nowMs,
    silentAtMs: nowMs + silenceLimitMs,
    settlesAtMs: nowMs + pingIntervalMs
  } as const
  return sequence(
    { ...state, link },
    (live) => [live, [{ _tag: "tell", change: { _tag: "connected" } }]],
    (live) => ping(live, nowMs),
    report
  )
}

/** Whatever it is, somebody is there. */
export const onSign = (state: SessionState, nowMs: number): Step =>
  state.link.phase === "live"
    ? stay({ ...state, link: { ...state.link, silentAtMs: nowMs + silenceLimitMs } })
    : stay(state)

export const onEnded = (state: SessionState, event: Event<"ended">): Step =>
  isOpen(state) && event.dial === state.dial ? end(state, event.end, event.nowMs) : stay(state)

export const onDelayChosen = (state: SessionState, { delayMs, nowMs }: Event<"delayChosen">): Step =>
  state.link.phase === "waiting" && !state.link.isChosen
    ? stay({ ...state, link: { phase: "waiting", untilMs: nowMs + sane(delayMs), isChosen: true } })
    : stay(state)

export const onReported = (state: SessionState, { id }: Event<"reported">): Step =>
  state.unreported?.id === id ? stay({ ...state, unreported: undefined }) : stay(state)

const settle = (state: SessionState, nowMs: number): Step =>
  state.link.phase === "live" && state.link.settlesAtMs !== undefined && nowMs >= state.link.settlesAtMs
    ? [{ ...state, link: { ...state.link, settlesAtMs: undefined } }, [{ _tag: "tell", change: { _tag: "settled" } }]]
    : stay(state)

export const onLinkTick = (state: SessionState, nowMs: number): Step => {
  const { link } = state
  switch (link.phase) {
    case "stopped":
      return stay(state)
    case "dialling":
      if (nowMs < link.untilMs) return stay(state)
      return end(state, { reason: "dialFailed", message: `no connection within ${dialLimitMs} ms` }, nowMs)
    case "greeting":
      if (nowMs < link.untilMs) return stay(state)
      return end(state, { reason: "broken", message: `nothing could be sent for ${greetLimitMs} ms` }, nowMs)
    case "live":
      // Silence first: a peer that is gone needs no ping.
      if (nowMs >= link.silentAtMs) {
        return end(state, { reason: "silent", message: `nothing received for ${silenceLimitMs / 1000} s` }, nowMs)
      }
      return settle(state, nowMs)
    case "waiting":
      return nowMs >= link.untilMs ? dial(state, nowMs) : stay(state)
  }
}

/** Once everything else that is due has been done: it tells what is announced by then, and may not be needed any more. */
export const onPingTick = (state: SessionState, nowMs: number): Step =>
  state.link.phase === "live" && nowMs >= state.link.pingAtMs ? ping(state, nowMs) : stay(state)
