/**
 * A data plane whose clock and disk do what a drill says: everything else of it is production's. It begins with what a
 * file says of its machine; then the drill speaks by the channel between parent and child, and each message is answered
 * once it holds.
 */
import { readFileSync } from "node:fs"
import { Clock, Effect } from "effect"
import type { RunCommand } from "../Command.ts"
import { runDaemon } from "../Daemon.ts"
import { faultyClock, faultyDisk, noFaults, steer } from "./Faults.ts"

export const runDrillNode: RunCommand = (input) =>
  Effect.gen(function* () {
    const faults = noFaults()
    yield* Effect.sync(() => steer(faults, JSON.parse(readFileSync(String(input.flags.faults), "utf8"))))
    const obey = (message: unknown) => {
      steer(faults, message)
      process.send?.("done")
    }
    yield* Effect.acquireRelease(
      Effect.sync(() => process.on("message", obey)),
      () => Effect.sync(() => process.off("message", obey))
    )
    const clock = faultyClock(faults, yield* Clock.Clock)
    return yield* runDaemon("data_plane", { disk: faultyDisk(faults) })(input).pipe(
      Effect.provideService(Clock.Clock, clock)
    )
  }).pipe(Effect.scoped)
