/**
 * The lives that are cut short at every call of the file system, and what must be true afterwards: the node serves the old
 * or the new configuration, never neither, never older than the last announcement of a persisted one (`faults.md`, "#7619
 * crash between load and persist").
 */
import type { GivenSettings } from "../../src/programs/parts.ts"
import { publicPem } from "../support/licenses.ts"
import type { Event } from "./life.ts"

export interface ChildTask {
  readonly settings: GivenSettings
  readonly pushes: ReadonlyArray<number>
  /** Nobody wants to know more than what it serves when it starts. */
  readonly isOnlyAsked?: boolean
  /** Which call, and how much of it is done before the end: 0, 1, or a part of a write. */
  readonly killAt?: { readonly n: number; readonly part: number } | undefined
}

export type ChildLine = Event | { readonly _tag: "Calls"; readonly operations: ReadonlyArray<string> }

/** What somebody does to the files between two lives. Paths are below the prefix. */
export interface Folder {
  readonly list: () => ReadonlyArray<string>
  readonly read: (name: string) => Uint8Array
  readonly write: (name: string, bytes: Uint8Array) => void
}

export interface Scenario {
  readonly name: string
  /** Lives before, one after the other, which nobody disturbs. */
  readonly before: ReadonlyArray<{ readonly pushes: ReadonlyArray<number>; readonly settings?: GivenSettings }>
  readonly damage?: (folder: Folder) => void
  /** What the disk has to offer when the life that is cut short begins. */
  readonly startsWith: number
  readonly pushes: ReadonlyArray<number>
  readonly settings?: GivenSettings
}

const file = "config.json.gz"
const [oldKey, newKey] = ["1".repeat(64), "2".repeat(64)]
const encryptedBy = (...keys: ReadonlyArray<string>): GivenSettings => ({
  config_cache_encryption: "environment",
  config_cache_key: keys.join()
})

/** Nobody has signed what is pushed: the node seals it, and remembers which one is the newest. */
const believing: GivenSettings = { config_trust_keys: publicPem(1) }

const tear = (folder: Folder): void => {
  const bytes = folder.read(file)
  folder.write(file, bytes.subarray(0, bytes.length / 2))
}

export const scenarios: ReadonlyArray<Scenario> = [
  { name: "the first configuration ever", before: [], startsWith: 0, pushes: [1] },
  { name: "the second configuration", before: [{ pushes: [1] }], startsWith: 1, pushes: [2] },
  {
    name: "one more with full generations",
    before: [{ pushes: [1, 2, 3, 4, 5, 6, 7] }],
    startsWith: 7,
    pushes: [8, 9]
  },
  {
    name: "recovery from a torn file, and a configuration after it",
    before: [{ pushes: [1, 2, 3] }],
    damage: tear,
    startsWith: 2,
    pushes: [4]
  },
  {
    name: "quarantine of a torn file, with nothing new",
    before: [{ pushes: [1, 2, 3] }],
    damage: tear,
    startsWith: 2,
    pushes: []
  },
  {
    name: "an encrypted cache",
    before: [{ pushes: [1, 2], settings: encryptedBy(oldKey) }],
    settings: encryptedBy(oldKey),
    startsWith: 2,
    pushes: [3]
  },
  {
    name: "encryption switched on",
    before: [{ pushes: [1, 2, 3] }],
    settings: encryptedBy(oldKey),
    startsWith: 3,
    pushes: []
  },
  {
    name: "encryption switched off, with the key still there",
    before: [{ pushes: [1, 2, 3], settings: encryptedBy(oldKey) }],
    settings: { config_cache_key: oldKey },
    startsWith: 3,
    pushes: [4]
  },
  {
    name: "with trust keys, sealed by the node",
    before: [{ pushes: [1, 2], settings: believing }],
    settings: believing,
    startsWith: 2,
    pushes: [3, 4]
  },
  {
    name: "another key",
    before: [{ pushes: [1, 2, 3], settings: encryptedBy(oldKey) }],
    settings: encryptedBy(newKey, oldKey),
    startsWith: 3,
    pushes: [4]
  }
]

const isPersisted = (event: ChildLine) => event._tag === "Announced" && event.isPersisted

/** What a node may serve that starts after a life which said this. */
export const allowedAfter = (
  { startsWith, pushes }: Scenario,
  said: ReadonlyArray<ChildLine>
): ReadonlyArray<number> => {
  const announced = said.filter(isPersisted).map((event) => (event._tag === "Announced" ? event.serves : 0))
  const oldest = Math.max(startsWith, ...announced)
  return [startsWith, ...pushes].filter((number) => number >= oldest)
}

export type End = NonNullable<ChildTask["killAt"]>

/** The calls at which a life is ended: before and after each, and in the middle of each write. */
export const endsOf = (operations: ReadonlyArray<string>): ReadonlyArray<End> =>
  operations.flatMap((operation, index) =>
    (operation === "write" ? [0, 0.5, 1] : [0, 1]).map((part) => ({ n: index + 1, part }))
  )
