/**
 * What may befall a node or the control plane, how long it lasts, and how it ends. All of it is what a fleet promises to
 * survive; the headers of the virtual parts say why.
 */
import { Effect } from "effect"
import type { Machine } from "../../testing/Machine.ts"
import type { SeededRandom } from "../../testing/SeededRandom.ts"
import { type DiskConditions, drawnFaults } from "../../testing/VirtualDisk.ts"
import { type Fleet, prefix } from "./Fleet.ts"
import type { FleetFault, NodeFault } from "./options.ts"

/** What was inflicted. */
export interface Ailment {
  readonly forMs: number
  /** For the transcript. */
  readonly facts?: Readonly<Record<string, unknown>>
  /** Ends it. Harmless when something else has ended it before. */
  readonly mend: () => void
}

interface Scene {
  readonly fleet: Fleet
  readonly random: SeededRandom
}

/** `undefined` where there is nothing to befall: no process, no connection. */
type Befall<Subject> = (scene: Scene, subject: Subject) => Ailment | undefined

const secondMs = 1_000
const minuteMs = 60_000
const dayMs = 86_400_000

const nothingToMend = () => {}
const atOnce = (facts?: Ailment["facts"]): Ailment => ({
  forMs: 0,
  mend: nothingToMend,
  ...(facts === undefined ? {} : { facts })
})

/** Most troubles are short, some are long. */
const drawMs = (random: SeededRandom, min: number, max: number): number =>
  Math.round(min * (max / min) ** random.next())

const toConnections =
  (befall: (connection: ReturnType<Fleet["world"]["network"]["connectionsOf"]>[number]) => void): Befall<Machine> =>
  ({ fleet }, { name }) => {
    const connections = fleet.world.network.connectionsOf(name)
    for (const connection of connections) befall(connection)
    return connections.length === 0 ? undefined : atOnce()
  }

const restartLater = ({ fleet, random }: Scene, machine: Machine, facts?: Ailment["facts"]): Ailment => ({
  forMs: drawMs(random, secondMs, 10 * minuteMs),
  mend: () => void fleet.world.fork(fleet.startNode(machine)),
  ...(facts === undefined ? {} : { facts })
})

const onDisk =
  (trouble: (random: SeededRandom) => DiskConditions): Befall<Machine> =>
  ({ random }, machine) => {
    const conditions = trouble(random)
    machine.afflictDisk(conditions)
    return { forMs: drawMs(random, 5 * secondMs, 10 * minuteMs), mend: () => machine.afflictDisk({}) }
  }

const isRunning = (machine: Machine): boolean =>
  machine.process() !== undefined && machine.process()?.clock.isSuspended() === false

const whenRunning =
  (befall: Befall<Machine>): Befall<Machine> =>
  (scene, machine) =>
    isRunning(machine) ? befall(scene, machine) : undefined

const spoilCache = (random: SeededRandom, machine: Machine): string => {
  const file = `${prefix}/config.json.gz`
  const { hand } = machine.disk()
  const bytes = hand.read(file)
  if (bytes === undefined) return "no file"
  const how = random.pick(["bit flipped", "cut off", "emptied", "removed", "zeros"] as const)
  if (how === "bit flipped") hand.flipBit(file, random.next())
  else if (how === "removed") hand.remove(file)
  else if (how === "zeros") hand.write(file, new Uint8Array(bytes.length))
  else hand.write(file, bytes.slice(0, how === "emptied" ? 0 : Math.floor(bytes.length * random.next())))
  return how
}

export const nodeAfflictions: Readonly<Record<NodeFault, Befall<Machine>>> = {
  partition: ({ fleet, random }, { name }) => {
    const link = fleet.world.network.link(name)
    const direction = random.pick(["both", "toServer", "toNode"] as const)
    link.change({ isBlockedToServer: direction !== "toNode", isBlockedToNode: direction !== "toServer" })
    return {
      forMs: drawMs(random, secondMs, 15 * minuteMs),
      facts: { direction },
      mend: () => link.change({ isBlockedToServer: false, isBlockedToNode: false })
    }
  },
  halfOpen: toConnections((connection) => connection.die()),
  reset: toConnections((connection) => connection.sever()),
  truncation: toConnections((connection) => connection.cutNext()),
  slowLink: ({ fleet, random }, { name }) => {
    const link = fleet.world.network.link(name)
    const { delayMs, jitterMs, lossRate } = link.conditions
    link.change({ delayMs: random.between(100, 1_500), jitterMs: random.between(0, 500), lossRate: 0.05 })
    return {
      forMs: drawMs(random, 10 * secondMs, 10 * minuteMs),
      mend: () => link.change({ delayMs, jitterMs, lossRate })
    }
  },
  kill: whenRunning((scene, machine) => {
    machine.kill("killed")
    return restartLater(scene, machine)
  }),
  powerCut: whenRunning((scene, machine) => {
    machine.kill("powerCut")
    return restartLater(scene, machine)
  }),
  suspend: whenRunning(({ random }, machine) => {
    machine.suspend()
    return { forMs: drawMs(random, secondMs, 15 * minuteMs), mend: machine.resume }
  }),
  clockJump: ({ random }, machine) => {
    const byMs = Math.round(random.pick([-1, 1]) * drawMs(random, secondMs, dayMs))
    machine.jump(byMs)
    return atOnce({ bySeconds: Math.round(byMs / secondMs) })
  },
  slowDisk: onDisk((random) => ({ slowMs: Math.round(drawMs(random, 10, 5 * secondMs)) })),
  fullDisk: onDisk((random) => (random.chance(0.5) ? { capacityBytes: 1_000 } : { isReadOnly: true })),
  failingDisk: onDisk((random) => ({ faultOf: drawnFaults(random.int(0, 2 ** 30), { fails: 0.3, slow: 0.2 }) })),
  stuckDisk: onDisk(() => ({ isStuck: true })),
  corruptCache: whenRunning((scene, machine) => {
    machine.kill("killed")
    let how = ""
    machine.tamper("cache file spoilt", () => {
      how = spoilCache(scene.random, machine)
    })
    return restartLater(scene, machine, { how })
  })
}

const restartControlPlane = ({ fleet, random }: Scene): Ailment => ({
  forMs: drawMs(random, 2 * secondMs, 8 * minuteMs),
  mend: () => void fleet.world.fork(fleet.startControlPlane)
})

const whenUp =
  (befall: Befall<Machine>): Befall<Machine> =>
  (scene, controlPlane) =>
    isRunning(controlPlane) ? befall(scene, controlPlane) : undefined

export const controlPlaneAfflictions: Readonly<Record<FleetFault, Befall<Machine>>> = {
  crash: whenUp((scene, controlPlane) => {
    controlPlane.kill("killed")
    return restartControlPlane(scene)
  }),
  powerLoss: whenUp((scene, controlPlane) => {
    controlPlane.kill("powerCut")
    return restartControlPlane(scene)
  }),
  /** It takes connections, for its kernel does, and nothing comes of them. */
  wedge: whenUp(({ fleet, random }, controlPlane) => {
    controlPlane.suspend()
    return {
      forMs: drawMs(random, secondMs, 5 * minuteMs),
      mend: () => {
        controlPlane.resume()
        fleet.world.fork(fleet.catchUp)
      }
    }
  }),
  refusal: ({ fleet, random }) => {
    const retryAfterMs = random.chance(0.5) ? random.int(1, 60) * secondMs : undefined
    fleet.receive(
      random.pick([
        { _tag: "Refused", status: 503, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) },
        { _tag: "Silent" },
        { _tag: "BrokenOff" }
      ] as const)
    )
    // Whoever is connected stays; so some are sent away to meet it.
    for (const { name } of fleet.nodes) {
      if (random.chance(0.2)) for (const connection of fleet.world.network.connectionsOf(name)) connection.sever()
    }
    return { forMs: drawMs(random, 5 * secondMs, 5 * minuteMs), mend: () => fleet.receive(undefined) }
  },
  outage: ({ fleet, random }) => {
    fleet.world.network.changeAll({ isBlockedToNode: true, isBlockedToServer: true })
    return {
      forMs: drawMs(random, 5 * secondMs, 5 * minuteMs),
      mend: () => fleet.world.network.changeAll({ isBlockedToNode: false, isBlockedToServer: false })
    }
  }
}

/** Everything is well again, whatever was the matter. */
export const healAll = Effect.fnUntraced(function* (fleet: Fleet) {
  const { world, nodes, controlPlane } = fleet
  world.network.changeAll({ delayMs: 5, jitterMs: 5, lossRate: 0, isBlockedToNode: false, isBlockedToServer: false })
  fleet.receive(undefined)
  controlPlane.resume()
  yield* fleet.startControlPlane
  yield* fleet.catchUp
  for (const node of nodes) {
    node.resume()
    node.afflictDisk({})
    if (node.process() === undefined) world.fork(fleet.startNode(node))
  }
})
