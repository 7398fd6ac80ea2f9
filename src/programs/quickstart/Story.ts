/** What the quickstart does on its stage. Each step checks that it truly happened and ends in words for one line. */
import { Effect } from "effect"
import { ask, elapsed, eventually, expectStatus, StepFailed } from "../stage/Probe.ts"
import { type Stage, untilAdminAnswers, untilEchoAnswers, untilStatusAnswers } from "../stage/Stage.ts"
import type * as Told from "../stage/Step.ts"

export type Step = Told.Step<Stage>

/** How soon a change must be seen through the proxy. */
const changeWithinMs = 1_000
/** A data plane waits 5 to 10 s before it dials again. */
const reconnectWithinMs = 11_000
const requestsDuringOutage = 200

const expectEcho = ({ urls }: Stage, path: string): Effect.Effect<string, StepFailed> =>
  Effect.flatMap(expectStatus({ url: urls.proxy + path }, 200), ({ body }) =>
    body.includes('"upstream":"echo"')
      ? Effect.succeed(body.trim())
      : Effect.fail(
          new StepFailed({
            reason: `${urls.proxy + path} was not answered by the echo upstream: ${body.slice(0, 200)}`
          })
        )
  )

const setPaths = ({ urls }: Stage, paths: ReadonlyArray<string>) =>
  expectStatus({ url: `${urls.admin}/routes/hello`, method: "PATCH", json: { paths } }, 200)

export const start: Step = {
  title: "start a control plane, a data plane and an echo upstream",
  play: (stage) =>
    Effect.gen(function* () {
      yield* Effect.all([stage.echo.start, stage.controlPlane.start])
      yield* Effect.all([untilEchoAnswers(stage), untilAdminAnswers(stage)], { concurrency: 2 })
      // Only now: a data plane that finds nobody waits 5 to 10 s before it dials again.
      yield* stage.dataPlane.start
      yield* untilStatusAnswers(stage)
      return `PIDs ${stage.controlPlane.pid()}, ${stage.dataPlane.pid()}, ${stage.echo.pid()}`
    })
}

export const load: Step = {
  title: "load a service and a route, and send a request through the proxy",
  play: (stage) =>
    Effect.gen(function* () {
      const { admin } = stage.urls
      const service = { name: "echo", url: `http://127.0.0.1:${stage.ports.echo}` }
      yield* expectStatus({ url: `${admin}/services`, method: "POST", json: service }, 201)
      yield* expectStatus(
        { url: `${admin}/services/echo/routes`, method: "POST", json: { name: "hello", paths: ["/hello"] } },
        201
      )
      return yield* eventually(reconnectWithinMs, expectEcho(stage, "/hello"))
    })
}

export const change = (path: string): Step => ({
  title: `change the route: it now matches ${path} as well`,
  play: (stage) =>
    Effect.gen(function* () {
      yield* setPaths(stage, ["/hello", path])
      const tookMs = yield* elapsed(eventually(changeWithinMs, expectEcho(stage, path)))
      return `seen through the proxy after ${tookMs} ms`
    })
})

export const killControlPlane: Step = {
  title: "kill -9 the control plane: traffic goes on",
  play: (stage) =>
    Effect.gen(function* () {
      yield* stage.controlPlane.kill
      const requests = Array.from({ length: requestsDuringOutage }, () => Effect.exit(expectEcho(stage, "/hello")))
      const failed = (yield* Effect.all(requests, { concurrency: 8 })).filter(({ _tag }) => _tag === "Failure").length
      if (failed > 0) return yield* new StepFailed({ reason: `${failed} of ${requestsDuringOutage} requests failed` })
      return `${requestsDuringOutage} requests, 0 failures`
    })
}

export const restartDataPlane: Step = {
  title: "kill -9 the data plane and start it again without a control plane: it serves from its cache",
  play: (stage) =>
    Effect.gen(function* () {
      yield* stage.dataPlane.kill
      const dead = yield* Effect.exit(ask({ url: `${stage.urls.proxy}/hello` }))
      if (dead._tag === "Success") return yield* new StepFailed({ reason: "the killed data plane still answers" })
      yield* stage.dataPlane.start
      const tookMs = yield* elapsed(eventually(changeWithinMs * 10, expectEcho(stage, "/hello")))
      yield* eventually(changeWithinMs, expectStatus({ url: `${stage.urls.status}/status/ready` }, 200))
      return `served and ready ${tookMs} ms after its start`
    })
}

export const restartControlPlane: Step = {
  title: "start the control plane again: the data plane finds it and takes a change",
  play: (stage) =>
    Effect.gen(function* () {
      yield* stage.controlPlane.start
      yield* untilAdminAnswers(stage)
      yield* setPaths(stage, ["/hello", "/again"])
      const tookMs = yield* elapsed(eventually(reconnectWithinMs, expectEcho(stage, "/again")))
      return `connected and up to date after ${(tookMs / 1000).toFixed(1)} s`
    })
}

/** `--once`: an outage from beginning to end. */
export const wholeStory: ReadonlyArray<Step> = [
  start,
  load,
  change("/moin"),
  killControlPlane,
  restartDataPlane,
  restartControlPlane,
  change("/salut")
]
