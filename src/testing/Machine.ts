/**
 * One machine of a virtual world: a disk, a wall clock and a link to the network, and on it a process, one after the other.
 *
 * What may befall it, and why a node survives:
 * - its process is stopped, and says goodbye; or killed (`kill -9`), where its kernel closes its sockets and what it had written
 *   stays; or the machine loses its power, where nobody is told and what was not flushed is lost: the disk holds the
 *   former or the new configuration, whole, and the next process serves it;
 * - it is suspended and resumed, and its wall clock jumps or drifts: see `VirtualClock.ts`;
 * - its disk fails: see `VirtualDisk.ts`; its network fails: see `VirtualLink.ts`.
 */
import {
  Cause,
  Clock,
  Context,
  Effect,
  Exit,
  Fiber,
  Layer,
  MutableRef,
  Option,
  Random,
  Scope,
  Stream,
  SubscriptionRef
} from "effect"
import { ConfigCodec } from "../services/ConfigCodec.ts"
import { LiveConfig, type LiveState } from "../services/LiveConfig.ts"
import { NodeHealth } from "../services/NodeHealth.ts"
import type { NodeHappening, Told } from "./NodeEvent.ts"
import type { SeededRandom } from "./SeededRandom.ts"
import type { VirtualClock } from "./VirtualClock.ts"
import * as VirtualDisk from "./VirtualDisk.ts"
import type { World } from "./World.ts"

/** One run of a program on a machine. */
export interface MachineProcess {
  readonly machine: Machine
  readonly clock: VirtualClock
  readonly random: SeededRandom
  readonly disk: VirtualDisk.VirtualDisk
  /** Told of what it does on the network. */
  readonly observe: (told: Told) => void
  /** Its services, once it is built. */
  readonly services: () => Context.Context<never> | undefined
}

/** The process that is being built or runs; what is made for any process asks for its own here. */
export const CurrentProcess = Context.Reference<MachineProcess>("holdfast/testing/CurrentProcess", {
  defaultValue: () => {
    throw new Error("expected to run as a process of a virtual machine: see Machine.start")
  }
})

export interface Machine {
  readonly name: string
  /** A UUID that stays the same for good. */
  readonly nodeId: string
  readonly world: World
  readonly process: () => MachineProcess | undefined
  /** The disk as it is now; `hand` is for whoever plays fate. */
  readonly disk: () => VirtualDisk.VirtualDisk
  /** What is the matter with the disk from now on, until the next process finds it in good condition, or this is called again. */
  readonly afflictDisk: (conditions: VirtualDisk.DiskConditions) => void
  readonly diskConditions: () => VirtualDisk.DiskConditions
  /**
   * Builds the layer as a process of this machine; the former one must be gone. None when this one is gone as well before
   * it is built.
   */
  readonly start: <A, E>(program: Layer.Layer<A, E>) => Effect.Effect<Option.Option<Context.Context<A>>, E>
  /** Closes the process's scope, and waits for that. */
  readonly stop: Effect.Effect<void>
  readonly kill: (how: "killed" | "powerCut") => void
  readonly suspend: () => void
  readonly resume: () => void
  readonly jump: (byMs: number) => void
  /** A file was changed by hand: whoever watches it is told. */
  readonly touch: (path: string) => void
  /** Its disk is no longer what the node made of it: see `Tampered`. */
  readonly tamper: (what: string, change: (disk: VirtualDisk.VirtualDisk) => void) => void
  readonly onTouch: (path: string, run: () => void) => void
}

/** The services that an observer looks at, where the process has them. */
interface Insight {
  readonly live: LiveConfig["Service"] | undefined
  readonly health: NodeHealth["Service"] | undefined
}

const insightOf = (services: Context.Context<never>): Insight => ({
  live: Option.getOrUndefined(Context.getOption(services, LiveConfig)),
  health: Option.getOrUndefined(Context.getOption(services, NodeHealth))
})

/** Tells of every change of what a process serves, as soon as anybody looks. */
const makeLook = (observe: (happening: NodeHappening) => void, insight: () => Insight | undefined) => {
  let seen: LiveState | undefined
  return (): LiveState | undefined => {
    const live = insight()?.live
    if (live === undefined) return undefined
    const state = SubscriptionRef.getUnsafe(live.state)
    if (state === seen) return state
    const before = seen
    seen = state
    if (state.lastRejection !== undefined && state.lastRejection !== before?.lastRejection)
      observe({ _tag: "Rejected", rejection: state.lastRejection })
    if (state.acceptedCount > 0 && (state.hash !== before?.hash || state.source !== before?.source))
      observe({ _tag: "Serves", state, compiled: MutableRef.get(live.current) })
    return state
  }
}

const followState = ({ state }: LiveConfig["Service"], look: () => void) =>
  Stream.runForEach(SubscriptionRef.changes(state), () => Effect.sync(look))

interface Running {
  readonly process: MachineProcess
  readonly scope: Scope.Closeable
  /** Builds it. */
  readonly fiber: Fiber.Fiber<unknown, unknown>
}

export const makeMachine = (world: World, name: string, random: SeededRandom): Machine => {
  const nodeId = random.uuid()
  const touched = new Map<string, Set<() => void>>()
  let disk = VirtualDisk.make()
  let conditions: VirtualDisk.DiskConditions = {}
  let wallOffsetMs = 0
  let suspendedAtMs: number | undefined
  let lives = 0
  let running: Running | undefined

  const tellOf =
    (clock: VirtualClock) =>
    (happening: NodeHappening): void => {
      if (clock.isKilled()) return
      world.tell({ ...happening, node: name, atMs: world.time.nowMs(), ownMs: clock.monotonicMs() })
    }

  const makeProcess = () => {
    lives++
    const clock = world.time.makeClock({ name, wallOffsetMs })
    const tell = tellOf(clock)
    let services: Context.Context<never> | undefined
    let insight: Insight | undefined
    const look = makeLook(tell, () => insight)
    const process: MachineProcess = {
      machine,
      clock,
      random: random.stream(`life ${lives}`),
      disk,
      observe: (happening) => {
        const state = look()
        if (happening._tag !== "Announced") return tell(happening)
        const cacheProblem = insight?.health === undefined ? undefined : MutableRef.get(insight.health.cacheProblem)
        tell({ ...happening, applied: state?.hash, isPersisted: cacheProblem === undefined })
      },
      services: () => services
    }
    const built = (context: Context.Context<never>): void => {
      services = context
      insight = insightOf(context)
    }
    return { process, tell, look, built }
  }

  const end = (how: "stopped" | "killed" | "powerCut"): void => {
    if (running === undefined) return
    tellOf(running.process.clock)({ _tag: "Stopped", how })
    running = undefined
    suspendedAtMs = undefined
  }

  /** What the process was to its machine ends with it. */
  const endLife = (crash: VirtualDisk.Crash): void => {
    disk = disk.crash(crash)
    conditions = {}
    touched.clear()
  }

  const start: Machine["start"] = (program) =>
    Effect.suspend(() => {
      if (running !== undefined) return Effect.die(new Error(`${name} runs a process already`))
      const { process, tell, look, built } = makeProcess()
      const scope = Scope.makeUnsafe()
      const surroundings = Context.make(Clock.Clock, process.clock).pipe(
        Context.add(Random.Random, process.random.stream("random")),
        Context.add(ConfigCodec, world.shared.codec),
        Context.add(CurrentProcess, process)
      )
      tell({ _tag: "Started" })
      const build = Effect.gen(function* () {
        const context = yield* Layer.buildWithScope(program, scope)
        built(context)
        look()
        const { live } = insightOf(context)
        if (live !== undefined) yield* Effect.forkIn(followState(live, look), scope)
        return context
      })
      // A fiber of its own, for it dies with the process, whoever waits for it.
      const fiber = world.fork(Effect.provideContext(build, surroundings))
      running = { process, scope, fiber }
      return Effect.flatMap(Fiber.await(fiber), (exit) => {
        if (Exit.isSuccess(exit)) return Effect.succeedSome(exit.value)
        if (Cause.hasInterruptsOnly(exit.cause)) return Effect.succeedNone
        return Effect.andThen(Effect.ignore(machine.stop), Effect.failCause(exit.cause))
      })
    })

  const machine: Machine = {
    name,
    nodeId,
    world,
    process: () => running?.process,
    disk: () => disk,
    afflictDisk: (next) => {
      conditions = next
      disk.become(next)
    },
    diskConditions: () => conditions,
    start,
    stop: Effect.suspend(() => {
      if (running === undefined) return Effect.void
      const { scope, process } = running
      tellOf(process.clock)({ _tag: "Stopping" })
      return Scope.close(scope, Exit.void).pipe(
        Effect.andThen(
          Effect.sync(() => {
            if (running?.process !== process) return
            end("stopped")
            process.clock.kill()
            world.network.abandon(name, "told")
            endLife({ kind: "process", seed: 0 })
          })
        )
      )
    }),
    kill: (how) => {
      if (running === undefined) return
      const { scope, process, fiber } = running
      end(how)
      process.clock.kill()
      world.network.abandon(name, how === "killed" ? "told" : "silent")
      endLife({ kind: how === "killed" ? "process" : "power", seed: random.int(0, 2 ** 31 - 1) })
      // What the dead still do reaches nobody; what waits for its clock or its disk waits for ever, and is forgotten.
      fiber.interruptUnsafe()
      world.fork(Effect.provideService(Scope.close(scope, Exit.void), Clock.Clock, process.clock))
    },
    suspend: () => {
      if (running === undefined || suspendedAtMs !== undefined) return
      suspendedAtMs = world.time.nowMs()
      tellOf(running.process.clock)({ _tag: "Suspended" })
      running.process.clock.suspend()
    },
    resume: () => {
      if (suspendedAtMs === undefined) return
      const forMs = world.time.nowMs() - suspendedAtMs
      suspendedAtMs = undefined
      if (running === undefined) return
      running.process.clock.resume()
      tellOf(running.process.clock)({ _tag: "Resumed", forMs })
    },
    jump: (byMs) => {
      wallOffsetMs += byMs
      running?.process.clock.jump(byMs)
    },
    touch: (path) => {
      for (const run of [...(touched.get(path) ?? [])]) run()
    },
    tamper: (what, change) => {
      change(disk)
      const clock = running?.process.clock
      const ownMs = clock === undefined ? 0 : clock.monotonicMs()
      world.tell({ _tag: "Tampered", what, node: name, atMs: world.time.nowMs(), ownMs })
    },
    onTouch: (path, run) => {
      touched.set(path, (touched.get(path) ?? new Set()).add(run))
    }
  }
  return machine
}
