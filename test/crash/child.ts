/**
 * A node as a process of its own: `node test/crash/child.ts '<a ChildTask as JSON>'`. Says each event as a line of JSON,
 * written before anything else happens, and kills itself at the call of the file system that the task names.
 */
import { writeSync } from "node:fs"
import { Effect, Layer } from "effect"
import * as NodeDisk from "../../src/layers/NodeDisk.ts"
import { layerOver } from "../../src/testing/FaultyDisk.ts"
import type { FaultPlan } from "../../src/testing/VirtualDiskFaults.ts"
import { live } from "./life.ts"
import type { ChildLine, ChildTask } from "./scenarios.ts"

const { settings, pushes, killAt, isOnlyAsked = false }: ChildTask = JSON.parse(process.argv[2] ?? "{}")

const say = (line: ChildLine): void => {
  writeSync(1, `${JSON.stringify(line)}\n`)
  if (isOnlyAsked && line._tag === "Started") process.exit(0)
}

const operations: Array<string> = []

const faultOf: FaultPlan = ({ n, operation }) => {
  operations.push(operation)
  return n === killAt?.n ? { _tag: "Hangs", part: killAt.part } : undefined
}

const disk = layerOver({ faultOf, atHang: () => process.kill(process.pid, "SIGKILL") }).pipe(
  Layer.provide(NodeDisk.layer)
)

const quietTurns = 25

/** Turns, not time: on a busy machine the disk is as late as this is. */
const quiet = Effect.gen(function* () {
  for (let turn = 0, seen = -1; turn < quietTurns; turn++) {
    if (operations.length !== seen) turn = 0
    seen = operations.length
    yield* Effect.sleep("20 millis")
  }
})

await Effect.runPromise(Effect.scoped(live({ disk, settings, pushes, quiet, say })))
say({ _tag: "Calls", operations })
// A node that is closed may leave a timer of its own behind; nothing is to be learnt from waiting for it.
process.exit(0)
