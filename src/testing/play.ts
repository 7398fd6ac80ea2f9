/** Plays a schedule on a world of one node and one control plane, and in the end heals everything. */
import { Effect, type Layer } from "effect"
import type { Machine } from "./Machine.ts"
import type { MemoryControlPlane, Reception } from "./MemoryControlPlane.ts"
import { spoil, tableOf } from "./sampleTables.ts"
import { drawnFaults } from "./VirtualDisk.ts"
import type { DiskConditions } from "./VirtualDiskCalls.ts"
import type { Schedule, WorldAction } from "./WorldAction.ts"

export interface Stage {
  readonly node: Machine
  readonly controlPlane: MemoryControlPlane
  readonly program: Layer.Layer<never, unknown>
  /** Where the node keeps its cache. */
  readonly cacheFile: string
}

const troubles: Readonly<Record<string, DiskConditions>> = {
  none: {},
  full: { capacityBytes: 100 },
  readOnly: { isReadOnly: true },
  slow: { slowMs: 700 },
  stuck: { isStuck: true },
  failing: { faultOf: drawnFaults(1, { fails: 0.3, slow: 0.2 }) }
}

const receptions: Readonly<Record<string, Reception>> = {
  accept: { _tag: "Accepts" },
  refuse: { _tag: "Refuses", status: 503 },
  refuseFor30s: { _tag: "Refuses", status: 503, retryAfterMs: 30_000 },
  silent: { _tag: "Silent" },
  breakOff: { _tag: "BreaksOff" }
}

/** A node that does not start is what the run is about: its cause ends it. */
export const startNode = ({ node, program }: Stage): Effect.Effect<void> =>
  node.process() === undefined ? Effect.asVoid(Effect.orDie(node.start(program))) : Effect.void

const spoilCache = ({ node, cacheFile }: Stage, how: "flip" | "truncate" | "empty" | "remove"): void =>
  node.tamper(`cache: ${how}`, ({ hand }) => {
    const bytes = hand.read(cacheFile)
    if (bytes === undefined) return
    if (how === "flip") hand.flipBit(cacheFile, 0.5)
    else if (how === "remove") hand.remove(cacheFile)
    else hand.write(cacheFile, bytes.slice(0, how === "empty" ? 0 : Math.floor(bytes.length / 2)))
  })

const pushFlawed = (controlPlane: MemoryControlPlane, action: Extract<WorldAction, { readonly do: "pushFlawed" }>) => {
  const { bytes } = controlPlane.encode(tableOf(action.number, 1))
  controlPlane.pushBytes(spoil(bytes, action.flaw), { flaw: action.flaw })
}

const act = (stage: Stage, action: WorldAction): Effect.Effect<void> => {
  const { node, controlPlane } = stage
  const { network } = node.world
  const link = network.link(node.name)
  const sync = (run: () => void) => Effect.sync(run)
  const onConnections = (run: (connection: ReturnType<typeof network.connectionsOf>[number]) => void) =>
    sync(() => network.connectionsOf(node.name).forEach(run))
  switch (action.do) {
    case "push":
      return sync(() => void controlPlane.push(tableOf(action.number, action.routes)))
    case "pushFlawed":
      return sync(() => pushFlawed(controlPlane, action))
    case "pushAgain":
      return sync(controlPlane.pushAgain)
    case "crash":
      return sync(() => controlPlane.crash(action.how))
    case "restart":
      return sync(controlPlane.restart)
    case "close":
      return sync(() => controlPlane.close())
    case "receive":
      return sync(() => controlPlane.receive(receptions[action.reception] ?? { _tag: "Accepts" }))
    case "pongs":
      return sync(() => controlPlane.setAnswersPings(action.answered))
    case "block":
      return sync(() =>
        link.change({
          isBlockedToNode: action.direction !== "toServer",
          isBlockedToServer: action.direction !== "toNode"
        })
      )
    case "unblock":
      return sync(() => link.change({ isBlockedToNode: false, isBlockedToServer: false }))
    case "delay":
      return sync(() => link.change({ delayMs: action.ms }))
    case "lose":
      return sync(() => link.change({ lossRate: action.percent / 100 }))
    case "halfOpen":
      return onConnections((connection) => connection.die())
    case "reset":
      return onConnections((connection) => connection.sever())
    case "cut":
      return onConnections((connection) => connection.cutNext())
    case "kill":
      return sync(() => node.kill(action.how))
    case "start":
      return Effect.asVoid(Effect.sync(() => node.world.fork(startNode(stage))))
    case "suspend":
      return sync(node.suspend)
    case "resume":
      return sync(node.resume)
    case "jump":
      return sync(() => node.jump(action.minutes * 60_000))
    case "disk":
      return sync(() => node.afflictDisk(troubles[action.trouble] ?? {}))
    case "spoilCache":
      // While a process runs, the file is its own: what a person does to it then is another story.
      return sync(() => (node.process() === undefined ? spoilCache(stage, action.how) : undefined))
  }
}

export const play = (stage: Stage, schedule: Schedule): Effect.Effect<void> =>
  Effect.forEach(
    schedule,
    ({ afterMs, action }) =>
      Effect.gen(function* () {
        yield* Effect.sleep(afterMs)
        const { do: name, ...facts } = action
        const { transcript, time } = stage.node.world
        transcript.line(time.nowMs(), "fate", name, facts)
        yield* act(stage, action)
      }),
    { discard: true }
  )

export const heal = (stage: Stage): Effect.Effect<void> =>
  Effect.suspend(() => {
    const { node, controlPlane } = stage
    const link = node.world.network.link(node.name)
    link.change({ delayMs: 2, jitterMs: 1, lossRate: 0, isBlockedToNode: false, isBlockedToServer: false })
    controlPlane.receive({ _tag: "Accepts" })
    controlPlane.setAnswersPings(true)
    controlPlane.restart()
    node.resume()
    node.afflictDisk({})
    return startNode(stage)
  })
