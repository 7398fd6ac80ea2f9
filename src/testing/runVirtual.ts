/** Runs an effect in virtual time, from an ordinary asynchronous test or from another effect. */
import { Clock, Context, Effect, type Exit, type Fiber, Random, Scheduler, type Scope } from "effect"
import { makeRandom, type Seed } from "./SeededRandom.ts"
import {
  formatMs,
  makeVirtualLoop,
  type VirtualLoop,
  VirtualTime,
  type VirtualTimeOptions,
  VirtualTimeStopped
} from "./VirtualTime.ts"

export interface RunVirtualOptions extends VirtualTimeOptions {
  /** Where all that is random within comes from. Default: 0. */
  readonly seed?: Seed
  /** For how many real milliseconds the loop runs before the event loop gets its chance. Default: 20. */
  readonly turnMs?: number
}

const defaultTurnMs = 20
/** How long something real gets to show itself once virtual time stands still, before that is reported instead. */
const revelationMs = 50

const standstill = (loop: VirtualLoop): VirtualTimeStopped => {
  const atMs = loop.time.nowMs()
  return new VirtualTimeStopped({
    reason: "standstill",
    atMs,
    message: `virtual time stopped at ${formatMs(atMs)}: nothing is ready, no timer is set, and the run has not ended; it waits for something real (a promise, a socket, a file) or for what nobody will do`
  })
}

/** Resolves once the event loop has had its chance. */
const breathe = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

const linger = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Turns the loop until it is done, and says why when it can't be. */
const drive = async (
  loop: VirtualLoop,
  isDone: () => boolean,
  turnMs: number
): Promise<VirtualTimeStopped | undefined> => {
  let deadlineMs = 0
  const mayGoOn = () => performance.now() < deadlineMs
  for (;;) {
    deadlineMs = performance.now() + turnMs
    const outcome = loop.turn(isDone, mayGoOn)
    if (outcome instanceof VirtualTimeStopped) return outcome
    await breathe()
    // A promise that was left behind shows itself now or never.
    if (outcome === "done") return loop.leak()
    if (outcome === "idle") {
      await linger(revelationMs)
      return loop.leak() ?? standstill(loop)
    }
  }
}

/**
 * The effect in virtual time, its clock, scheduler and randomness replaced; all the rest of its surroundings stays. Fails
 * with `VirtualTimeStopped` when virtual time can't go on. When interrupted, the effect within is interrupted too, and
 * its finalizers run, in virtual time.
 */
export const virtually = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  options: RunVirtualOptions = {}
): Effect.Effect<A, E | VirtualTimeStopped, Exclude<R, VirtualTime | Scope.Scope>> =>
  Effect.flatMap(Effect.context<never>(), (outer) =>
    Effect.callback<A, E | VirtualTimeStopped>((resume) => {
      const loop = makeVirtualLoop(options)
      const context = outer.pipe(
        Context.add(Scheduler.Scheduler, loop.scheduler),
        Context.add(Clock.Clock, loop.time.clock),
        Context.add(Random.Random, makeRandom(options.seed ?? 0)),
        Context.add(VirtualTime, loop.time)
      )
      let exit: Exit.Exit<A, E> | undefined
      let fiber: Fiber.Fiber<A, E> | undefined
      loop.enter(() => {
        fiber = Effect.runForkWith(context)(Effect.scoped(effect) as Effect.Effect<A, E>)
        fiber.addObserver((ended) => {
          exit = ended
        })
      })
      const driven = drive(loop, () => exit !== undefined, options.turnMs ?? defaultTurnMs).then(
        (stopped) =>
          resume(stopped === undefined && exit !== undefined ? exit : Effect.fail(stopped ?? standstill(loop))),
        // A callback of the world's own threw: nothing can be said of what comes after.
        (defect) => resume(Effect.die(defect))
      )
      return Effect.callback<void>((interrupted) => {
        loop.enter(() => fiber?.interruptUnsafe())
        void driven.then(() => interrupted(Effect.void))
      })
    })
  )

/** Rejects with what the effect fails with, or with `VirtualTimeStopped`. */
export const runVirtual = <A, E>(
  effect: Effect.Effect<A, E, VirtualTime | Scope.Scope>,
  options: RunVirtualOptions = {}
): Promise<A> => Effect.runPromise(virtually(effect, options))
