/**
 * ConfigReceiver over gzip, JSON, LiveConfig and ConfigCache (`hybrid-protocol-v1.md` §4, §6.7 to §6.9).
 *
 * What is refused keeps its reasons in the status. A content is known by its hash and its table: a control plane that
 * exports it again gives it other bytes, for the time stands in them.
 */
import { createHash } from "node:crypto"
import { Cause, Effect, Exit, Layer, SubscriptionRef } from "effect"
import type { Fault } from "../model/Fault.ts"
import type { Payload } from "../model/session/State.ts"
import { isShortOfMemory, messageOf } from "../model/thrown.ts"
import type { Reconfigure } from "../model/Wire.ts"
import { Compression, inflatedMaxBytes } from "../services/Compression.ts"
import { ConfigCache } from "../services/ConfigCache.ts"
import { ConfigCodec } from "../services/ConfigCodec.ts"
import { type ApplyOutcome, ConfigReceiver } from "../services/ConfigReceiver.ts"
import { ConfigRejected, LiveConfig, type LiveState } from "../services/LiveConfig.ts"
import { TrustedClock } from "../services/TrustedClock.ts"

const rejected = (faults: ReadonlyArray<Fault>, hash?: string) =>
  new ConfigRejected({ source: "control_plane", hash, faults })

const contentName = ({ config_table, config_hash = "" }: Reconfigure): string =>
  createHash("sha256").update(config_hash).update(JSON.stringify(config_table)).digest("hex")

const millisPerSecond = 1_000

const make = Effect.gen(function* () {
  const compression = yield* Compression
  const { decodeReconfigure } = yield* ConfigCodec
  const live = yield* LiveConfig
  const cache = yield* ConfigCache
  const clock = yield* TrustedClock
  /** The hash of what must still be written, even if it comes again meanwhile and is not new then. */
  let owed: string | undefined

  const read = Effect.fnUntraced(function* ({ bytes }: Payload) {
    const json = yield* compression
      .gunzip(bytes, inflatedMaxBytes)
      .pipe(
        Effect.mapError((error) =>
          error.reason === "noMemory" ? error : rejected([{ path: ["reconfigure"], message: error.message }])
        )
      )
    const decoded = decodeReconfigure(json)
    if (decoded._tag === "Wrong") return yield* rejected(decoded.faults)
    if (decoded._tag === "Right") return decoded.message
    yield* Effect.logDebug("message of an unknown type ignored").pipe(Effect.annotateLogs({ type: decoded.type }))
    return undefined
  })

  const serve = Effect.fnUntraced(function* (message: Reconfigure) {
    const receivedAtMs = yield* clock.nowMs
    const { config_table: raw, config_hash: hash } = message
    const { snapshot, isNew } = yield* live.apply({ raw, hash, receivedAtMs, source: "control_plane" })
    if (isNew) owed = snapshot.hash
    return { _tag: "applied", hash: snapshot.hash } satisfies ApplyOutcome
  })

  const refuse = (content: string, error: ConfigRejected): ApplyOutcome => ({
    _tag: "refused",
    content,
    rejected: error
  })

  const applyMessage = Effect.fnUntraced(function* (message: Reconfigure, refused: ReadonlyArray<string>) {
    if (message.timestamp !== undefined) yield* clock.confirm(message.timestamp * millisPerSecond)
    const content = refused.length === 0 ? undefined : contentName(message)
    if (content !== undefined && refused.includes(content)) return { _tag: "refused", content } satisfies ApplyOutcome
    // Told and kept by LiveConfig. What is only outranked is right, and may serve another time.
    return yield* Effect.catch(serve(message), (error) =>
      Effect.sync(
        (): ApplyOutcome =>
          error.isOutranked === true ? { _tag: "ignored" } : refuse(content ?? contentName(message), error)
      )
    )
  })

  const attempt = (payload: Payload, refused: ReadonlyArray<string>): Effect.Effect<ApplyOutcome> =>
    read(payload).pipe(
      Effect.flatMap((message) =>
        message === undefined ? Effect.succeed<ApplyOutcome>({ _tag: "ignored" }) : applyMessage(message, refused)
      ),
      Effect.catchTags({
        CompressionError: ({ message }) => Effect.succeed<ApplyOutcome>({ _tag: "failed", message }),
        ConfigRejected: (error) => Effect.as(live.note(error), refuse(payload.digest, error))
      })
    )

  /** A defect of ours would come again with the same bytes: that refuses the bytes, and stops nothing else. */
  const onDefect = Effect.fnUntraced(function* (payload: Payload, cause: Cause.Cause<never>) {
    const thrown = Cause.squash(cause)
    if (isShortOfMemory(thrown)) return { _tag: "failed", message: messageOf(thrown) } satisfies ApplyOutcome
    yield* Effect.logError("applying a configuration failed", cause)
    const error = rejected([{ path: [], message: `can't be processed (${messageOf(thrown)})` }])
    yield* live.note(error)
    return refuse(payload.digest, error)
  })

  const apply = Effect.fnUntraced(function* (payload: Payload, refused: ReadonlyArray<string>) {
    const exit = yield* Effect.exit(attempt(payload, refused))
    if (Exit.isSuccess(exit)) return exit.value
    if (Cause.hasInterruptsOnly(exit.cause)) return yield* Effect.failCause(exit.cause)
    return yield* onDefect(payload, exit.cause)
  })

  /** A person changed or removed the file: the control plane's configuration takes its place (`resilience.md` §4). */
  const isFileOurs = Effect.suspend(() =>
    cache.byHand === undefined ? Effect.succeed(true) : Effect.map(cache.byHand.state, (state) => state === "own")
  )

  /** A person's file, say, may have taken its place meanwhile. */
  const isServed = (hash: string, { snapshot }: LiveState): boolean =>
    snapshot?.hash === hash && snapshot.source === "control_plane"

  const persist = Effect.fnUntraced(function* (hash: string) {
    const state = yield* SubscriptionRef.get(live.state)
    const { snapshot } = state
    if (snapshot === undefined || !isServed(hash, state)) return
    if (owed !== hash && (yield* isFileOurs)) return
    const isStillServed = Effect.map(SubscriptionRef.get(live.state), (now) => isServed(hash, now))
    yield* cache.write(snapshot, isStillServed)
    if (owed === hash) owed = undefined
  })

  return ConfigReceiver.of({ apply, persist })
})

export const layer: Layer.Layer<ConfigReceiver, never, Compression | LiveConfig | ConfigCache | TrustedClock> =
  Layer.effect(ConfigReceiver, make)
