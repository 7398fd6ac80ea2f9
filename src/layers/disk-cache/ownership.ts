/**
 * Whose the current file is, and what it is worth, by the digest of its bytes: times and inodes tell nothing of who
 * wrote. One fingerprint stands for all states in which the file can't be read.
 *
 * What counts is what stood there last. Once a person's file was read, the node's own former one is a change by hand like
 * any other, and so is a person's again after the node wrote: whoever undoes what they did wants that as well.
 */
import { absent, unreadable } from "./readCacheFile.ts"

export const makeOwnership = () => {
  /** What this node wrote, or found where it looked first. */
  let own: string | undefined
  /** A write may fail after its file took the other's place: then both are this node's. */
  let attempted: string | undefined
  /** What this node read of a person's. */
  let known: string | undefined
  /** What served, or was written because it serves: worth keeping when something newer comes. */
  let trusted: string | undefined

  const becomesOwn = (digest: string | undefined): void => {
    own = digest
    attempted = undefined
    known = undefined
  }

  return {
    adopt: (found: string): void => {
      becomesOwn(found === absent ? undefined : found)
      trusted = found === unreadable ? undefined : own
    },
    /** `former` is what stands there still: it may be what an earlier attempt left, in other bytes. */
    attempt: (digest: string, former: string): void => {
      if (former === attempted) own = former
      attempted = digest
    },
    wrote: (digest: string): void => {
      becomesOwn(digest)
      trusted = digest
    },
    /** The same content in other bytes stays whose it was. */
    renewed: (before: string, after: string): void => {
      if (own === before) own = after
      if (attempted === before) attempted = after
      if (known === before) known = after
      if (trusted === before) trusted = after
    },
    reads: (found: string): void => {
      becomesOwn(found)
      trusted = undefined
    },
    readsByHand: (found: string): void => {
      becomesOwn(undefined)
      known = found
    },
    trust: (digest: string): void => {
      trusted = digest
    },
    isTrusted: (found: string): boolean => found === trusted,
    stateOf: (found: string): "own" | "known" | "foreign" | "absent" => {
      if (found === absent) return "absent"
      if (found === own || found === attempted) return "own"
      return found === known ? "known" : "foreign"
    }
  }
}

export type Ownership = ReturnType<typeof makeOwnership>
