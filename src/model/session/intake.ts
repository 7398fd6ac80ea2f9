/**
 * The intake of configurations. The order for each is data, in the sequence of actions: `apply` (requests see it),
 * `persist` (a restart finds it), `ping` (the control plane learns of it). What can't be persisted in time is announced
 * all the same and owed to the disk; the state says so (`durability`).
 *
 *   apply:    idle → applying → idle         applied, ignored, refused: the newest that waited is next
 *             applying → retrying → applying failed for a reason that passes; a newer payload takes its place
 *   persist:  idle → writing → idle          one write at a time; what came to serve meanwhile is written next
 *             writing → retrying → writing   with growing pauses, until it works or something newer came
 */
import type { Change } from "./Action.ts"
import type { SessionEvent } from "./Event.ts"
import { persistPatienceMs, refusedMax, retryDelayMs } from "./limits.ts"
import { ping, report } from "./link.ts"
import type { Apply, Payload, SessionState } from "./State.ts"
import { type Step, sequence, stay } from "./sequence.ts"

type Event<Tag extends SessionEvent["_tag"]> = Extract<SessionEvent, { readonly _tag: Tag }>

const begin = (state: SessionState, payload: Payload, failures: number): Step => [
  { ...state, apply: { phase: "applying", payload, failures } },
  [{ _tag: "apply", payload, refused: state.refused }]
]

/** A payload waits its turn; one that waited is forgotten, for only the newest counts (`hybrid-protocol-v1.md` §6.6). */
export const onPayload = (state: SessionState, payload: Payload): Step => {
  if (state.refused.includes(payload.digest)) return stay(state)
  if (state.apply.phase !== "applying") return begin(state, payload, 0)
  const isUnderWay = state.pending === undefined && state.apply.payload.digest === payload.digest
  return isUnderWay ? stay(state) : stay({ ...state, pending: payload })
}

/** What waited may have been refused meanwhile: the same bytes can have been under way and waiting at once. */
const takeNext = (state: SessionState): Step => {
  const { pending } = state
  const next = { ...state, pending: undefined }
  return pending === undefined || state.refused.includes(pending.digest) ? stay(next) : begin(next, pending, 0)
}

const whileApplying = (
  state: SessionState,
  use: (apply: Extract<Apply, { readonly phase: "applying" }>) => Step
): Step => (state.apply.phase === "applying" ? use(state.apply) : stay(state))

const idle = (state: SessionState): SessionState => ({ ...state, apply: { phase: "idle" } })

export const onIgnored = (state: SessionState): Step => whileApplying(state, () => takeNext(idle(state)))

export const onRefused = (state: SessionState, { content, rejection }: Event<"refused">): Step =>
  whileApplying(state, ({ payload }) => {
    const known = state.refused.filter((name) => name !== content && name !== payload.digest)
    const names = content === payload.digest ? [content] : [payload.digest, content]
    const refused = [...known, ...names].slice(-refusedMax)
    return sequence(
      { ...idle(state), refused, unreported: rejection ?? state.unreported },
      (next) => (rejection === undefined ? stay(next) : report(next)),
      takeNext
    )
  })

export const onApplyFailed = (state: SessionState, { nowMs }: Event<"applyFailed">): Step =>
  whileApplying(state, ({ payload, failures }) => {
    if (state.pending !== undefined) return takeNext(idle(state))
    const retryAtMs = nowMs + retryDelayMs(failures + 1)
    return stay({ ...state, apply: { phase: "retrying", payload, failures: failures + 1, retryAtMs } })
  })

// --- persist and announce ---

const write = (state: SessionState, hash: string, failures: number): Step => [
  { ...state, persist: { phase: "writing", hash, next: undefined, failures } },
  [{ _tag: "persist", hash }]
]

/**
 * Something newer is written at once, but the pauses go on growing: they are the disk's, whichever configuration it
 * refused. The write that is under way may have been begun for what served before.
 */
const persist = (state: SessionState, hash: string): Step => {
  const now = state.persist
  if (now.phase !== "writing") return write(state, hash, now.phase === "retrying" ? now.failures : 0)
  return stay({ ...state, persist: { ...now, next: now.hash === hash ? undefined : hash } })
}

const announce = (state: SessionState, nowMs: number): Step =>
  state.unannounced === undefined
    ? stay(state)
    : ping({ ...state, announced: state.unannounced.hash, unannounced: undefined }, nowMs)

/** Also when it served already: the control plane expects to hear of it (`hybrid-protocol-v1.md` §6.8). */
export const onApplied = (state: SessionState, { hash, nowMs }: Event<"applied">): Step =>
  whileApplying(state, () => {
    // A stream of configurations that outruns the disk is announced no later than its first one.
    const byMs = state.unannounced?.byMs ?? nowMs + persistPatienceMs
    return sequence({ ...idle(state), unannounced: { hash, byMs } }, (next) => persist(next, hash), takeNext)
  })

const clear = (state: SessionState, change: Change): Step =>
  state.durability === "ok" ? stay(state) : [{ ...state, durability: "ok" }, [{ _tag: "tell", change }]]

/** It stands where it is kept; what was owed to the disk for another configuration is owed no more. */
export const onServed = (state: SessionState, { hash, nowMs }: Event<"served">): Step =>
  sequence(
    { ...state, unannounced: undefined },
    (next) =>
      next.persist.phase === "retrying"
        ? clear({ ...next, persist: { phase: "idle" } }, { _tag: "persistMoot" })
        : stay(next),
    // Told as soon as anybody can be; the same again is no news.
    (next) => (next.announced === hash ? stay(next) : ping({ ...next, announced: hash }, nowMs))
  )

export const onPersisted = (state: SessionState, { nowMs }: Event<"persisted">): Step => {
  const now = state.persist
  if (now.phase !== "writing") return stay(state)
  if (now.next !== undefined) return write(state, now.next, 0)
  return sequence(
    { ...state, persist: { phase: "idle" } },
    (next) => clear(next, { _tag: "persistMended", hash: now.hash }),
    (next) => announce(next, nowMs)
  )
}

/** It is not on disk, and nobody wants it there; what serves instead is told by its own event. */
export const onPersistMoot = (state: SessionState): Step => {
  const now = state.persist
  if (now.phase !== "writing") return stay(state)
  if (now.next !== undefined) return write(state, now.next, 0)
  return clear({ ...state, persist: { phase: "idle" }, unannounced: undefined }, { _tag: "persistMoot" })
}

export const onPersistFailed = (state: SessionState, { nowMs, message }: Event<"persistFailed">): Step => {
  const now = state.persist
  if (now.phase !== "writing") return stay(state)
  const failures = now.failures + 1
  const hash = now.next ?? now.hash
  return sequence(
    { ...state, persist: { phase: "retrying", hash, failures, retryAtMs: nowMs + retryDelayMs(failures) } },
    (next) =>
      next.durability === "failing"
        ? stay(next)
        : [{ ...next, durability: "failing" }, [{ _tag: "tell", change: { _tag: "persistFailing", hash, message } }]],
    (next) => announce(next, nowMs)
  )
}

const onPatience = (state: SessionState, nowMs: number): Step => {
  if (state.unannounced === undefined || nowMs < state.unannounced.byMs) return stay(state)
  const { hash } = state.unannounced
  const slow: Step =
    state.durability === "ok"
      ? [{ ...state, durability: "slow" }, [{ _tag: "tell", change: { _tag: "persistSlow", hash } }]]
      : stay(state)
  return sequence(
    state,
    () => slow,
    (next) => announce(next, nowMs)
  )
}

export const onIntakeTick = (state: SessionState, nowMs: number): Step =>
  sequence(
    state,
    (next) =>
      next.apply.phase === "retrying" && nowMs >= next.apply.retryAtMs
        ? begin(next, next.apply.payload, next.apply.failures)
        : stay(next),
    (next) =>
      next.persist.phase === "retrying" && nowMs >= next.persist.retryAtMs
        ? write(next, next.persist.hash, next.persist.failures)
        : stay(next),
    (next) => onPatience(next, nowMs)
  )

/** What was under way when the machine last ran has no outcome any more: it is begun again. */
export const onResumed = (state: SessionState): Step =>
  sequence(
    state,
    (next) => (next.apply.phase === "applying" ? begin(next, next.apply.payload, next.apply.failures) : stay(next)),
    (next) =>
      next.persist.phase === "writing"
        ? write(next, next.persist.next ?? next.persist.hash, next.persist.failures)
        : stay(next)
  )
