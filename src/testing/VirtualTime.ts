/**
 * Virtual time: a scheduler and clocks for Effect that run in one loop of their own. The loop runs whatever is ready, in
 * the order in which it became ready, and then moves on to the earliest timer, at once. Nothing takes any time but
 * waiting, and the same program with the same seed takes the same steps.
 *
 * What runs in it may not wait for anything real: a promise, a socket, a file, a timer of the machine. The loop notices:
 * a fiber that something real wakes ends the run (`leak`), and so does a program that waits while nothing is ready and no
 * timer is set (`standstill`), or one that never stops being ready (`livelock`). Each says so in a sentence.
 *
 * Between turns the real event loop gets its chance (signals, a progress bar); that changes the order of nothing.
 */
import { Context, Data, type Fiber, type Scheduler } from "effect"
import { makeTimerHeap, notInHeap, type Timer } from "./TimerHeap.ts"
import { makeVirtualClock, type VirtualClock, type VirtualClockOptions } from "./VirtualClock.ts"

/** Why virtual time can't go on. */
export class VirtualTimeStopped extends Data.TaggedError("VirtualTimeStopped")<{
  readonly reason: "leak" | "standstill" | "livelock" | "limit"
  /** Monotonic milliseconds since the beginning. */
  readonly atMs: number
  readonly message: string
}> {}

export interface VirtualTimeCounts {
  readonly timersFired: number
  readonly tasksRun: number
  readonly timersPending: number
}

export interface VirtualTimeOptions {
  /** The true wall time at the beginning; ms since the epoch. Default: 2026-01-01T00:00:00Z. */
  readonly startMs?: number
  /** Going on beyond this is a fault (`limit`). Default: none. */
  readonly limitMs?: number
  /** So many steps without time moving on are a fault (`livelock`). Default: five million. */
  readonly stepsMax?: number
}

export class VirtualTime extends Context.Service<
  VirtualTime,
  {
    /** Monotonic milliseconds since the beginning, in which faults and network reckon. */
    readonly nowMs: () => number
    readonly startMs: number
    /** Calls back after a time of the world's own. */
    readonly after: (delayMs: number, run: () => void) => Timer
    readonly cancel: (timer: Timer) => void
    readonly makeClock: (options?: VirtualClockOptions) => VirtualClock
    /** Never suspended, never wrong. */
    readonly clock: VirtualClock
    readonly counts: () => VirtualTimeCounts
  }
>()("holdfast/testing/VirtualTime") {}

/** Virtual time and the loop that drives it. */
export interface VirtualLoop {
  readonly time: VirtualTime["Service"]
  readonly scheduler: Scheduler.Scheduler
  /** Runs a callback as a step of the loop; what it makes ready runs in the turns that follow. */
  readonly enter: (step: () => void) => void
  /**
   * Takes steps until `isDone`, or until it has taken about `stepsMax` of them, or until nothing is left to do. Returns
   * why it stopped; throws nothing.
   */
  readonly turn: (isDone: () => boolean, mayGoOn: () => boolean) => "done" | "more" | "idle" | VirtualTimeStopped
  /** What went wrong outside of any turn. */
  readonly leak: () => VirtualTimeStopped | undefined
}

const defaultStartMs = Date.UTC(2026, 0, 1)
const defaultStepsMax = 5_000_000
/** Asking the machine's clock costs more than many a step. */
const stepsBetweenLooks = 512

export const formatMs = (ms: number): string => `${(ms / 1000).toFixed(3)} s`

export const makeVirtualLoop = (options: VirtualTimeOptions = {}): VirtualLoop => {
  const startMs = options.startMs ?? defaultStartMs
  const limitMs = options.limitMs ?? Number.POSITIVE_INFINITY
  const stepsMax = options.stepsMax ?? defaultStepsMax
  const heap = makeTimerHeap()
  let ready: Array<() => void> = []
  let next = 0
  /** Tasks that yield to all others of the instant, by what they said of themselves. */
  const yielding: Array<{ readonly task: () => void; readonly priority: number }> = []
  let nowMs = 0
  let sequence = 0
  let isRunning = false
  let leaked: VirtualTimeStopped | undefined
  let timersFired = 0
  let tasksRun = 0
  let tasksAtInstant = 0

  const stopped = (reason: VirtualTimeStopped["reason"], message: string) =>
    new VirtualTimeStopped({ reason, atMs: nowMs, message: `virtual time stopped at ${formatMs(nowMs)}: ${message}` })

  const noteLeak = (fiberId: number): void => {
    leaked ??= stopped(
      "leak",
      `fiber ${fiberId} was woken by something real (a promise, a socket, a file, a timer of the machine); what runs in virtual time may wait for virtual time alone`
    )
  }

  const schedule = (task: () => void, priority: number): void => {
    if (priority === 0) ready.push(task)
    else {
      const at = yielding.findIndex((other) => other.priority > priority)
      yielding.splice(at === -1 ? yielding.length : at, 0, { task, priority })
    }
  }

  const dispatcher: Scheduler.SchedulerDispatcher = { scheduleTask: schedule, flush: () => {} }

  const scheduler: Scheduler.Scheduler = {
    executionMode: "async",
    shouldYield: (fiber: Fiber.Fiber<unknown, unknown>) => {
      if (!isRunning) noteLeak(fiber.id)
      return fiber.currentOpCount >= fiber.cache.maxOpsBeforeYield
    },
    makeDispatcher: () => dispatcher
  }

  // --- timers ---

  const put = (timer: Timer): void => heap.add(timer)

  const set = (delayMs: number, run: () => void, clock?: VirtualClock): Timer => {
    const timer: Timer = {
      dueMs: nowMs + delayMs,
      sequence: sequence++,
      place: notInHeap,
      run,
      clock,
      pausedMs: clock === undefined ? 0 : clock.pausedMs(),
      isOver: false
    }
    clock?.count(1)
    heap.add(timer)
    return timer
  }

  const cancel = (timer: Timer): void => {
    if (timer.isOver) return
    timer.isOver = true
    timer.clock?.count(-1)
    if (timer.place !== notInHeap) heap.remove(timer)
  }

  const fire = (timer: Timer): void => {
    timer.isOver = true
    timer.clock?.count(-1)
    timersFired++
    timer.run()
  }

  /** Moves on to the earliest timer and fires it, unless its clock says otherwise. */
  const advance = (timer: Timer): void => {
    heap.remove(timer)
    if (timer.dueMs > nowMs) {
      nowMs = timer.dueMs
      tasksAtInstant = 0
    }
    const verdict = timer.clock === undefined ? "fire" : timer.clock.admit(timer)
    if (verdict === "fire") fire(timer)
    else if (verdict === "later") put(timer)
  }

  // --- the loop ---

  const nextTask = (): (() => void) | undefined => {
    const task = ready[next]
    if (task !== undefined) {
      next++
      return task
    }
    ready = []
    next = 0
    return yielding.shift()?.task
  }

  const runReady = (
    isDone: () => boolean,
    mayGoOn: () => boolean
  ): "done" | "more" | "drained" | VirtualTimeStopped => {
    for (let task = nextTask(); task !== undefined; task = nextTask()) {
      task()
      tasksRun++
      if (isDone()) return "done"
      if (++tasksAtInstant > stepsMax)
        return stopped("livelock", `${stepsMax} steps were taken at this instant, and no end is in sight`)
      if (tasksRun % stepsBetweenLooks === 0 && !mayGoOn()) return "more"
    }
    return "drained"
  }

  const takeSteps = (isDone: () => boolean, mayGoOn: () => boolean): "done" | "more" | "idle" | VirtualTimeStopped => {
    for (;;) {
      const drained = runReady(isDone, mayGoOn)
      if (drained !== "drained") return drained
      const timer = heap.first()
      if (timer === undefined) return "idle"
      if (timer.dueMs > limitMs) return stopped("limit", `it was to end before ${formatMs(limitMs)}`)
      advance(timer)
      if (isDone()) return "done"
      if (timersFired % stepsBetweenLooks === 0 && !mayGoOn()) return "more"
    }
  }

  const running = <A>(work: () => A): A => {
    isRunning = true
    try {
      return work()
    } finally {
      isRunning = false
    }
  }

  const host = { nowMs: () => nowMs, startMs, set, cancel, put }
  const time: VirtualTime["Service"] = {
    nowMs: () => nowMs,
    startMs,
    after: (delayMs, run) => set(delayMs, run),
    cancel,
    makeClock: (clockOptions) => makeVirtualClock(host, clockOptions),
    clock: makeVirtualClock(host),
    counts: () => ({ timersFired, tasksRun, timersPending: heap.size() })
  }
  return {
    time,
    scheduler,
    enter: (step) => running(step),
    turn: (isDone, mayGoOn) => leaked ?? (isDone() ? "done" : running(() => takeSteps(isDone, mayGoOn))),
    leak: () => leaked
  }
}
