/**
 * How a call to a virtual disk goes: counted, then befallen by the conditions that hold and by the fault that is planned
 * for it, then done, wholly, partly or not at all.
 */
import { Clock, Effect } from "effect"
import { DiskError, type DiskOperation } from "../services/Disk.ts"
import type { DiskFault, FaultPlan } from "./VirtualDiskFaults.ts"
import type { Code } from "./VirtualDiskState.ts"

/** What holds for every call until it changes. */
export interface DiskConditions {
  /** All files together; a write beyond it writes what fits and fails with ENOSPC. */
  readonly capacityBytes?: number
  /** Whatever would change anything fails with EROFS. */
  readonly isReadOnly?: boolean
  /** Flushes succeed and do nothing. */
  readonly losesFlushes?: boolean
  /** No call returns until this changes; then they all run. */
  readonly isStuck?: boolean
  /** What each call takes. */
  readonly slowMs?: number
  /** What befalls single calls. */
  readonly faultOf?: FaultPlan
}

/** Does `part` of its work, from 0 to 1, or refuses. */
type Act<A> = (nowMs: number, part: number) => A | Code

export interface Calls {
  readonly call: <A extends object | undefined>(
    operation: DiskOperation,
    path: string,
    act: Act<A>
  ) => Effect.Effect<A, DiskError>
  readonly conditions: () => DiskConditions
  readonly become: (conditions: DiskConditions) => void
  readonly callCount: () => number
  /** The process is gone: whatever it still calls fails and does nothing. */
  readonly end: () => void
}

const changing: ReadonlySet<DiskOperation> = new Set(["create", "append", "write", "rename", "link", "remove"])
const flushing: ReadonlySet<DiskOperation> = new Set(["sync", "syncFolder"])

export const makeCalls = (): Calls => {
  let conditions: DiskConditions = {}
  let isGone = false
  let callCount = 0
  let waiting: Array<() => void> = []

  const awake = Effect.callback<void>((resume) => {
    waiting.push(() => resume(Effect.void))
  })

  const wake = (): void => {
    const all = waiting
    waiting = []
    for (const each of all) each()
  }

  const call: Calls["call"] = <A extends object | undefined>(operation: DiskOperation, path: string, act: Act<A>) => {
    const failure = (code: string, text = "virtual disk") =>
      Effect.fail(new DiskError({ operation, path, code, message: `${code}: ${text}, ${operation} '${path}'` }))
    const orphan = Effect.suspend(() => failure("EIO", "the process that made this call is gone"))

    const perform = (part: number): Effect.Effect<A, DiskError> =>
      Clock.clockWith((clock) => {
        if (isGone) return orphan
        if (conditions.isReadOnly === true && changing.has(operation)) return failure("EROFS")
        const answer = act(clock.currentTimeMillisUnsafe(), part)
        return typeof answer === "string" ? failure(answer) : Effect.succeed(answer)
      })

    /** Whatever comes of it, the call goes on as it must. */
    const begin = (part: number): Effect.Effect<unknown> =>
      operation === "write" || part >= 1 ? Effect.exit(perform(part)) : Effect.void

    const befall = (fault: DiskFault): Effect.Effect<A, DiskError> => {
      switch (fault._tag) {
        case "Fails":
          // A flush that fails leaves its mark: the pages count as clean from now on.
          return operation === "sync"
            ? Effect.andThen(Effect.exit(perform(0)), failure(fault.code))
            : Effect.andThen(begin(Math.min(fault.part ?? 0, 0.999)), failure(fault.code))
        case "Loses":
          if (flushing.has(operation)) return Effect.succeed(undefined as A)
          return perform(operation === "write" ? fault.part : 1)
        case "Slow":
          return Effect.delay(perform(1), fault.ms)
        case "Hangs":
          return begin(fault.part).pipe(Effect.andThen(awake), Effect.andThen(orphan))
      }
    }

    const lost: DiskFault = { _tag: "Loses", part: 0 }

    const go = (n: number): Effect.Effect<A, DiskError> => {
      const { isStuck = false, losesFlushes = false, faultOf, slowMs } = conditions
      if (isGone) return orphan
      if (isStuck) return Effect.andThen(awake, () => go(n))
      const fault = faultOf?.({ n, operation, path }) ?? (losesFlushes && flushing.has(operation) ? lost : undefined)
      const going = fault === undefined ? perform(1) : befall(fault)
      return slowMs === undefined ? going : Effect.delay(going, slowMs)
    }

    return Effect.suspend(() => go(++callCount))
  }

  return {
    call,
    conditions: () => conditions,
    become: (next) => {
      conditions = next
      wake()
    },
    callCount: () => callCount,
    end: () => {
      isGone = true
      wake()
    }
  }
}
