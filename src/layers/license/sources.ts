/**
 * The places where a licence may stand, best first (reference `resilience.md` §6.1; a declarative licence overrides the
 * environment). A look never fails and never waits for long.
 */
import { join } from "node:path"
import { Effect } from "effect"
import type { FoundLicense } from "../../model/FoundLicense.ts"
import { licenseMaxBytes } from "../../model/License.ts"
import { Disk, type DiskError } from "../../services/Disk.ts"
import type { LicenseSource } from "../../services/LicenseGuard.ts"
import { Settings } from "../../services/Settings.ts"
import { type Look, makeMemory } from "./Memory.ts"
import type { Judgement } from "./readLicense.ts"

export interface Place {
  readonly source: LicenseSource
  /** Where it is a file, which may change under way. */
  readonly file: string | undefined
  readonly look: Effect.Effect<Look>
}

const nothing: FoundLicense = { _tag: "Nothing" }

/** A disk that never answers must not keep a node from opening. */
const patience = "5 seconds"

const unreadable = (message: string): FoundLicense => ({ _tag: "Unreadable", faults: [{ path: [], message }] })

const contentOf = (bytes: Uint8Array): FoundLicense => {
  try {
    return { _tag: "Text", text: new TextDecoder("utf-8", { fatal: true }).decode(bytes) }
  } catch {
    return unreadable("expected UTF-8")
  }
}

const isAbsent = ({ code }: DiskError): boolean => code === "ENOENT" || code === "ENOTDIR"

const lookAt = (disk: Disk["Service"], file: string, whenAbsent: FoundLicense): Effect.Effect<FoundLicense> =>
  disk.read(file, licenseMaxBytes).pipe(
    Effect.map(({ bytes }) => contentOf(bytes)),
    Effect.catch((error) =>
      Effect.succeed(isAbsent(error) ? whenAbsent : unreadable(`expected a readable file (${error.code})`))
    ),
    Effect.timeoutOrElse({
      duration: patience,
      orElse: () => Effect.succeed(unreadable(`expected an answer of the disk within ${patience}`))
    })
  )

const noFile: FoundLicense = {
  _tag: "Missing",
  faults: [{ path: ["license_path"], message: "expected the path of a file that exists" }]
}

export const findPlaces = Effect.fnUntraced(function* (judgement: Judgement) {
  const { license_data: data, license_path: path, prefix } = yield* Settings
  const memory = yield* makeMemory(judgement)
  const disk = yield* Disk
  const inPrefix = join(prefix, "license.json")
  const only = Effect.map((found: FoundLicense): Look => ({ found }))
  const inSettings: FoundLicense = data === undefined ? nothing : { _tag: "Text", text: data }
  const atPath = path === undefined ? Effect.succeed(nothing) : lookAt(disk, path, noFile)
  const places: ReadonlyArray<Place> = [
    { source: "configuration", file: undefined, look: memory.look },
    { source: "license_data", file: undefined, look: only(Effect.succeed(inSettings)) },
    { source: "license_path", file: path, look: only(atPath) },
    { source: "prefix", file: inPrefix, look: only(lookAt(disk, inPrefix, nothing)) }
  ]
  return places
})
