/**
 * What one source holds: the last licence that was right there, in this life or in one before. Something wrong is told
 * once and changes nothing; what is taken away is gone.
 */
import { createHash } from "node:crypto"
import { Effect } from "effect"
import { type Fault, formatFault } from "../../model/Fault.ts"
import type { FoundLicense } from "../../model/FoundLicense.ts"
import type { LicenseSource } from "../../services/LicenseGuard.ts"
import type { Look } from "./Memory.ts"
import { type Held, type Judgement, type Read, readLicense } from "./readLicense.ts"
import type { Place } from "./sources.ts"

interface Refused {
  /** The same for the same content: what was told is not told again. */
  readonly key: string
  readonly reasons: ReadonlyArray<string>
  readonly isMissing: boolean
}

export interface Holder {
  readonly source: LicenseSource
  /** Where the source is a file. */
  readonly file: string | undefined
  readonly held: () => Held | undefined
  readonly refused: () => Refused | undefined
  /** Looks at the source as it is now. */
  readonly look: Effect.Effect<void>
}

const read = (found: FoundLicense, judgement: Judgement): Read => {
  switch (found._tag) {
    case "Nothing":
      return { _tag: "Right", held: undefined }
    case "Text":
      return readLicense(found.text, judgement)
    case "Missing":
    case "Unreadable":
      return { _tag: "Wrong", faults: found.faults }
  }
}

const keyOf = (found: FoundLicense, reasons: ReadonlyArray<string>): string =>
  createHash("sha256")
    .update(found._tag === "Text" ? found.text : reasons.join())
    .digest("hex")

const tell = (source: LicenseSource, { isMissing, reasons }: Refused): Effect.Effect<void> =>
  isMissing
    ? Effect.logWarning("there is no licence where one was said to be").pipe(Effect.annotateLogs({ source, reasons }))
    : Effect.logError("licence refused; what stood before it stays").pipe(Effect.annotateLogs({ source, reasons }))

export const makeHolder = ({ source, file, look }: Place, judgement: Judgement): Holder => {
  let held: Held | undefined
  let refused: Refused | undefined

  const refuse = (found: FoundLicense, faults: ReadonlyArray<Fault>): Effect.Effect<void> => {
    const reasons = faults.map(formatFault)
    const next: Refused = { key: keyOf(found, reasons), reasons, isMissing: found._tag === "Missing" }
    const isTold = refused?.key === next.key
    refused = next
    if (next.isMissing) held = undefined
    return isTold ? Effect.void : tell(source, next)
  }

  /** What stood there in an earlier life, unless by now it would be refused as well. */
  const recall = (text: string): void => {
    const result = readLicense(text, judgement)
    if (result._tag === "Right") held = result.held
  }

  const take = ({ found, before, taken = Effect.void }: Look): Effect.Effect<void> => {
    const result = read(found, judgement)
    if (result._tag === "Wrong") {
      if (before !== undefined) recall(before)
      return refuse(found, result.faults)
    }
    held = result.held
    refused = undefined
    return taken
  }

  return { source, file, held: () => held, refused: () => refused, look: Effect.flatMap(look, take) }
}
