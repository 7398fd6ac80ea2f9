/**
 * What a configuration goes through on its way to object storage and back, beyond gzip: nothing, unless it is encrypted to
 * the nodes' keys. Whoever can write there needs nobody's secret; whoever reads needs one of the nodes' own.
 */
import { Context, Data, Effect } from "effect"

export class EnvelopeProtectionError extends Data.TaggedError("EnvelopeProtectionError")<{
  /** For people; holds no key. */
  readonly message: string
}> {}

export interface EnvelopeProtection {
  /** True when what is written is encrypted: nothing is written in plain beside it then. */
  readonly isEncrypting: boolean
  readonly protect: (bytes: Uint8Array) => Effect.Effect<Uint8Array, EnvelopeProtectionError>
  /** What is not encrypted comes back as it is: whether it is believed is not decided here. */
  readonly unprotect: (bytes: Uint8Array) => Effect.Effect<Uint8Array, EnvelopeProtectionError>
}

const header = new TextEncoder().encode("age-encryption.org/")

/** By its first bytes, which say so in plain; whether anybody can read it is not known. */
export const isEncrypted = (bytes: Uint8Array): boolean => header.every((byte, index) => bytes[index] === byte)

const none: EnvelopeProtection = { isEncrypting: false, protect: Effect.succeed, unprotect: Effect.succeed }

export const EnvelopeProtection = Context.Reference<EnvelopeProtection>("holdfast/services/EnvelopeProtection", {
  defaultValue: () => none
})
