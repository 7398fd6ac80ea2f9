/**
 * A gateway of one's own: Holdfast's data plane with one service swapped. Its router is the default one with a rule of
 * the house on top: nothing under `/internal` is reachable from outside, whatever the configuration says.
 */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, Fiber, Layer } from "effect"
import { DataPlane, Proxy, Router, TraditionalCompatibleRouter } from "holdfast"

/** The service `Router`, made from the one that comes with the library. */
const guardedRouter = Layer.effect(
  Router,
  Effect.gen(function* () {
    const router = yield* Router
    return Router.of({
      compile: (table, plugins) => {
        const compiled = router.compile(table, plugins)
        return {
          ...compiled,
          match: (request) => (request.path.startsWith("/internal") ? undefined : compiled.match(request))
        }
      }
    })
  })
).pipe(Layer.provide(TraditionalCompatibleRouter.layer))

/** What the gateway stands in front of. */
const upstream = createServer((request, response) => response.end(`upstream saw ${request.url}\n`))
await new Promise<void>((resolve) => upstream.listen(0, "127.0.0.1", resolve))
const { port: upstreamPort } = upstream.address() as AddressInfo

const gateway = DataPlane.layer({
  settings: {
    prefix: join(tmpdir(), "holdfast-embedded"),
    proxy_listen: `127.0.0.1:${process.env.PORT ?? 8000}`,
    status_listen: "127.0.0.1:0",
    declarative_config_string: JSON.stringify({
      _format_version: "3.0",
      services: [{ name: "s", url: `http://127.0.0.1:${upstreamPort}`, routes: [{ name: "all", paths: ["/"] }] }]
    })
  },
  parts: { router: guardedRouter }
})

const announce = Layer.effectDiscard(
  Effect.gen(function* () {
    const { addresses } = yield* Proxy
    yield* Effect.logInfo(`try: curl localhost:${addresses[0]?.port}/anything and /internal/anything`)
  })
)

const program = Effect.runFork(Layer.launch(announce.pipe(Layer.provide(gateway))))

// The library installs no signal handlers; interrupting the program drains the node.
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => {
    upstream.close()
    Effect.runFork(Fiber.interrupt(program))
  })
}
