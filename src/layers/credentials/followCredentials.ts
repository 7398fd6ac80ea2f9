/**
 * Takes what the files hold when they change. Two of them change one after the other, and what doesn't belong together
 * is not taken: the former credentials stay, which is said once, until a later look finds everything in order.
 */
import { Effect, Queue } from "effect"
import { type Fault, formatFault } from "../../model/Fault.ts"
import type { FileWatch } from "../../services/FileWatch.ts"
import { supervise } from "../../services/supervise.ts"
import type { LoadedCredentials } from "./clusterCredentials.ts"

/** Certificate and key are copied one after the other; in this time most copies are done. */
const settleDelay = "1 second"
/** What was refused may have been refused for a passing reason that no file tells of, such as too many open files. */
const lookAgainDelay = "30 seconds"

/** Looks at the files now; whenever one of them changes from here on, a mark is left. */
export const watchFiles = Effect.fnUntraced(function* (
  watch: FileWatch["Service"]["watch"],
  files: ReadonlyArray<string>
) {
  const marks = yield* Queue.sliding<void>(1)
  for (const file of files) {
    const { changed } = yield* watch(file)
    yield* supervise(
      "cluster credentials watch",
      Effect.forever(Effect.andThen(changed, Queue.offer(marks, undefined)))
    )
  }
  return marks
})

export interface Followed {
  /** Where something may have changed. */
  readonly marks: Queue.Dequeue<void>
  readonly load: Effect.Effect<LoadedCredentials, ReadonlyArray<Fault>>
  /** Told of everything that could be loaded, also when it is what is there already. */
  readonly take: (loaded: LoadedCredentials) => Effect.Effect<void>
}

export const follow = Effect.fnUntraced(function* ({ marks, load, take }: Followed) {
  let toldReasons = ""

  const refuse = Effect.fnUntraced(function* (faults: ReadonlyArray<Fault>) {
    const reasons = faults.map(formatFault)
    if (reasons.join() === toldReasons) return
    toldReasons = reasons.join()
    yield* Effect.logWarning("changed cluster credentials can't be used; the former ones stay").pipe(
      Effect.annotateLogs({ reasons })
    )
  })

  const look = Effect.gen(function* () {
    const mark = Queue.take(marks)
    yield* toldReasons === "" ? mark : Effect.raceFirst(mark, Effect.sleep(lookAgainDelay))
    const settled = Effect.andThen(Effect.sleep(settleDelay), load)
    // A file that is read while somebody writes it is no file that is wrong.
    const loaded = yield* Effect.catch(settled, () => settled)
    toldReasons = ""
    yield* take(loaded)
  }).pipe(Effect.catch(refuse))

  yield* supervise("cluster credentials reload", Effect.forever(look))
})
