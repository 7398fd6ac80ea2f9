/** What the steps of every drill are made of. Each fails with the reason when the world is not as promised. */
import { Effect } from "effect"
import { isRecord, type Row } from "../../model/Entity.ts"
import { ask, eventually, expectStatus, StepFailed } from "../stage/Probe.ts"
import { startWithinMs, untilAdminAnswers, untilEchoAnswers, untilStatusAnswers } from "../stage/Stage.ts"
import { asksForRoute } from "./ApiCalls.ts"
import { drillRoute } from "./drillConfig.ts"
import type { Ground } from "./Ground.ts"
import { answeredByEcho, type Expectation } from "./Load.ts"
import { NotPlayable } from "./NotPlayable.ts"

/** A data plane waits 5 to 10 s before it dials again; dialling, pushing and applying come on top. */
export const reconnectWithinMs = 11_000
/** How soon a change is seen through the proxy while the control plane is connected. */
export const changeWithinMs = 2_000
/** A process starts, reads its cache and serves. */
export const restartWithinMs = 10_000

const broken = (reason: string) => Effect.fail(new StepFailed({ reason }))

/** True when the drill's own route answers at the path of this version: a user's route for everything may answer as well. */
const isServed = ({ stage, apiCalls }: Ground, version: string): Effect.Effect<boolean, StepFailed> => {
  const headers = { host: drillRoute.host, [drillRoute.header]: "1", ...asksForRoute }
  return Effect.map(ask({ url: stage.urls.proxy + drillRoute.path(version), headers }), (answer) => {
    apiCalls.note(answer.headers)
    return answer.status === 200 && answer.headers["kong-route-name"] === drillRoute.name
  })
}

/** Once: the configuration in which the drill's route has this version's path serves. */
export const serves = (ground: Ground, version: string): Effect.Effect<void, StepFailed> =>
  Effect.flatMap(isServed(ground, version), (served) =>
    served ? Effect.void : broken(`version ${version} of the configuration is not served`)
  )

export const servesNot = (ground: Ground, version: string): Effect.Effect<void, StepFailed> =>
  Effect.flatMap(isServed(ground, version), (served) =>
    served ? broken(`version ${version} of the configuration is still served`) : Effect.void
  )

/** The drill's own: without it nothing can be shown. */
export const startEcho = ({ stage }: Ground): Effect.Effect<void, NotPlayable> =>
  Effect.andThen(stage.echo.start, untilEchoAnswers(stage)).pipe(
    Effect.mapError(({ reason }) => new NotPlayable({ reason: `the upstream, which is the drill's own: ${reason}` })),
    Effect.asVoid
  )

export const startControlPlane = ({ stage }: Ground): Effect.Effect<void, StepFailed> =>
  Effect.asVoid(Effect.andThen(stage.controlPlane.start, untilAdminAnswers(stage)))

export const startDataPlane = ({ stage }: Ground): Effect.Effect<void, StepFailed> =>
  Effect.asVoid(Effect.andThen(stage.dataPlane.start, untilStatusAnswers(stage)))

/** The whole configuration, with a drill route of a fresh version; ends with that. */
export const loadConfig = Effect.fnUntraced(function* ({ stage, config, nextVersion }: Ground) {
  const version = nextVersion()
  const json = config.document(drillRoute.path(version))
  yield* expectStatus({ url: `${stage.urls.admin}/config`, method: "POST", json }, 201)
  return version
})

/** One small change; ends with its version. Whether it arrives is another question. */
export const changeConfig = Effect.fnUntraced(function* ({ stage, nextVersion }: Ground) {
  const version = nextVersion()
  const json = { paths: [drillRoute.path(version)] }
  yield* expectStatus({ url: `${stage.urls.admin}/routes/${drillRoute.name}`, method: "PATCH", json }, 200)
  return version
})

/** Everything runs and traffic flows, answered by the upstream. */
export const begin = Effect.fnUntraced(function* (ground: Ground) {
  yield* Effect.all([startEcho(ground), startControlPlane(ground)], { concurrency: 2 })
  const version = yield* loadConfig(ground)
  // Only now: a data plane that finds nobody waits 5 to 10 s before it dials again.
  yield* startDataPlane(ground)
  yield* eventually(startWithinMs, serves(ground, version))
  const proved = yield* ground.prove
  yield* ground.load.begin(answeredByEcho)
  yield* Effect.sleep("1 second")
  return proved
})

/** Traffic for a while; the runner counts what fails meanwhile. */
export const traffic = (ground: Ground, seconds: number, expectation: Expectation = answeredByEcho) =>
  Effect.andThen(ground.load.begin(expectation), Effect.sleep(seconds * 1000))

/** `GET /status` of the node. */
export const statusOf = ({ stage }: Ground): Effect.Effect<Row, StepFailed> =>
  Effect.flatMap(expectStatus({ url: `${stage.urls.status}/status` }, 200), ({ body }) =>
    Effect.try({
      try: () => JSON.parse(body) as Row,
      catch: () => new StepFailed({ reason: `GET /status answered no JSON: ${body.slice(0, 120)}` })
    })
  )

const fieldOf = (row: Row, path: string): unknown =>
  path.split(".").reduce<unknown>((value, key) => (isRecord(value) ? value[key] : undefined), row)

/** Once: a field of the status, `configuration.source` say, is as expected. */
export const shows = (
  ground: Ground,
  path: string,
  isRight: (value: unknown) => boolean,
  expected: string
): Effect.Effect<unknown, StepFailed> =>
  Effect.flatMap(statusOf(ground), (status) => {
    const value = fieldOf(status, path)
    return isRight(value)
      ? Effect.succeed(value)
      : broken(`the status shows ${path} ${JSON.stringify(value)}; expected ${expected}`)
  })

export const showsSource = (ground: Ground, source: string) =>
  shows(ground, "configuration.source", (value) => value === source, source)

export const isReady = ({ stage }: Ground): Effect.Effect<unknown, StepFailed> =>
  expectStatus({ url: `${stage.urls.status}/status/ready` }, 200)

export const isUnready = ({ stage }: Ground, words: string): Effect.Effect<string, StepFailed> =>
  Effect.flatMap(expectStatus({ url: `${stage.urls.status}/status/ready` }, 503), ({ body }) =>
    body.includes(words)
      ? Effect.succeed(body)
      : broken(`not ready, but not because of "${words}": ${body.slice(0, 200)}`)
  )

/** Once: the node has logged this since it was started last. */
export const hasLogged = ({ stage }: Ground, event: string): Effect.Effect<string, StepFailed> =>
  Effect.flatMap(stage.dataPlane.log, (log) => {
    const line = log.split("\n").find((one) => one.includes(event))
    return line === undefined ? broken(`the node has not logged "${event}"`) : Effect.succeed(line)
  })

/** What the control plane knows of its one node. */
const nodeOf = ({ stage }: Ground): Effect.Effect<Row, StepFailed> =>
  Effect.gen(function* () {
    const { body } = yield* expectStatus({ url: `${stage.urls.admin}/clustering/data-planes` }, 200)
    const parsed: unknown = JSON.parse(body)
    const rows = isRecord(parsed) && Array.isArray(parsed.data) ? parsed.data.filter(isRecord) : []
    const [node] = rows
    return rows.length === 1 && node !== undefined
      ? node
      : yield* broken(`the control plane knows ${rows.length} nodes`)
  })

/** Since when the control plane has its session with the node: the same words, the same session. */
export const session = (ground: Ground): Effect.Effect<string, StepFailed> =>
  Effect.flatMap(nodeOf(ground), ({ id, connected, connected_since }) =>
    connected === true ? Effect.succeed(`${id} since ${connected_since}`) : broken("the node is not connected")
  )

/** The newest configuration serves and is on disk: the node announces nothing before it has tried to write it. */
export const isKept = (ground: Ground): Effect.Effect<unknown, StepFailed> =>
  Effect.gen(function* () {
    const { configuration_state: state } = yield* nodeOf(ground)
    if (state !== "in_sync") return yield* broken(`the control plane shows the node as ${state}`)
    return yield* shows(ground, "configuration.cache", (cache) => cache === "ok", "ok")
  })

export const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`
