/**
 * What the cache's bytes go through between gzip and the disk: nothing, unless somebody wants them encrypted at rest.
 * One way in and one way out, for the current file, the older ones and the quarantine alike.
 */
import { Context, Data, Effect } from "effect"

export class CacheProtectionError extends Data.TaggedError("CacheProtectionError")<{
  readonly message: string
  /** The file may be good and can't be judged here and now: its key is not there. Then it is left alone. */
  readonly isPassing: boolean
  /** Which key the file asks for, where it says so; may be shown. */
  readonly keyId?: string
}> {}

export interface Unprotected {
  readonly bytes: Uint8Array
  /** It could be read, and is not protected as a file that is written now would be: it must be written anew. */
  readonly isStale: boolean
}

export interface CacheProtection {
  readonly protect: (bytes: Uint8Array) => Effect.Effect<Uint8Array, CacheProtectionError>
  readonly unprotect: (bytes: Uint8Array) => Effect.Effect<Unprotected, CacheProtectionError>
}

const none: CacheProtection = {
  protect: Effect.succeed,
  unprotect: (bytes) => Effect.succeed({ bytes, isStale: false })
}

export const CacheProtection = Context.Reference<CacheProtection>("holdfast/services/CacheProtection", {
  defaultValue: () => none
})
