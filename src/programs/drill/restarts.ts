/** How drills start what was stopped: the node alone, from its disk, or with a declarative file; the control plane. */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { Effect } from "effect"
import { messageOf } from "../../model/thrown.ts"
import {
  isReady,
  reconnectWithinMs,
  restartWithinMs,
  seconds,
  serves,
  showsSource,
  startControlPlane,
  startDataPlane,
  traffic
} from "./actions.ts"
import { settleCounts } from "./billing.ts"
import type { DrillStep } from "./Drill.ts"
import { drillRoute } from "./drillConfig.ts"
import type { Ground } from "./Ground.ts"
import { NotPlayable } from "./NotPlayable.ts"

/** `kill -9`, the control plane first: nobody answers then, and nobody asks. What was counted until then is on disk. */
export const killBoth = Effect.fnUntraced(function* (ground: Ground) {
  const { stage } = ground
  yield* stage.controlPlane.kill
  yield* settleCounts(ground)
  yield* stage.dataPlane.kill
})

/** A node that is dead, without a control plane: it serves this version from its disk. Ends with how long that took. */
export const startAlone = Effect.fnUntraced(function* (
  ground: Ground,
  version: string,
  what = "a restarted node serves from its cache"
) {
  const tookMs = yield* ground.recover(what, restartWithinMs, serves(ground, version), startDataPlane(ground))
  yield* isReady(ground)
  yield* showsSource(ground, "disk")
  yield* traffic(ground, 2)
  return tookMs
})

/** What the drill's route has of its own in the declarative file. */
export const fileVersion = "file"

/** Written; ends with its path. */
export const declarativeFile = Effect.fnUntraced(function* ({ stage, config }: Ground) {
  const file = join(stage.directory, "declarative.json")
  const text = JSON.stringify(config.document(drillRoute.path(fileVersion)), null, 2)
  yield* Effect.try({
    try: () => writeFileSync(file, text),
    catch: (cause) => new NotPlayable({ reason: messageOf(cause) })
  })
  return file
})

/** From the node's next start on. */
export const giveFile = Effect.fnUntraced(function* (ground: Ground) {
  yield* ground.stage.setDataPlane({ declarative_config: yield* declarativeFile(ground) })
})

/** The node that runs, in order: it serves the file then. Ends with how long that took. */
const restartWithFile = Effect.fnUntraced(function* (ground: Ground) {
  yield* ground.load.pause
  yield* ground.stage.dataPlane.stop
  yield* giveFile(ground)
  const what = "a node with a declarative file serves it"
  const tookMs = yield* ground.recover(what, restartWithinMs, serves(ground, fileVersion), startDataPlane(ground))
  yield* isReady(ground)
  yield* showsSource(ground, "declarative_file")
  yield* traffic(ground, 2)
  return tookMs
})

export const startWithFile: DrillStep = {
  title: "start it again with a declarative file: it serves that",
  play: (ground) =>
    Effect.map(restartWithFile(ground), (tookMs) => `served and ready ${seconds(tookMs)} after its start`)
}

/** The control plane starts, and the node serves its version. Ends with how long that took. */
export const controlPlaneComes = Effect.fnUntraced(function* (
  ground: Ground,
  version: string,
  what = "the control plane's configuration serves"
) {
  yield* startControlPlane(ground)
  return yield* ground.recover(what, reconnectWithinMs, serves(ground, version))
})
