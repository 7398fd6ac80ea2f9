/** Nodes given in code: settings, a part of one's own, and several nodes in one build. */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Logger } from "effect"
import type { Row } from "../../src/model/Entity.ts"
import { ControlPlane } from "../../src/programs/ControlPlane.ts"
import { DataPlane } from "../../src/programs/DataPlane.ts"
import { Ids } from "../../src/services/control/Ids.ts"
import { AdminListener } from "../../src/services/control/Listeners.ts"
import { Proxy } from "../../src/services/Proxy.ts"
import { Router } from "../../src/services/Router.ts"
import { clusterCertificate } from "../support/certificates.ts"
import { call } from "../support/controlPlane.ts"
import { temporaryFolder } from "../support/folder.ts"

const freePorts = { proxy_listen: "127.0.0.1:0", status_listen: "127.0.0.1:0" }

const upstreamPort = Effect.acquireRelease(
  Effect.callback<ReturnType<typeof createServer>>((resume) => {
    const server = createServer((_, response) => response.end("hello"))
    server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
  }),
  (server) => Effect.sync(() => server.close())
).pipe(Effect.map((server) => (server.address() as AddressInfo).port))

const documentFor = (port: number, path: string) =>
  JSON.stringify({
    _format_version: "3.0",
    services: [{ name: "s", host: "127.0.0.1", port, routes: [{ name: "r", paths: [path] }] }]
  })

const statusOf = (port: number | undefined, path: string) =>
  Effect.promise(async () => (await fetch(`http://127.0.0.1:${port}${path}`)).status)

const proxyPort = Effect.map(Proxy, ({ addresses }) => addresses[0]?.port)

describe("a node given in code", () => {
  it.live("takes its settings from the caller, and one part of the caller's own", () =>
    Effect.gen(function* () {
      const prefix = yield* temporaryFolder
      const port = yield* upstreamPort
      const blind = Layer.succeed(Router, {
        compile: () => ({ match: () => undefined, certificateFor: () => undefined, routeCount: 0, warnings: [] })
      })
      const settings = { ...freePorts, prefix, declarative_config_string: documentFor(port, "/") }
      const ask = Effect.flatMap(proxyPort, (own) => statusOf(own, "/"))
      assert.strictEqual(yield* ask.pipe(Effect.provide(DataPlane.layer({ settings }))), 200)
      const custom = DataPlane.layer({ settings, parts: { router: blind } })
      assert.strictEqual(yield* ask.pipe(Effect.provide(custom)), 404)
    }).pipe(Effect.provide(Logger.layer([])))
  )

  it.live("shares nothing with another one of the same build", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const port = yield* upstreamPort
      const node = (name: string) =>
        DataPlane.layer({
          settings: {
            ...freePorts,
            prefix: `${folder}/${name}`,
            declarative_config_string: documentFor(port, `/${name}`)
          }
        })
      const memoMap = yield* Layer.makeMemoMap
      const scope = yield* Effect.scope
      const [a, b] = yield* Effect.forEach([node("a"), node("b")], (layer) =>
        Layer.buildWithMemoMap(layer, memoMap, scope)
      )
      if (a === undefined || b === undefined) throw new Error("expected two nodes")
      const ports = [a, b].map((context) => Context.get(context, Proxy).addresses[0]?.port)
      assert.strictEqual(new Set(ports).size, 2)
      const answers = yield* Effect.forEach(ports, (own) =>
        Effect.all([statusOf(own, "/a"), statusOf(own, "/b")], { concurrency: 1 })
      )
      assert.deepStrictEqual(answers, [
        [200, 404],
        [404, 200]
      ])
    }).pipe(Effect.provide(Logger.layer([])))
  )

  it.live("fails with every fault of its settings, before anything opens", () =>
    Effect.gen(function* () {
      const wrong = DataPlane.layer({ settings: { proxy_listen: "x", log_level: "loud" } })
      const error = yield* Effect.flip(Effect.scoped(Layer.build(wrong)))
      assert.strictEqual(error.exitCode, 2)
      assert.deepStrictEqual(
        error.faults.map(({ path }) => path),
        [["log_level"], ["proxy_listen"]]
      )
    })
  )

  it.live("is a control plane as well, whose ids come from where the caller says", () =>
    Effect.gen(function* () {
      const prefix = yield* temporaryFolder
      const pair = yield* clusterCertificate
      let made = 0
      const uuid = Effect.sync(() => `00000000-0000-4000-8000-${String(++made).padStart(12, "0")}`)
      const node = ControlPlane.layer({
        settings: {
          prefix,
          admin_listen: "127.0.0.1:0",
          cluster_listen: "127.0.0.1:0",
          cluster_cert: pair.cert,
          cluster_cert_key: pair.key
        },
        parts: { ids: Layer.succeed(Ids, { uuid, secret: uuid }) }
      }).pipe(Layer.provide(Logger.layer([])))
      yield* Effect.gen(function* () {
        assert.isAbove((yield* AdminListener).addresses[0]?.port ?? 0, 0)
        const { body } = yield* call("POST", "/consumers", { username: "bob" } satisfies Row)
        assert.match(String(body.id), /^00000000-0000-4000-8000-/)
      }).pipe(Effect.provide(node))
    })
  )
})
