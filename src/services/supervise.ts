/** For fibers that must live as long as their scope: a forked fiber that nobody joins dies without a word. */
import { Cause, Effect, Schedule, type Scope } from "effect"

const restart = Schedule.min([Schedule.exponential("10 millis"), Schedule.spaced("5 seconds")])

/** Starts a fiber in the scope; a failure or a defect is logged and the work starts again, interruption ends it. */
export const supervise = <E, R>(
  name: string,
  work: Effect.Effect<unknown, E, R>
): Effect.Effect<void, never, R | Scope.Scope> =>
  work.pipe(
    Effect.sandbox,
    Effect.tapError((cause) =>
      Cause.hasInterruptsOnly(cause)
        ? Effect.void
        : Effect.logError(`${name} failed; starting it again`).pipe(Effect.annotateLogs({ cause: Cause.pretty(cause) }))
    ),
    Effect.retry(restart),
    Effect.orDie,
    Effect.forkScoped,
    Effect.asVoid
  )
