/**
 * The clock of one node in virtual time: Effect's `Clock`, with a wall clock that may be wrong and a machine that may sleep.
 *
 * Faults, and why a node survives them:
 * - the wall clock is off, drifts, or jumps in either direction: timers run on the monotonic clock, which none of that touches;
 * - the machine is suspended: nothing of it runs, its monotonic time stands still and its wall clock goes on, as on Linux. Timers
 *   fire late by the time slept, never early and never in a burst: each has the rest of its time still before it;
 * - the process is killed: its timers never fire again.
 */
import { type Clock, Duration, Effect } from "effect"
import type { Timer } from "./TimerHeap.ts"

export interface VirtualClock extends Clock.Clock {
  readonly name: string
  /** Milliseconds since this clock began, without those that it was suspended. */
  readonly monotonicMs: () => number
  /** Calls back after a time of this clock's; what comes back cancels it. */
  readonly after: (delayMs: number, run: () => void) => () => void
  /** How many timers are set and have neither fired nor been cancelled. */
  readonly pendingTimers: () => number
  /** Moves the wall clock by so much at once. */
  readonly jump: (byMs: number) => void
  readonly isSuspended: () => boolean
  readonly suspend: () => void
  readonly resume: () => void
  /** Runs when the clock resumes; at once when it is not suspended. Never once it is killed. */
  readonly whenAwake: (run: () => void) => void
  readonly isKilled: () => boolean
  /** No timer of this clock fires from here on. */
  readonly kill: () => void
  /** For the loop of virtual time alone: what to do with a timer that has fallen due. */
  readonly admit: (timer: Timer) => "fire" | "later" | "held" | "never"
  /** How long it has been suspended in all. */
  readonly pausedMs: () => number
  readonly count: (change: 1 | -1) => void
}

export interface VirtualClockOptions {
  readonly name?: string
  /** How far the wall clock is off at the beginning. */
  readonly wallOffsetMs?: number
  /** How many milliseconds the wall clock gains in a million. */
  readonly driftPpm?: number
}

/** What a clock needs of the time that it is part of. */
export interface ClockHost {
  readonly nowMs: () => number
  /** The true wall time at the beginning; ms since the epoch. */
  readonly startMs: number
  readonly set: (delayMs: number, run: () => void, clock: VirtualClock) => Timer
  readonly cancel: (timer: Timer) => void
  readonly put: (timer: Timer) => void
}

const nanosPerMs = 1_000_000

const toNanos = (ms: number): bigint => {
  const whole = Math.floor(ms)
  return BigInt(whole) * BigInt(nanosPerMs) + BigInt(Math.floor((ms - whole) * nanosPerMs))
}

export const makeVirtualClock = (host: ClockHost, options: VirtualClockOptions = {}): VirtualClock => {
  const { name = "world", driftPpm = 0 } = options
  const beganAtMs = host.nowMs()
  let offsetMs = options.wallOffsetMs ?? 0
  let pending = 0
  let pausedMs = 0
  let suspendedAtMs: number | undefined
  let isKilled = false
  let held: Array<Timer> = []
  let waiting: Array<() => void> = []

  const monotonicMs = (): number => (suspendedAtMs ?? host.nowMs()) - beganAtMs - pausedMs
  const wallMs = (): number => {
    const nowMs = host.nowMs()
    return host.startMs + nowMs + offsetMs + ((nowMs - beganAtMs) * driftPpm) / 1e6
  }
  const currentTimeMillisUnsafe = (): number => Math.floor(wallMs())
  const currentTimeNanosUnsafe = (): bigint => toNanos(wallMs())
  const monotonicTimeNanosUnsafe = (): bigint => toNanos(monotonicMs())

  const sleep = (duration: Duration.Duration): Effect.Effect<void> => {
    const ms = Duration.toMillis(duration)
    if (ms <= 0) return Effect.yieldNow
    if (!Number.isFinite(ms)) return Effect.never
    return Effect.callback<void>((resume) => {
      const timer = host.set(ms, () => resume(Effect.void), clock)
      return Effect.sync(() => host.cancel(timer))
    })
  }

  const admit = (timer: Timer): "fire" | "later" | "held" | "never" => {
    if (isKilled) return "never"
    if (suspendedAtMs !== undefined) {
      held.push(timer)
      return "held"
    }
    if (timer.pausedMs === pausedMs) return "fire"
    timer.dueMs += pausedMs - timer.pausedMs
    timer.pausedMs = pausedMs
    return "later"
  }

  const resume = (): void => {
    if (suspendedAtMs === undefined || isKilled) return
    pausedMs += host.nowMs() - suspendedAtMs
    suspendedAtMs = undefined
    const timers = held
    held = []
    for (const timer of timers) {
      if (timer.isOver) continue
      timer.dueMs += pausedMs - timer.pausedMs
      timer.pausedMs = pausedMs
      host.put(timer)
    }
    const runs = waiting
    waiting = []
    for (const run of runs) run()
  }

  const clock: VirtualClock = {
    name,
    currentTimeMillisUnsafe,
    currentTimeMillis: Effect.sync(currentTimeMillisUnsafe),
    currentTimeNanosUnsafe,
    currentTimeNanos: Effect.sync(currentTimeNanosUnsafe),
    monotonicTimeNanosUnsafe,
    monotonicTimeNanos: Effect.sync(monotonicTimeNanosUnsafe),
    sleep,
    monotonicMs,
    after: (delayMs, run) => {
      const timer = host.set(delayMs, run, clock)
      return () => host.cancel(timer)
    },
    pendingTimers: () => pending,
    jump: (byMs) => {
      offsetMs += byMs
    },
    isSuspended: () => suspendedAtMs !== undefined,
    suspend: () => {
      suspendedAtMs ??= host.nowMs()
    },
    resume,
    whenAwake: (run) => {
      if (isKilled) return
      if (suspendedAtMs === undefined) run()
      else waiting.push(run)
    },
    isKilled: () => isKilled,
    kill: () => {
      isKilled = true
      held = []
      waiting = []
    },
    admit,
    pausedMs: () => pausedMs,
    count: (change) => {
      pending += change
    }
  }
  return clock
}
