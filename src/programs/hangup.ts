/** SIGHUP of a daemon: look at the files again. */
import { Effect, Layer } from "effect"
import { Reload } from "../services/Reload.ts"
import { answerEach, type Heard } from "./heardSignals.ts"

const onEach = (heard: Heard, answer: Effect.Effect<void>) => answerEach("reload on SIGHUP", heard, answer)

/** For a node that has files to look at. */
export const reloadOn = (heard: Heard): Layer.Layer<never, never, Reload> =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const reload = yield* Reload
      yield* onEach(heard, Effect.andThen(Effect.logInfo("SIGHUP: looking at the files again"), reload.all))
    })
  )

/** For one that has none: its entities stand in its store. */
export const ignore = (heard: Heard): Layer.Layer<never> =>
  Layer.effectDiscard(onEach(heard, Effect.logInfo("SIGHUP ignored: there is no file to reload")))
