/**
 * Bugs to be planted, the canaries: a simulation that does not find them would not find real ones either. Each is a part
 * of a node that goes wrong in one way, and names the promise whose checker must notice it.
 */
import { Clock, Duration, Effect, Layer, Queue, Schedule, Scope } from "effect"
import * as CountedRequests from "../../layers/counted-requests/CountedRequests.ts"
import * as GzipConfigReceiver from "../../layers/GzipConfigReceiver.ts"
import * as OutletConnection from "../../layers/outlet/OutletConnection.ts"
import * as TraditionalCompatibleRouter from "../../layers/TraditionalCompatibleRouter.ts"
import { ClusterDialer, type ClusterSocket, type Frame, type SessionEnd } from "../../services/ClusterDialer.ts"
import { ConfigReceiver } from "../../services/ConfigReceiver.ts"
import { Connection } from "../../services/Connection.ts"
import { kong, ReconnectPolicy } from "../../services/ReconnectPolicy.ts"
import { RequestCounters } from "../../services/RequestCounters.ts"
import type { RequestObserver } from "../../services/RequestObservers.ts"
import { Router } from "../../services/Router.ts"
import { virtualParts } from "../../testing/virtualParts.ts"
import type { DataPlaneParts } from "../dataPlaneParts.ts"
import type { Fate, NodeFault } from "./options.ts"

export interface Bug {
  /** What goes wrong, for the report. */
  readonly summary: string
  readonly parts: Partial<DataPlaneParts>
  /** The checkers of which one must notice it. */
  readonly caughtBy: ReadonlyArray<string>
  /** What has to befall nodes before it shows at all, where no run brings that by itself. */
  readonly needs?: NodeFault
  /** Shows only where a control plane takes telemetry, and bills. */
  readonly isOfTelemetry?: true
}

/** So often in a whole run that no seed hides a bug that needs it. */
const timesInARun = 30

/** The fate of a run in which a bug must be caught: what the bug needs befalls the fleet often enough. */
export const fateWith = (bug: Bug | undefined, fate: Fate, fleet: { nodes: number; minutes: number }): Fate => {
  if (bug?.isOfTelemetry === true) return { ...fate, konnectMode: false }
  if (bug?.needs === undefined) return fate
  const often = Math.max(1, Math.floor((fleet.nodes * fleet.minutes) / timesInARun))
  const every = Math.min(often, fate.everyMinutes[bug.needs] ?? often)
  return { ...fate, everyMinutes: { ...fate.everyMinutes, [bug.needs]: every } }
}

const dialerWith = (change: (dialer: ClusterDialer["Service"]) => ClusterDialer["Service"]) =>
  Layer.effect(ClusterDialer, Effect.map(ClusterDialer, change)).pipe(Layer.provide(virtualParts.clusterDialer))

/** Frames as another queue, through a filter. */
const filtered = Effect.fnUntraced(function* (socket: ClusterSocket, keeps: (frame: Frame, nowMs: number) => boolean) {
  const frames = yield* Queue.unbounded<Frame, SessionEnd>()
  const pass = Effect.gen(function* () {
    const frame = yield* Queue.take(socket.frames)
    const nowMs = (yield* Clock.clockWith(Effect.succeed)).currentTimeMillisUnsafe()
    if (keeps(frame, nowMs)) yield* Queue.offer(frames, frame)
  })
  yield* Effect.forever(pass).pipe(
    Effect.catchCause((cause) => Queue.failCause(frames, cause)),
    Effect.forkScoped({ startImmediately: true })
  )
  return { ...socket, frames } satisfies ClusterSocket
})

/** Longer than a control plane waits between two pushes (`db_update_frequency`). */
const busyMs = 8_000

const forgetsNewest = dialerWith(({ dial }) => ({
  dial: Effect.flatMap(dial, (socket) => {
    let busyUntilMs = 0
    return filtered(socket, (frame, nowMs) => {
      if (frame._tag !== "Binary") return true
      if (nowMs < busyUntilMs) return false
      busyUntilMs = nowMs + busyMs
      return true
    })
  })
}))

const leavesSocketOpen = dialerWith(({ dial }) => ({
  dial: Effect.suspend(() => Scope.provide(dial, Scope.makeUnsafe()))
}))

const neverFallsSilent = dialerWith(({ dial }) => ({
  dial: Effect.gen(function* () {
    const socket = yield* dial
    const frames = yield* Queue.unbounded<Frame, SessionEnd>()
    const pass = Effect.forever(Effect.flatMap(Queue.take(socket.frames), (frame) => Queue.offer(frames, frame)))
    const reassure = Effect.repeat(Queue.offer(frames, { _tag: "Pong" }), Schedule.spaced("20 seconds"))
    yield* Effect.raceFirst(pass, reassure).pipe(
      Effect.catchCause((cause) => Queue.failCause(frames, cause)),
      Effect.forkScoped({ startImmediately: true })
    )
    return { ...socket, frames } satisfies ClusterSocket
  })
}))

const keepsTheFormer = Layer.effect(
  ConfigReceiver,
  Effect.map(ConfigReceiver, ({ apply, persist }) => {
    let kept = 0
    return ConfigReceiver.of({
      apply,
      // The first of a life is written, the others only said to be.
      persist: (hash) => (kept++ === 0 ? persist(hash) : Effect.succeed("kept" as const))
    })
  })
).pipe(Layer.provide(GzipConfigReceiver.layer))

const wallAsMonotonic = (clock: Clock.Clock): Clock.Clock => ({
  ...clock,
  monotonicTimeNanosUnsafe: clock.currentTimeNanosUnsafe,
  monotonicTimeNanos: clock.currentTimeNanos
})

const timersByTheWall = Layer.effect(
  Connection,
  Effect.map(Connection, ({ run }) => ({
    run: Clock.clockWith((clock) => Effect.provideService(run, Clock.Clock, wallAsMonotonic(clock)))
  }))
).pipe(Layer.provide(OutletConnection.layer))

const hurries = Layer.succeed(ReconnectPolicy, {
  schedule: Schedule.modifyDelay(kong, ({ duration }) => Effect.succeed(Duration.times(duration, 0.1))),
  retryAfterMaxMs: 300_000
})

const losesARoute = Layer.effect(
  Router,
  Effect.map(Router, ({ compile }) =>
    Router.of({ compile: (table, plugins) => compile({ ...table, routes: table.routes.slice(1) }, plugins) })
  )
).pipe(Layer.provide(TraditionalCompatibleRouter.layer))

const retriedEvery = 100

/** As if each try of a request were one. */
const countsRetries = Layer.effect(
  RequestCounters,
  Effect.map(RequestCounters, (counters) => {
    let heard = 0
    const record: RequestObserver = (request) => {
      counters.record(request)
      heard++
      if (heard % retriedEvery === 0) counters.record(request)
    }
    return { ...counters, record }
  })
).pipe(Layer.provide(CountedRequests.layer))

export const bugs = {
  "forgets-newest": {
    summary: "a payload that comes soon after another one is forgotten",
    parts: { clusterDialer: forgetsNewest },
    caughtBy: ["convergence"]
  },
  "older-after-restart": {
    summary: "only the first configuration of a process is written to the disk",
    parts: { configReceiver: keepsTheFormer },
    caughtBy: ["persistence"],
    needs: "kill"
  },
  "two-sockets": {
    summary: "a reconnect leaves the former socket open",
    parts: { clusterDialer: leavesSocketOpen },
    caughtBy: ["oneSocket"]
  },
  "never-silent": {
    summary: "a dead connection is taken for a live one",
    parts: { clusterDialer: neverFallsSilent },
    caughtBy: ["silence"],
    needs: "halfOpen"
  },
  "hurried-reconnect": {
    summary: "the next dial comes after 0.5 to 1 s",
    parts: { reconnectPolicy: hurries },
    caughtBy: ["reconnectDelay"]
  },
  "timers-by-the-wall": {
    summary: "a node's timers go by the wall clock",
    parts: { connection: timersByTheWall },
    caughtBy: ["silence", "reconnectDelay"],
    needs: "clockJump"
  },
  "lost-route": {
    summary: "the first route of each configuration is not compiled",
    parts: { router: losesARoute },
    caughtBy: ["wholeConfig"]
  },
  "counts-retries": {
    summary: "a request that was tried twice is billed twice",
    parts: { requestCounters: countsRetries },
    caughtBy: ["billing"],
    isOfTelemetry: true
  }
} satisfies Readonly<Record<string, Bug>>

export type BugName = keyof typeof bugs
export const bugNames = Object.keys(bugs) as ReadonlyArray<BugName>
