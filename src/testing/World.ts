/**
 * A virtual world: time, network, randomness, and the machines that nodes and control planes run on. Tests of one node and
 * the simulator of thousands are made of it.
 */
import { Context, Effect, type Fiber, Logger, References } from "effect"
import { type Machine, makeMachine } from "./Machine.ts"
import type { NodeEvent, Observe } from "./NodeEvent.ts"
import { makePushLog, type PushLog } from "./PushLog.ts"
import { makeRandom, type Seed, type SeededRandom } from "./SeededRandom.ts"
import { makeSharedWork, type SharedWork } from "./SharedWork.ts"
import { makeTranscript, type Transcript, transcriptLogger } from "./Transcript.ts"
import { makeVirtualNetwork, type VirtualNetwork } from "./VirtualNetwork.ts"
import { VirtualTime } from "./VirtualTime.ts"

export interface World {
  readonly seed: Seed
  readonly time: VirtualTime["Service"]
  /** For whoever plays fate; each part of the world has a stream of its own. */
  readonly random: SeededRandom
  readonly network: VirtualNetwork
  readonly shared: SharedWork
  readonly transcript: Transcript
  readonly pushes: PushLog
  /** Where control planes listen, unless they are told otherwise. */
  readonly address: string
  /** The machine of this name, made when it is first asked for. */
  readonly machine: (name: string) => Machine
  readonly machines: () => ReadonlyArray<Machine>
  /** Calls back with everything that is seen of any node, in order. */
  readonly watch: (observe: Observe) => void
  readonly tell: (event: NodeEvent) => void
  /** Runs an effect in this world, from a callback; what it logs goes into the transcript. */
  readonly fork: <A, E>(effect: Effect.Effect<A, E>) => Fiber.Fiber<A, E>
}

export interface WorldOptions {
  readonly seed?: Seed
  readonly transcript?: Transcript
  readonly address?: string
  /** How long compressing and inflating take, as work beside the thread does. Default: no time. */
  readonly compressionMs?: number
}

export const makeWorld = ({
  seed = 0,
  transcript = makeTranscript(),
  address = "control-plane:8005",
  compressionMs = 0
}: WorldOptions = {}): Effect.Effect<World, never, VirtualTime> =>
  Effect.gen(function* () {
    const time = yield* VirtualTime
    const context = (yield* Effect.context<never>()).pipe(
      Context.add(References.MinimumLogLevel, "Info"),
      Context.add(Logger.CurrentLoggers, new Set([transcriptLogger(transcript, time.nowMs)]))
    )
    const random = makeRandom(seed)
    const observers: Array<Observe> = []
    const machines = new Map<string, Machine>()
    const world: World = {
      seed,
      time,
      random: random.stream("fate"),
      network: makeVirtualNetwork(time, random.stream("network")),
      shared: makeSharedWork({ compressionMs }),
      transcript,
      pushes: makePushLog(),
      address,
      machine: (name) => {
        const known = machines.get(name)
        if (known !== undefined) return known
        const made = makeMachine(world, name, random.stream(`machine ${name}`))
        machines.set(name, made)
        return made
      },
      machines: () => [...machines.values()],
      watch: (observe) => {
        observers.push(observe)
      },
      tell: (event) => {
        for (const observe of observers) observe(event)
      },
      fork: (effect) => Effect.runForkWith(context)(effect)
    }
    return world
  })
