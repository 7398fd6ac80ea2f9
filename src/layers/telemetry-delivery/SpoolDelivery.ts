/**
 * TelemetryDelivery out of the TelemetrySpool, over the TelemetryDialer. A connection is opened when there is something to
 * deliver, and kept for as long as there is; when it breaks, the next one waits as the configuration's does, so that a fleet
 * does not come back at once.
 *
 * Whoever takes no telemetry is asked rarely: a control plane of Kong's, whose own format is not public (`telemetry.md` §A.4).
 */
import { Effect, Layer, MutableRef, Random } from "effect"
import { batchTargetBytes } from "../../model/telemetry/TelemetryWire.ts"
import { messageOf } from "../../model/thrown.ts"
import { SessionEnd } from "../../services/ClusterDialer.ts"
import { Compression } from "../../services/Compression.ts"
import type { ReconnectPolicy } from "../../services/ReconnectPolicy.ts"
import { makeDelays } from "../../services/reconnectDelays.ts"
import { Settings } from "../../services/Settings.ts"
import { TelemetryDelivery } from "../../services/TelemetryDelivery.ts"
import { TelemetryDialer } from "../../services/TelemetryDialer.ts"
import { TelemetrySpool } from "../../services/TelemetrySpool.ts"
import type { TelemetryStatus } from "../../services/TelemetryStatus.ts"
import type { TrustedClock } from "../../services/TrustedClock.ts"
import { deliverOver, type Means } from "./batches.ts"
import { makeTeller } from "./teller.ts"

/** How long until whoever takes no telemetry is asked again, and the jitter on top. */
const localRetryMs = 300_000
const localJitterMs = 60_000
/** Batches become smaller while none is taken, for it may be their size. */
const smallestTargetBytes = 16_384

/** Answers that pass: what stands before a control plane is overloaded, or asks who we are. */
const passingStatuses: ReadonlySet<number> = new Set([407, 408, 425, 429])
const notImplemented = 501
const serverErrors = 500

/** Whether this answer says that no telemetry is taken there, rather than that it can't be taken now. */
const isNoTaker = ({ reason, status }: SessionEnd): boolean => {
  if (reason !== "refused" || status === undefined || passingStatuses.has(status)) return false
  return status < serverErrors || status === notImplemented
}

const make = Effect.gen(function* () {
  const settings = yield* Settings
  const dialer = yield* TelemetryDialer
  const spool = yield* TelemetrySpool
  const compression = yield* Compression
  const delays = yield* makeDelays
  const tell = yield* makeTeller
  if (!settings.telemetry) {
    yield* tell.off
    return TelemetryDelivery.of({ run: Effect.never })
  }
  const targetBytes = MutableRef.make(batchTargetBytes)

  const session = Effect.fnUntraced(function* (onProgress: () => void) {
    const means: Means = {
      spool,
      compression,
      targetBytes,
      onAcknowledged: (acknowledged) => {
        onProgress()
        MutableRef.set(targetBytes, batchTargetBytes)
        return tell.acknowledged(acknowledged)
      }
    }
    const socket = yield* dialer.dial
    yield* tell.opened
    return yield* deliverOver(socket, means)
  }, Effect.scoped)

  const shrink = () => MutableRef.update(targetBytes, (bytes) => Math.max(smallestTargetBytes, bytes >> 1))

  const pause = Effect.fnUntraced(function* (end: SessionEnd, isFresh: boolean) {
    if (isNoTaker(end)) {
      yield* tell.local(`the control plane takes no telemetry: ${end.message}`)
      return localRetryMs + (yield* Random.next) * localJitterMs
    }
    yield* tell.failed(end.message)
    if (end.reason === "broken") shrink()
    return yield* delays.next(end, isFresh)
  })

  /** Nobody is dialled before there is something to say. */
  const turn = Effect.gen(function* () {
    yield* spool.take(MutableRef.get(targetBytes))
    let isFresh = false
    const end = yield* session(() => {
      isFresh = true
    }).pipe(
      Effect.catchDefect((defect) =>
        Effect.fail(new SessionEnd({ reason: "broken", message: `defect: ${messageOf(defect)}` }))
      ),
      Effect.match({ onSuccess: () => undefined, onFailure: (broken) => broken })
    )
    if (end === undefined) yield* tell.idle
    else yield* Effect.sleep(yield* pause(end, isFresh))
  })

  const konnect = tell.local("konnect_mode is on, and Konnect's format is not public")
  return TelemetryDelivery.of({
    run: settings.konnect_mode ? Effect.andThen(konnect, Effect.never) : Effect.forever(turn)
  })
})

export const layer: Layer.Layer<
  TelemetryDelivery,
  never,
  Settings | TelemetryDialer | TelemetrySpool | Compression | ReconnectPolicy | TelemetryStatus | TrustedClock
> = Layer.effect(TelemetryDelivery, make)
