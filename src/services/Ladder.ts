/**
 * The ladder: where a node takes its configuration from, best rung first (`DESIGN.md`, "The life of a node", 2 and 3).
 * At start the rungs that need no network are asked, in the order of the node's preference; the first candidate that is
 * accepted serves. What is passed over is kept with its reasons, and LiveConfig tells each climb and fall as it happens:
 * the control plane's configurations, too, go no other way.
 */
import { Cause, Effect, Option, type Scope, SubscriptionRef } from "effect"
import { type Fault, formatFault } from "../model/Fault.ts"
import { inOrder, preferenceOf } from "../model/SourcePreference.ts"
import { ConfigCache } from "./ConfigCache.ts"
import { DeclarativeConfig } from "./DeclarativeConfig.ts"
import { noAnswer, whileDiskAnswers } from "./DiskSilence.ts"
import { type Applied, ConfigRejected, LiveConfig, type Offer, showPassedOver } from "./LiveConfig.ts"
import type { Rung, RungAnswer } from "./Rung.ts"
import { Settings } from "./Settings.ts"

/** All of them are told as a rejected configuration; a rung that is passed over is told in a few words. */
const shownFaultsMax = 3

const inShort = (faults: ReadonlyArray<Fault>): ReadonlyArray<string> => {
  const shown = faults.slice(0, shownFaultsMax).map(formatFault)
  const untold = faults.length - shown.length
  return untold === 0 ? shown : [...shown, `and ${untold} more`]
}

/** What came of one rung: what it had serves, or it had nothing that may. */
export type Climb =
  | { readonly _tag: "Serves"; readonly applied: Applied }
  /** Its candidate is right, but something better serves. */
  | { readonly _tag: "Outranked" }
  | { readonly _tag: "PassedOver" }

/**
 * Goes from answer to answer of one rung until one serves. `asOffered` may add to an offer what only the caller knows.
 * Never fails: a rung that dies is passed over like any other.
 */
export const serveRung = (
  live: LiveConfig["Service"],
  { source, offer }: Rung,
  asOffered: (offer: Offer) => Offer = (given) => given
): Effect.Effect<Climb> =>
  Effect.gen(function* () {
    const reasons: Array<string> = []
    const passOver = (more: ReadonlyArray<string>) => {
      reasons.push(...more)
      return live.passOver({ source, reasons: [...reasons] })
    }

    const take = Effect.fnUntraced(function* (answer: RungAnswer): Effect.fn.Return<Climb | RungAnswer> {
      if (answer._tag === "Nothing") {
        yield* passOver([answer.reason])
        return { _tag: "PassedOver" }
      }
      if (answer._tag === "Unusable") {
        const { stage, faults } = answer
        yield* live.note(new ConfigRejected({ source, hash: undefined, stage, faults }))
        yield* passOver(inShort(faults))
        return yield* answer.next
      }
      const tried = yield* Effect.result(live.apply(asOffered(answer.offer)))
      if (tried._tag === "Success") {
        yield* answer.served
        return { _tag: "Serves", applied: tried.success }
      }
      if (tried.failure.isOutranked === true) return { _tag: "Outranked" }
      yield* passOver(inShort(tried.failure.faults))
      return yield* answer.refused(tried.failure)
    })

    const climb = Effect.gen(function* (): Effect.fn.Return<Climb> {
      let step: Climb | RungAnswer = yield* offer
      // What was told of it before, while it did not answer, say, is over.
      yield* passOver([])
      while (step._tag === "Candidate" || step._tag === "Unusable" || step._tag === "Nothing") step = yield* take(step)
      return step
    })

    return yield* Effect.catchDefect(climb, (defect) =>
      Effect.logError("asking a source of configurations failed; the next one is asked").pipe(
        Effect.annotateLogs({ source, cause: Cause.pretty(Cause.die(defect)) }),
        Effect.andThen(passOver(["it failed on a defect"])),
        Effect.as<Climb>({ _tag: "PassedOver" })
      )
    )
  })

/**
 * Serves the best configuration that is at hand without the network. A rung that has nothing, or something that is
 * refused, never stops the node. Neither does one whose disk does not answer: it is passed over, and when the answer comes
 * it counts like that of any rung.
 */
export const serveLocalRungs: Effect.Effect<
  void,
  never,
  Settings | LiveConfig | ConfigCache | DeclarativeConfig | Scope.Scope
> = Effect.gen(function* () {
  const live = yield* LiveConfig
  const local = [yield* ConfigCache, yield* DeclarativeConfig]
  for (const rung of inOrder(preferenceOf(yield* Settings), local)) {
    const climb = yield* whileDiskAnswers(serveRung(live, rung))
    if (Option.isNone(climb)) yield* live.passOver({ source: rung.source, reasons: [noAnswer] })
    else if (climb.value._tag !== "PassedOver") return
  }
  const { passedOver } = yield* SubscriptionRef.get(live.state)
  yield* Effect.logWarning("no configuration at hand; every request is answered 404 until one arrives").pipe(
    Effect.annotateLogs({ passedOver: showPassedOver(passedOver) })
  )
})
