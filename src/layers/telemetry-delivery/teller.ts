/**
 * Tells people how delivery fares: the status at any moment, the log once a change. What counts is what was acknowledged: a
 * control plane that takes every connection and no batch is away, too.
 */
import { Effect, MutableRef } from "effect"
import { type Acknowledgement, TelemetrySpool } from "../../services/TelemetrySpool.ts"
import { type DeliveryState, TelemetryStatus } from "../../services/TelemetryStatus.ts"
import { TrustedClock } from "../../services/TrustedClock.ts"

export const makeTeller = Effect.gen(function* () {
  const status = yield* TelemetryStatus
  const spool = yield* TelemetrySpool
  const clock = yield* TrustedClock
  let told: "delivering" | "failing" | "local" | undefined
  MutableRef.set(status.spool, spool.facts)

  const become = (state: DeliveryState) => Effect.sync(() => void MutableRef.set(status.delivery, state))

  const off = become({ _tag: "off" })

  const idle = become({ _tag: "idle" })

  const opened = Effect.flatMap(clock.nowMs, (sinceMs) => become({ _tag: "connected", sinceMs }))

  const remember = (acknowledged: ReadonlyArray<Acknowledgement>, atMs: number): void => {
    const before = MutableRef.get(status.lastAcknowledgement)?.acknowledged ?? []
    const lanes = new Map([...before, ...acknowledged].map((given) => [given.lane, given]))
    MutableRef.set(status.lastAcknowledgement, { acknowledged: [...lanes.values()], atMs })
  }

  const acknowledged = Effect.fnUntraced(function* (given: ReadonlyArray<Acknowledgement>) {
    remember(given, yield* clock.nowMs)
    if (told === "delivering") return
    told = "delivering"
    yield* Effect.logInfo("telemetry is delivered").pipe(Effect.annotateLogs({ spooled: spool.facts().records }))
  })

  const failed = Effect.fnUntraced(function* (cause: string) {
    const before = MutableRef.get(status.delivery)
    const attempts = before._tag === "disconnected" ? before.attempts + 1 : 1
    const sinceMs = before._tag === "disconnected" ? before.sinceMs : yield* clock.nowMs
    yield* become({ _tag: "disconnected", reason: cause, sinceMs, attempts })
    if (told === "failing") return
    told = "failing"
    yield* Effect.logWarning("telemetry can't be delivered; it waits on this node").pipe(Effect.annotateLogs({ cause }))
  })

  const local = Effect.fnUntraced(function* (reason: string) {
    const before = MutableRef.get(status.delivery)
    const sinceMs = before._tag === "local" ? before.sinceMs : yield* clock.nowMs
    yield* become({ _tag: "local", reason, sinceMs })
    if (told === "local") return
    told = "local"
    yield* Effect.logInfo("telemetry stays on this node").pipe(Effect.annotateLogs({ reason }))
  })

  return { off, idle, opened, acknowledged, failed, local }
})
