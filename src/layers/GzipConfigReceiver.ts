/**
 * ConfigReceiver over gzip, JSON, LiveConfig and ConfigCache (`hybrid-protocol-v1.md` §4, §6.7 to §6.9).
 *
 * What is refused keeps its reasons in the status. A content is known by its hash and its table: a control plane that
 * exports it again gives it other bytes, for the time stands in them.
 */
import { Cause, Effect, Exit, Layer, SubscriptionRef } from "effect"
import { isSeal } from "../model/ConfigStatement.ts"
import type { Fault } from "../model/Fault.ts"
import { type Provenance, provenanceOf, type Snapshot, zeroHash } from "../model/Snapshot.ts"
import type { Payload } from "../model/session/State.ts"
import { isShortOfMemory, messageOf } from "../model/thrown.ts"
import type { Reconfigure } from "../model/Wire.ts"
import { Compression, inflatedMaxBytes } from "../services/Compression.ts"
import { ConfigCache } from "../services/ConfigCache.ts"
import { ConfigCodec } from "../services/ConfigCodec.ts"
import { type ApplyOutcome, ConfigReceiver } from "../services/ConfigReceiver.ts"
import { ConfigTrust } from "../services/ConfigTrust.ts"
import { ConfigRejected, LiveConfig, type Offer } from "../services/LiveConfig.ts"
import { TrustedClock } from "../services/TrustedClock.ts"

const rejected = (faults: ReadonlyArray<Fault>, hash?: string) =>
  new ConfigRejected({ source: "control_plane", hash, faults })

const millisPerSecond = 1_000

const provenanceIn = ({ timestamp = Number.NaN, attestation }: Reconfigure): Provenance =>
  attestation === undefined
    ? provenanceOf(
        isInstant(timestamp * millisPerSecond) ? { issuedAtMs: Math.round(timestamp * millisPerSecond) } : {}
      )
    : provenanceOf({ ...attestation.statement, attestation })

/** Further than that there are no dates. */
const isInstant = (ms: number): boolean => Math.abs(ms) <= 8.64e15

const signersOf = ({ attestation }: Snapshot): ReadonlyArray<string> =>
  attestation?.signatures.map(({ by }) => by) ?? []

/** The cache holds the same table, found there at the start and vouched for by others: it is written anew. */
const isBetterVouched = (given: Snapshot, before: Snapshot, seal: string | undefined): boolean => {
  if (before.source !== "disk") return false
  const signers = signersOf(given).filter((by) => !isSeal(by))
  const wanted = signers.length > 0 || seal === undefined ? signers : [seal]
  return wanted.some((by) => !signersOf(before).includes(by))
}

const make = Effect.gen(function* () {
  const compression = yield* Compression
  const { decodeReconfigure, describeTable } = yield* ConfigCodec
  const live = yield* LiveConfig
  const cache = yield* ConfigCache
  const clock = yield* TrustedClock
  const trust = yield* ConfigTrust
  /** The hash of what must still be written, even if it comes again meanwhile and is not new then. */
  let owed: string | undefined
  /** An empty one has no name of its own, and is applied again with each push (§6.9): it is written once all the same. */
  let keptEmpty: string | undefined

  /**
   * The same however it is written: a control plane exports the same table with another time and in another order of keys.
   * What can't even be named is known by its bytes alone.
   */
  const contentName = ({ config_table, config_hash = "" }: Reconfigure, { digest }: Payload): string => {
    try {
      return `${config_hash}:${describeTable(config_table).sha256}`
    } catch {
      return digest
    }
  }

  /** Naming a content is work: it is done where one of the same hash was refused. */
  const refusedBefore = (message: Reconfigure, payload: Payload, refused: ReadonlyArray<string>) => {
    const isSuspect = refused.some((name) => name.startsWith(`${message.config_hash ?? ""}:`))
    const content = isSuspect ? contentName(message, payload) : undefined
    return content !== undefined && refused.includes(content) ? content : undefined
  }

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
    const before = (yield* SubscriptionRef.get(live.state)).snapshot
    const offer: Offer = { raw, hash, receivedAtMs, source: "control_plane", ...provenanceIn(message) }
    const { snapshot, isNew } = yield* live.apply(offer)
    if (!isNew && before !== undefined && isBetterVouched(snapshot, before, yield* trust.sealName)) owed = snapshot.hash
    const isKept = snapshot.hash === zeroHash && keptEmpty === describeTable(raw).sha256
    if (isNew && !isKept) owed = snapshot.hash
    return { _tag: "applied", hash: snapshot.hash } satisfies ApplyOutcome
  })

  const refuse = (content: string, error: ConfigRejected): ApplyOutcome => ({
    _tag: "refused",
    content,
    rejected: error
  })

  const applyMessage = Effect.fnUntraced(function* (
    message: Reconfigure,
    payload: Payload,
    refused: ReadonlyArray<string>
  ) {
    if (message.timestamp !== undefined) yield* clock.confirm(message.timestamp * millisPerSecond)
    const content = refusedBefore(message, payload, refused)
    if (content !== undefined) return { _tag: "refused", content } satisfies ApplyOutcome
    // Told and kept by LiveConfig. What is only outranked is right, and may serve another time.
    return yield* Effect.catch(serve(message), (error) =>
      Effect.sync(
        (): ApplyOutcome =>
          error.isOutranked === true
            ? { _tag: "ignored" }
            : // The same content may come signed another day: only the same bytes would be refused again.
              refuse(error.stage === "trust" ? payload.digest : contentName(message, payload), error)
      )
    )
  })

  const attempt = (payload: Payload, refused: ReadonlyArray<string>): Effect.Effect<ApplyOutcome> =>
    read(payload).pipe(
      Effect.flatMap((message) =>
        message === undefined
          ? Effect.succeed<ApplyOutcome>({ _tag: "ignored" })
          : applyMessage(message, payload, refused)
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

  const servedNow = (hash: string) =>
    Effect.map(SubscriptionRef.get(live.state), ({ snapshot }) => (snapshot?.hash === hash ? snapshot : undefined))

  const persist = Effect.fnUntraced(function* (hash: string) {
    const snapshot = yield* servedNow(hash)
    if (snapshot === undefined) return "moot" as const
    if (owed !== hash && (yield* isFileOurs)) return "kept" as const
    // Asked again where nobody else can write: a person's file, say, may have taken its place meanwhile.
    let isWanted = true
    const isStillServed = Effect.map(servedNow(hash), (now) => {
      isWanted = now !== undefined
      return isWanted
    })
    yield* cache.write(snapshot, isStillServed)
    if (!isWanted) return "moot" as const
    if (owed === hash) owed = undefined
    if (hash === zeroHash) keptEmpty = describeTable(snapshot.raw).sha256
    return "kept" as const
  })

  return ConfigReceiver.of({ apply, persist })
})

export const layer: Layer.Layer<ConfigReceiver, never, Compression | LiveConfig | ConfigCache | TrustedClock> =
  Layer.effect(ConfigReceiver, make)
