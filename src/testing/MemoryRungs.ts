/**
 * The disk rung and the declarative file in memory, for nodes without a file system: what they promise is what the real
 * ones promise, and the same suite (`test/conformance/rung.ts`) asks for it. What lies there may be damaged, replaced and
 * removed by hand; a twin can be started anew, as a node is.
 */
import { Effect } from "effect"
import { hashTable } from "../model/ConfigHash.ts"
import type { Row } from "../model/Entity.ts"
import type { Fault } from "../model/Fault.ts"
import type { Snapshot } from "../model/Snapshot.ts"
import { ConfigCacheError, type WritableRung } from "../services/ConfigCache.ts"
import type { Offer } from "../services/LiveConfig.ts"
import type { Rung, RungAnswer } from "../services/Rung.ts"

/** What lies somewhere: a table under its name, or something that is none. Two are the same if they are one object. */
export type Held =
  | { readonly _tag: "Table"; readonly raw: Row; readonly hash: string; readonly receivedAtMs: number }
  | { readonly _tag: "Damaged" }

const nothing = (reason: string): RungAnswer => ({ _tag: "Nothing", reason })

const damage = (place: string): Fault => ({ path: [], place, message: "damaged" })

const heldOf = ({ raw, hash, receivedAtMs }: Snapshot): Held => ({ _tag: "Table", raw, hash, receivedAtMs })

export const tableHeld = (raw: Row): Held => ({ _tag: "Table", raw, hash: hashTable(raw).config, receivedAtMs: 0 })

export interface MemoryCache {
  /** As a node finds it that starts now. */
  readonly start: () => WritableRung
  /** The current file; assignable by hand. */
  current: Held | undefined
  /** The newest first. */
  generations: ReadonlyArray<Held>
  quarantine: ReadonlyArray<{ readonly held: Held; readonly reasons: ReadonlyArray<string> }>
  /** What the next writes fail with. */
  failure: string | undefined
}

const quarantineMax = 10

export const makeMemoryCache = (generationsMax = 5): MemoryCache => {
  const file = "memory:config.json.gz"

  const start = (): WritableRung => {
    let own = memory.current
    let known: Held | undefined
    let trusted: Held | undefined

    /** What stood there before is a change by hand when it comes again. */
    const becomesOwn = (held: Held | undefined): void => {
      own = held
      known = undefined
    }

    const putAway = (held: Held, reasons: ReadonlyArray<string>): void => {
      const others = memory.quarantine.filter((kept) => kept.held !== held)
      memory.quarantine = [...others, { held, reasons }].slice(-quarantineMax)
    }

    const answerFor = (
      held: Held,
      place: string,
      served: () => void,
      refused: (reasons: ReadonlyArray<string>) => RungAnswer
    ): RungAnswer => {
      if (held._tag === "Damaged") {
        const next = Effect.sync(() => refused(["damaged"]))
        return { _tag: "Unusable", stage: "read", faults: [damage(place)], next }
      }
      const { raw, hash, receivedAtMs } = held
      const offer: Offer = { raw, hash, receivedAtMs, source: "disk", place }
      return {
        _tag: "Candidate",
        offer,
        served: Effect.sync(served),
        refused: (rejected) => Effect.sync(() => refused(rejected.faults.map(({ message }) => message)))
      }
    }

    const older = (current: Held, reasons: ReadonlyArray<string>): RungAnswer => {
      const [held] = memory.generations
      if (held === undefined) {
        putAway(current, reasons)
        memory.current = undefined
        return nothing("nothing older is left")
      }
      const take = (): void => {
        memory.generations = memory.generations.filter((each) => each !== held)
      }
      const promote = (): void => {
        putAway(current, reasons)
        take()
        memory.current = trusted = held
        becomesOwn(held)
      }
      return answerFor(held, "memory:generations", promote, (worse) => {
        putAway(held, worse)
        take()
        return older(current, reasons)
      })
    }

    const offer = Effect.sync(() => {
      const held = memory.current
      becomesOwn(held)
      trusted = undefined
      if (held === undefined) return nothing("there is no file")
      return answerFor(
        held,
        file,
        () => {
          trusted = held
        },
        (reasons) => older(held, reasons)
      )
    })

    const keepFormer = (): void => {
      const former = memory.current
      if (former === undefined || former !== trusted) return
      memory.generations = [former, ...memory.generations].slice(0, generationsMax)
    }

    const write: WritableRung["write"] = (snapshot, isStillWanted = Effect.succeed(true)) =>
      Effect.flatMap(isStillWanted, (isWanted) => {
        const { failure } = memory
        if (!isWanted) return Effect.void
        if (failure !== undefined)
          return Effect.fail(new ConfigCacheError({ operation: "write", file, message: failure, code: failure }))
        keepFormer()
        memory.current = trusted = heldOf(snapshot)
        becomesOwn(memory.current)
        return Effect.void
      })

    const offerByHand = Effect.sync(() => {
      const held = memory.current
      becomesOwn(undefined)
      known = held
      if (held === undefined) return nothing("there is no file")
      return answerFor(
        held,
        file,
        () => {
          trusted = held
        },
        (reasons) => {
          putAway(held, reasons)
          return nothing("it stays as it is")
        }
      )
    })

    const state = Effect.sync(() => {
      const held = memory.current
      if (held === undefined) return "absent"
      return held === own ? "own" : held === known ? "known" : "foreign"
    })

    const adopt = Effect.sync(() => {
      trusted = memory.current
      becomesOwn(memory.current)
    })
    return { source: "disk", offer, write, byHand: { file, adopt, state, offer: offerByHand } }
  }

  const memory: MemoryCache = { start, current: undefined, generations: [], quarantine: [], failure: undefined }
  return memory
}

export interface MemoryFile {
  readonly start: () => Rung
  /** Assignable by hand; the author's, whom nobody takes it from. */
  held: Held | undefined
}

export const makeMemoryFile = (): MemoryFile => {
  const place = "memory:kong.yml"
  const nothingElse = Effect.succeed(nothing("there is nothing else in its place"))
  const offer = Effect.sync((): RungAnswer => {
    const { held } = memory
    if (held === undefined) return nothing("no setting names one")
    if (held._tag === "Damaged")
      return { _tag: "Unusable", stage: "syntax", faults: [damage(place)], next: nothingElse }
    const { raw, hash, receivedAtMs } = held
    return {
      _tag: "Candidate",
      offer: { raw, hash, receivedAtMs, source: "declarative_file", place },
      served: Effect.void,
      refused: () => nothingElse
    }
  })
  const memory: MemoryFile = { start: () => ({ source: "declarative_file", offer }), held: undefined }
  return memory
}
