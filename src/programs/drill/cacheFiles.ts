/** The files that a node keeps its configurations in, and what may happen to them. */
import { createHash } from "node:crypto"
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { basename, join } from "node:path"
import { Effect } from "effect"
import { StepFailed } from "../stage/Probe.ts"
import type { Ground } from "./Ground.ts"

/** What the disk refuses is a step that failed. */
export const attempt = <A>(run: () => A): Effect.Effect<A, StepFailed> =>
  Effect.try({ try: run, catch: (cause) => new StepFailed({ reason: String(cause) }) })

export const prefixOf = ({ stage }: Ground): string => join(stage.directory, "data-plane")

export const currentFile = (ground: Ground): string => join(prefixOf(ground), "config.json.gz")

const filesIn = (folder: string): ReadonlyArray<string> =>
  existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : []

const generationsOf = (ground: Ground): ReadonlyArray<string> => filesIn(join(prefixOf(ground), "generations"))

/** As a node finds it that was never there before. */
export const emptyDisk = (ground: Ground): Effect.Effect<void, StepFailed> =>
  attempt(() => {
    rmSync(prefixOf(ground), { recursive: true, force: true })
    mkdirSync(prefixOf(ground))
  })

const digestOf = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex")

/** Ends with what the damaged file can be found by. A new file, for the old one may have other names. */
const damage = (file: string, content: Uint8Array): string => {
  rmSync(file)
  writeFileSync(file, content)
  return digestOf(content)
}

/** A write that a power cut ended on a disk that had not kept its word. Ends with the digest of what is left. */
export const tearCurrent = (ground: Ground): Effect.Effect<string, StepFailed> =>
  attempt(() => {
    const whole = readFileSync(currentFile(ground))
    return damage(currentFile(ground), whole.subarray(0, whole.length >> 1))
  })

/** Each gets a content of its own. Ends with the digests of those. */
export const overwriteAll = (ground: Ground): Effect.Effect<ReadonlyArray<string>, StepFailed> =>
  attempt(() =>
    [currentFile(ground), ...generationsOf(ground)]
      .filter((file) => existsSync(file))
      .map((file) => damage(file, Buffer.from(`this was ${basename(file)} once`)))
  )

const ending = ".json.gz"

/** What is in quarantine, by its digest, and the reasons that stand beside it. */
const quarantined = (ground: Ground): Effect.Effect<ReadonlyMap<string, string>, StepFailed> =>
  attempt(() => {
    const files = filesIn(join(prefixOf(ground), "quarantine"))
    const reasonsOf = (file: string): string => {
      const beside = `${file.slice(0, -ending.length)}.reason.txt`
      return files.includes(beside) ? readFileSync(beside, "utf8") : ""
    }
    return new Map(
      files.filter((file) => file.endsWith(ending)).map((file) => [digestOf(readFileSync(file)), reasonsOf(file)])
    )
  })

/** Each of the damaged files stands in quarantine, with the step that refused it: it is put away, not lost. */
export const arePutAway = Effect.fnUntraced(function* (ground: Ground, digests: ReadonlyArray<string>, step: string) {
  const kept = yield* quarantined(ground)
  for (const digest of digests) {
    const reasons = kept.get(digest)
    const short = digest.slice(0, 12)
    if (reasons === undefined) {
      return yield* new StepFailed({ reason: `the damaged file with digest ${short} is not in quarantine` })
    }
    if (!reasons.includes(step)) {
      return yield* new StepFailed({ reason: `${short} is in quarantine, but not because of ${step}: "${reasons}"` })
    }
  }
})
