/**
 * From the bytes of an envelope (`ConfigEncoding` has the form) to what a rung may offer: decrypt, inflate, decode, check
 * the format, the digest and the gateway version that it was written for. Whether it is believed, newer and right is
 * decided by LiveConfig, which gets it.
 *
 * But where signatures are asked for, nothing is parsed that nobody trusted has signed: a few kilobytes that somebody made for
 * it become so many objects that they hold the thread for seconds, or end the process.
 */
import { Data, Effect } from "effect"
import { decodeCachedTable, readOrigin } from "../model/CachedTable.ts"
import { digestOfTable, splitEnvelope } from "../model/EnvelopeParts.ts"
import { formatFault } from "../model/Fault.ts"
import { versionProblem } from "../model/GatewayVersion.ts"
import { provenanceOf, type RungSource } from "../model/Snapshot.ts"
import { isShortOfMemory, messageOf } from "../model/thrown.ts"
import { Compression, inflatedMaxBytes } from "./Compression.ts"
import { ConfigCodec } from "./ConfigCodec.ts"
import { ConfigTrust } from "./ConfigTrust.ts"
import { EnvelopeProtection } from "./EnvelopeProtection.ts"
import type { Offer } from "./LiveConfig.ts"
import { Settings } from "./Settings.ts"
import { takeTurns } from "./takeTurns.ts"

/** At which step an envelope was refused, and why. The same bytes would be refused again, unless it says otherwise. */
export class EnvelopeRefused extends Data.TaggedError("EnvelopeRefused")<{
  readonly stage: "decrypt" | "size" | "gzip" | "trust" | "json" | "format" | "digest" | "version"
  readonly message: string
  /** Other settings, or another day, would let it serve. */
  readonly mayServeYet?: true
}> {}

export interface EnvelopeOrigin {
  readonly source: RungSource
  /** For people: the address of the peer, the object's. */
  readonly place: string
  /** When it was got; for an envelope that does not say when its control plane gave it. */
  readonly nowMs: number
}

/** Want of memory is no fault of what is read, and passes: a defect, which nobody takes for a verdict. */
export const inflated = Effect.fnUntraced(function* (bytes: Uint8Array) {
  const { gunzip } = yield* Compression
  return yield* Effect.catch(gunzip(bytes, inflatedMaxBytes), (error) =>
    error.reason === "noMemory"
      ? Effect.die(error)
      : Effect.fail(
          new EnvelopeRefused({ stage: error.reason === "tooLarge" ? "size" : "gzip", message: error.message })
        )
  )
})

/** What throws at a text would throw again; want of memory passes. */
export const processed = <A>(work: () => A): Effect.Effect<A, EnvelopeRefused> =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(work())
    } catch (cause) {
      if (isShortOfMemory(cause)) return Effect.die(cause)
      return Effect.fail(new EnvelopeRefused({ stage: "json", message: `can't be processed (${messageOf(cause)})` }))
    }
  })

/** The provenance alone is read, and the bytes of the table are digested. */
const refuseUntrusted = Effect.fnUntraced(function* (text: Uint8Array) {
  const { judgeUnread } = yield* ConfigTrust
  const parts = splitEnvelope(text)
  const told = parts === undefined ? undefined : readOrigin(parts.provenance)
  // In a newer Holdfast's format a signature can't be looked for: what is wrong is said below.
  const attestation = told?._tag === "Right" ? told.attestation : undefined
  const sha256 = parts === undefined ? Effect.succeed("") : takeTurns(() => digestOfTable(parts))
  const distrust = yield* judgeUnread(attestation, sha256)
  if (distrust === undefined) return
  if (told?._tag === "Wrong") return yield* new EnvelopeRefused({ stage: "format", message: told.message })
  const message = distrust.faults.map(formatFault).join("; ")
  const where = parts === undefined ? "; none is looked for in what is not written as an exporter writes it" : ""
  return yield* new EnvelopeRefused({
    stage: "trust",
    message: `${message}${where}`,
    ...(distrust.mayServeYet ? { mayServeYet: true } : {})
  })
})

/** The text of an envelope, or of a table without provenance. */
export const readTableText = Effect.fnUntraced(function* (text: Uint8Array, origin: EnvelopeOrigin) {
  yield* refuseUntrusted(text)
  const { kong_version } = yield* Settings
  const { describeTable } = yield* ConfigCodec
  // A neighbour has proved that it has the cluster's key, and could seal what it says; a store holds whatever was put there.
  const believed = origin.source === "peer" ? "told" : "signed"
  const decoded = yield* processed(() => decodeCachedTable(new TextDecoder().decode(text), describeTable, believed))
  if (decoded._tag === "Wrong") return yield* new EnvelopeRefused({ stage: decoded.stage, message: decoded.message })
  const problem =
    decoded.gatewayVersion === undefined ? undefined : versionProblem(decoded.gatewayVersion, kong_version)
  if (problem !== undefined) return yield* new EnvelopeRefused({ stage: "version", message: problem })
  const { raw, hash, sha256, receivedAtMs = origin.nowMs } = decoded
  const { source, place } = origin
  const told = sha256 === undefined ? {} : { sha256 }
  return { raw, hash, receivedAtMs, source, place, ...told, ...provenanceOf(decoded) } satisfies Offer
})

export const readEnvelope = Effect.fnUntraced(function* (protectedBytes: Uint8Array, origin: EnvelopeOrigin) {
  const { unprotect } = yield* EnvelopeProtection
  const bytes = yield* Effect.mapError(
    unprotect(protectedBytes),
    ({ message }) => new EnvelopeRefused({ stage: "decrypt", message })
  )
  return yield* readTableText(yield* inflated(bytes), origin)
})
