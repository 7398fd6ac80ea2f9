/** What the log and the status hear of the spool: each change of its state once, however often the disk is tried. */
import { Effect } from "effect"
import type { Piece, Shelf } from "./Shelf.ts"

export interface TellingOptions {
  readonly folder: string
  readonly maxBytes: number
  readonly shelf: Shelf
}

/** So much of the bound must be free again before drops count as over. */
const freeAgain = 0.5

export const makeTelling = ({ folder, maxBytes, shelf }: TellingOptions) => {
  let problem: string | undefined
  let isDropping = false
  const leftAside = new Set<string>()

  const trouble = Effect.fnUntraced(function* (cause: string) {
    const isNew = problem === undefined
    problem = cause
    if (isNew)
      yield* Effect.logWarning("telemetry can't be written; it waits in memory").pipe(
        Effect.annotateLogs({ folder, cause })
      )
  })

  const isWell = Effect.suspend(() => {
    if (problem === undefined) return Effect.void
    problem = undefined
    return Effect.logInfo("telemetry is written again").pipe(Effect.annotateLogs({ folder }))
  })

  const dropped = Effect.suspend(() => {
    if (isDropping) return Effect.void
    isDropping = true
    return Effect.logWarning("telemetry is dropped, for it waits too long or needs too much room").pipe(
      Effect.annotateLogs({ folder, maxBytes, ...shelf.dropped })
    )
  })

  const roomMade = Effect.suspend(() => {
    if (!isDropping || shelf.bytes > maxBytes * freeAgain) return Effect.void
    isDropping = false
    return Effect.logInfo("telemetry is no longer dropped").pipe(Effect.annotateLogs({ folder, ...shelf.dropped }))
  })

  const aside = Effect.fnUntraced(function* (file: string, reason: string) {
    if (leftAside.has(file)) return
    leftAside.add(file)
    yield* Effect.logWarning("a file of telemetry is left aside").pipe(Effect.annotateLogs({ file, reason }))
  })

  const damaged = (file: string | undefined, records: number, reason: string) =>
    Effect.logWarning("records of telemetry are lost").pipe(Effect.annotateLogs({ file, records, reason }))

  return {
    problem: () => problem,
    trouble,
    isWell,
    dropped,
    roomMade,
    leftAside: aside,
    damaged: (file: string, lines: number) => damaged(file, lines, "damaged"),
    lost: ({ file }: Piece, records: number, reason: string) => damaged(file, records, reason)
  }
}

export type Telling = ReturnType<typeof makeTelling>
