/**
 * ClusterDialer, and by another path TelemetryDialer, over the virtual network, with the limits and the words of the real one (`hybrid-protocol-v1.md` §1): an
 * attempt and a write may each take 5 s.
 */

import { Cause, Effect, Queue } from "effect"
import { goingAway } from "../model/closeCodes.ts"
import { type ClusterDialer, type ClusterSocket, type Frame, SessionEnd } from "../services/ClusterDialer.ts"
import type { Told } from "./NodeEvent.ts"
import type { VirtualClock } from "./VirtualClock.ts"
import type { ConnectionEnd, End, Message } from "./VirtualConnection.ts"
import type { DialOutcome, DialRequest, VirtualNetwork } from "./VirtualNetwork.ts"

const operationTimeoutMs = 5_000

export interface VirtualDialerOptions {
  readonly network: VirtualNetwork
  readonly address: string
  readonly clock: VirtualClock
  readonly request: DialRequest
  readonly observe: (told: Told) => void
}

const sessionEndOf = (end: ConnectionEnd): SessionEnd =>
  end._tag === "Closed"
    ? new SessionEnd({
        reason: "closed",
        message: `closed by the control plane, code ${end.code} ${end.reason}`.trim()
      })
    : new SessionEnd({ reason: "broken", message: end.message })

const frameOf = (message: Message): Frame | undefined =>
  message._tag === "Binary"
    ? message
    : message._tag === "Text" || message._tag === "Ping" || message._tag === "Pong"
      ? { _tag: message._tag }
      : undefined

const broken = (message: string) => Effect.fail(new SessionEnd({ reason: "broken", message }))

/** Costs a timer only where the kernel's buffer is full. */
const write = (end: End, message: Message): Effect.Effect<void, SessionEnd> =>
  Effect.suspend(() => {
    let outcome: Effect.Effect<void, SessionEnd> | undefined
    let resume: ((outcome: Effect.Effect<void, SessionEnd>) => void) | undefined
    end.send(message, (failure) => {
      outcome = failure === undefined ? Effect.void : broken(failure)
      resume?.(outcome)
    })
    return (
      outcome ??
      Effect.callback<void, SessionEnd>((given) => {
        resume = given
      }).pipe(
        Effect.timeoutOrElse({
          duration: operationTimeoutMs,
          orElse: () => broken(`nothing could be sent for ${operationTimeoutMs} ms`)
        })
      )
    )
  })

const failed = ({ reason, message, retryAfterMs, status }: DialOutcome & { readonly _tag: "Failed" }): SessionEnd =>
  new SessionEnd({
    reason,
    message,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...(status === undefined ? {} : { status })
  })

export const makeVirtualDialer = ({
  network,
  address,
  clock,
  request,
  observe
}: VirtualDialerOptions): ClusterDialer["Service"] => {
  const fail = (end: SessionEnd): Effect.Effect<never, SessionEnd> => {
    observe({ _tag: "DialFailed", message: end.message, retryAfterMs: end.retryAfterMs })
    return Effect.fail(end)
  }

  const attempt = Effect.callback<End, SessionEnd>((resume) => {
    observe({ _tag: "Dialled" })
    const giveUp = clock.after(operationTimeoutMs, () => {
      cancel()
      resume(fail(new SessionEnd({ reason: "dialFailed", message: `no connection within ${operationTimeoutMs} ms` })))
    })
    const cancel = network.dial({ request, address, clock }, (outcome) => {
      giveUp()
      resume(outcome._tag === "Open" ? Effect.succeed(outcome.end) : fail(failed(outcome)))
    })
    return Effect.sync(() => {
      giveUp()
      cancel()
      observe({ _tag: "DialFailed", message: "given up by the node", retryAfterMs: undefined })
    })
  })

  const hangUp = (end: End) =>
    Effect.sync(() => {
      if (!end.isOpen()) return
      end.close(goingAway)
      observe({ _tag: "Ended", by: "node", reason: "closed", message: "closed by the node" })
    })

  const wrap = Effect.fnUntraced(function* (end: End) {
    const frames = yield* Queue.unbounded<Frame, SessionEnd>()
    observe({ _tag: "Opened" })
    end.listen({
      onMessage: (message) => {
        const frame = frameOf(message)
        if (frame === undefined) return
        observe({
          _tag: "Received",
          frame: frame._tag,
          bytes: frame._tag === "Binary" ? frame.bytes : undefined
        })
        Queue.offerUnsafe(frames, frame)
      },
      onEnd: (how) => {
        const ended = sessionEndOf(how)
        observe({ _tag: "Ended", by: "peer", reason: ended.reason, message: ended.message })
        Queue.failCauseUnsafe(frames, Cause.fail(ended))
      }
    })
    return {
      frames,
      send: (bytes) =>
        Effect.tap(write(end, { _tag: "Binary", bytes }), () => Effect.sync(() => observe({ _tag: "Sent", bytes }))),
      ping: (text) =>
        Effect.suspend(() => {
          observe({ _tag: "Announced", hash: text })
          return write(end, { _tag: "Ping", text })
        })
    } satisfies ClusterSocket
  })

  return { dial: Effect.acquireRelease(attempt, hangUp, { interruptible: true }).pipe(Effect.flatMap(wrap)) }
}
