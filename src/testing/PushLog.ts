/** What control planes have pushed in a world, in order: what the checkers hold a node's configuration against. */
import { createHash } from "node:crypto"
import type { Row } from "../model/Entity.ts"

export interface Push {
  /** Grows with every push. */
  readonly sequence: number
  readonly atMs: number
  /** What the control plane calls it; absent when it is not to be read, or of another type. */
  readonly hash: string | undefined
  /** SHA-256 of the bytes as they go over the wire. */
  readonly digest: string
  /** Whether a node must take it. */
  readonly isValid: boolean
  /** What is wrong with it, in a word. */
  readonly flaw: string | undefined
  readonly table: Row | undefined
}

export interface PushLog {
  readonly add: (push: {
    readonly atMs: number
    readonly hash: string | undefined
    readonly bytes: Uint8Array
    readonly flaw?: string | undefined
    readonly table?: Row | undefined
  }) => Push
  readonly all: () => ReadonlyArray<Push>
  /** What every node should run once it has heard of it. */
  readonly latestValid: () => Push | undefined
  /** The newest push of this hash. */
  readonly byHash: (hash: string) => Push | undefined
  readonly byDigest: (digest: string) => Push | undefined
}

export const digestOf = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex")

export const makePushLog = (): PushLog => {
  const pushes: Array<Push> = []
  const byHash = new Map<string, Push>()
  const byDigest = new Map<string, Push>()
  let latestValid: Push | undefined
  return {
    add: ({ atMs, hash, bytes, flaw, table }) => {
      const push: Push = {
        sequence: pushes.length + 1,
        atMs,
        hash,
        digest: digestOf(bytes),
        isValid: flaw === undefined,
        flaw,
        table
      }
      pushes.push(push)
      if (hash !== undefined && push.isValid) byHash.set(hash, push)
      byDigest.set(push.digest, push)
      if (push.isValid) latestValid = push
      return push
    },
    all: () => pushes,
    latestValid: () => latestValid,
    byHash: (hash) => byHash.get(hash),
    byDigest: (digest) => byDigest.get(digest)
  }
}
