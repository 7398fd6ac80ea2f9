/**
 * `konnect-network-resiliency.md` and `hybrid-protocol-v1.md` §6.1: between the end of a session, or a failed dial, and the next dial
 * lie 5 to 10 seconds, whatever the wall clock does meanwhile. A refusal that names a time is obeyed, up to a cap.
 */
import { type Checker, type CheckerKind, perNode, type Report, seconds } from "./Checker.ts"

export interface DelayBounds {
  readonly minMs: number
  /** Exclusive. */
  readonly maxMs: number
  /** The longest that a control plane may ask a node to wait. */
  readonly retryAfterMaxMs: number
}

export const kongBounds: DelayBounds = { minMs: 5_000, maxMs: 10_000, retryAfterMaxMs: 300_000 }

/** Rounding of the sums of real-valued times. */
const epsilonMs = 1e-3

const makeChecker = (bounds: DelayBounds, report: Report): Checker => {
  const stateOf = perNode(() => ({
    sinceMs: undefined as number | undefined,
    retryAfterMs: undefined as number | undefined
  }))
  const judge = (node: string, delayMs: number, retryAfterMs: number | undefined): void => {
    if (retryAfterMs !== undefined) {
      const leastMs = Math.min(retryAfterMs, bounds.retryAfterMaxMs)
      if (delayMs < leastMs - epsilonMs)
        report(node, `dialled ${seconds(delayMs)} after it was asked to wait ${seconds(retryAfterMs)}`)
    } else if (delayMs < bounds.minMs - epsilonMs || delayMs >= bounds.maxMs + epsilonMs) {
      report(
        node,
        `dialled ${seconds(delayMs)} after it lost its control plane, where ${seconds(bounds.minMs)} to ${seconds(bounds.maxMs)} are the contract`
      )
    }
  }
  return {
    onEvent: (event) => {
      const state = stateOf(event.node)
      if (event._tag === "Started") {
        state.sinceMs = undefined
      } else if (event._tag === "Ended" || event._tag === "DialFailed") {
        state.sinceMs = event.ownMs
        state.retryAfterMs = event._tag === "DialFailed" ? event.retryAfterMs : undefined
      } else if (event._tag === "Dialled" && state.sinceMs !== undefined) {
        judge(event.node, event.ownMs - state.sinceMs, state.retryAfterMs)
        state.sinceMs = undefined
      }
    }
  }
}

/** With the bounds of a policy of one's own. */
export const reconnectDelayWithin = (bounds: DelayBounds): CheckerKind => ({
  name: "reconnectDelay",
  promise: "every delay after an ended session or a failed dial lies in [5, 10) s",
  make: (_, report) => makeChecker(bounds, report)
})

export const reconnectDelay: CheckerKind = reconnectDelayWithin(kongBounds)
