/** What a drill's steps stand on: the stage, the traffic, the configuration, and what was measured so far. */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { Effect, type Scope } from "effect"
import type { StartError } from "../../services/StartError.ts"
import type { Child } from "../stage/Child.ts"
import { type DrillPorts, otherPorts } from "../stage/Ports.ts"
import { elapsed, eventually, StepFailed } from "../stage/Probe.ts"
import { raiseStage, type Stage } from "../stage/Stage.ts"
import { ApiCalls } from "./ApiCalls.ts"
import type { DrillRequest, Skipped } from "./deriveRequests.ts"
import { type DrillConfig, loadDrillConfig } from "./drillConfig.ts"
import { type Faults, noFaults } from "./Faults.ts"
import { answeredByEcho, askOnce, type Gateway, type Load, makeLoad } from "./Load.ts"
import { NotPlayable } from "./NotPlayable.ts"
import type { Recovery } from "./Report.ts"
import { signedCluster, unsignedCluster } from "./signedCluster.ts"

export interface Ground {
  readonly stage: Stage
  readonly gateway: Gateway
  readonly ports: DrillPorts
  readonly load: Load
  /** What was asked of the node and answered by a route of its. */
  readonly apiCalls: ApiCalls
  readonly config: DrillConfig
  /** When the drill began, by the machine's wall clock. */
  readonly startedMs: number
  readonly requests: () => ReadonlyArray<DrillRequest>
  readonly skipped: () => ReadonlyArray<Skipped>
  readonly recoveries: () => ReadonlyArray<Recovery>
  /** Sends each request once, before it counts. Those that the upstream doesn't answer end the drill, or are passed over aloud. */
  readonly prove: Effect.Effect<string, NotPlayable>
  /** Asks again and again for what was promised within a time, from the moment that `begun` began; writes down how long it took. */
  readonly recover: (
    what: string,
    limitMs: number,
    check: Effect.Effect<unknown, StepFailed>,
    begun?: Effect.Effect<unknown, StepFailed>
  ) => Effect.Effect<number, StepFailed>
  /** Makes the node's machine do this, from now on. */
  readonly steer: (faults: Partial<Faults>) => Effect.Effect<void, StepFailed>
  /** What it does. */
  readonly faults: () => Faults
  /** A name that no former change had. */
  readonly nextVersion: () => string
}

export interface GroundOptions {
  /** Absolute and empty. */
  readonly directory: string
  readonly file: string | undefined
  readonly isSigned: boolean
  /** Runs a node whose clock and disk can be steered. */
  readonly isSteered: boolean
  readonly startedMs: number
  /** Goes on with what is answered when a first look finds requests that are not. */
  readonly skipsUnanswered: boolean
  readonly say: (line: string) => Effect.Effect<void>
}

const faultsFile = ({ directory }: GroundOptions): string => join(directory, "faults.json")

const commandOf = (options: GroundOptions): ReadonlyArray<string> =>
  options.isSteered ? ["drill-node", "--faults", faultsFile(options)] : ["data-plane"]

/** What the node's machine does outlives the node: a restarted one finds it as it is. */
const makeMachine = (options: GroundOptions, node: Child): Effect.Effect<Pick<Ground, "steer" | "faults">> =>
  Effect.sync(() => {
    let faults: Faults = noFaults()
    const write = () => writeFileSync(faultsFile(options), JSON.stringify(faults))
    write()
    const steer: Ground["steer"] = (change) =>
      Effect.suspend(() => {
        faults = { ...faults, ...change }
        write()
        return node.isRunning() ? node.tell({ ...faults }) : Effect.void
      })
    return { steer, faults: () => faults }
  })

const stageFor = Effect.fnUntraced(function* (options: GroundOptions) {
  const ports = yield* otherPorts
  const signed = options.isSigned ? yield* signedCluster(options.directory, ports) : unsignedCluster
  const stage = yield* raiseStage({
    directory: options.directory,
    ports,
    dataPlaneCommand: commandOf(options),
    controlPlaneSettings: signed.controlPlane,
    neighbourSettings: signed.neighbour,
    dataPlaneSettings: {
      ...signed.dataPlane,
      proxy_listen: `127.0.0.1:${ports.proxy}, 127.0.0.1:${ports.proxyTls} ssl`,
      // Tells which route answered.
      allow_debug_header: "on",
      // What is counted is delivered while somebody watches.
      analytics_flush_interval: "1"
    }
  })
  return { stage, ports, gateway: { port: ports.proxy, tlsPort: ports.proxyTls } }
})

/** Why a request is no good for the traffic, or by which other route it is answered. */
const examine = Effect.fnUntraced(function* (gateway: Gateway, wanted: DrillRequest, apiCalls: ApiCalls) {
  const answer = yield* askOnce(gateway, wanted, apiCalls)
  const fault = typeof answer === "string" ? answer : answeredByEcho.judge(answer)
  if (fault !== undefined) return { wanted, fault }
  const answeredBy = typeof answer === "string" ? undefined : answer.headers["kong-route-id"]
  return { wanted, other: answeredBy === wanted.routeId ? undefined : String(answeredBy) }
})

type Examined = Effect.Success<ReturnType<typeof examine>>

const unansweredOf = ({ wanted, fault }: Examined): ReadonlyArray<Skipped> =>
  fault === undefined
    ? []
    : [{ what: `route ${wanted.route}`, reason: `${wanted.method} ${wanted.path} was answered ${fault}` }]

/** Nothing has happened yet that a promise is about. */
const notAnswered = (count: number, all: number) =>
  new NotPlayable({
    reason: `${count} of ${all} requests are not answered by the upstream, as listed above${count < all ? "; --skip-unanswered drills the others" : ""}`
  })

export const makeGround = (options: GroundOptions): Effect.Effect<Ground, StartError, Scope.Scope> =>
  Effect.gen(function* () {
    const { stage, ports, gateway } = yield* stageFor(options)
    const config = yield* loadDrillConfig(options.file, stage.ports.echo)
    const recoveries: Array<Recovery> = []
    let requests = config.requests
    let skipped = config.skipped
    let version = 0
    const apiCalls = new ApiCalls()
    const load = yield* makeLoad({ ...gateway, requests: () => requests, apiCalls })

    const prove = Effect.gen(function* () {
      const examined = yield* Effect.forEach(requests, (wanted) => examine(gateway, wanted, apiCalls), {
        concurrency: 8
      })
      const unanswered = examined.flatMap(unansweredOf)
      for (const { what, reason } of unanswered) yield* options.say(`  not answered: ${what}: ${reason}`)
      if (unanswered.length > 0 && (!options.skipsUnanswered || unanswered.length === examined.length)) {
        return yield* notAnswered(unanswered.length, examined.length)
      }
      skipped = [...skipped, ...unanswered]
      requests = examined.flatMap(({ wanted, fault }) => (fault === undefined ? [wanted] : []))
      const byOthers = examined.filter(({ other }) => other !== undefined).length
      return `${requests.length} requests are answered by the upstream${byOthers > 0 ? `, ${byOthers} of them by a route that wins over their own` : ""}`
    })

    const recover: Ground["recover"] = Effect.fnUntraced(function* (what, limitMs, check, begun = Effect.void) {
      const seen = Effect.raceFirst(eventually(limitMs, check), stage.dataPlane.gone)
      const tookMs = yield* elapsed(Effect.andThen(begun, seen))
      recoveries.push({ what, tookMs, limitMs })
      if (tookMs <= limitMs) return tookMs
      return yield* new StepFailed({ reason: `${what}, but after ${tookMs} ms; promised within ${limitMs} ms` })
    })

    return {
      stage,
      gateway,
      ports,
      load,
      apiCalls,
      config,
      startedMs: options.startedMs,
      requests: () => requests,
      skipped: () => skipped,
      recoveries: () => recoveries,
      prove,
      recover,
      ...(yield* makeMachine(options, stage.dataPlane)),
      nextVersion: () => `v${++version}`
    }
  })
