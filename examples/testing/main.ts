/**
 * Checks a gateway of one's own: the one of `examples/embedded`, whose router has a rule of the house, and one whose router
 * has a bug. What may befall a node befalls both, again and again, in virtual time; the second one is found out.
 */
import { Effect, Layer } from "effect"
import { DataPlane, Router, TraditionalCompatibleRouter } from "holdfast"
import { checkNode, NodeChecked, virtualParts, type World } from "holdfast/testing"

const cases = 50

/** The router that comes with the library, with what it compiles changed. */
const changedRouter = (change: (compile: Router["Service"]["compile"]) => Router["Service"]["compile"]) =>
  Layer.effect(
    Router,
    Effect.map(Router, ({ compile }) => Router.of({ compile: change(compile) }))
  ).pipe(Layer.provide(TraditionalCompatibleRouter.layer))

const guarded = changedRouter((compile) => (table, plugins) => {
  const compiled = compile(table, plugins)
  return {
    ...compiled,
    match: (request) => (request.path.startsWith("/internal") ? undefined : compiled.match(request))
  }
})

/** It means to spare work, and serves the routes of yesterday. */
const lazy = changedRouter((compile) => {
  let first: ReturnType<typeof compile> | undefined
  return (table, plugins) => {
    first ??= compile(table, plugins)
    return first
  }
})

const gateway = (router: typeof guarded) => (world: World) =>
  DataPlane.layer({
    // The virtual network asks for no certificate; any will do.
    settings: { cluster_control_plane: world.address, cluster_cert: "-", cluster_cert_key: "-" },
    parts: { ...virtualParts, router }
  })

await checkNode(gateway(guarded), { cases })
console.log(`the guarded gateway: every promise held in ${cases} worlds\n`)

try {
  await checkNode(gateway(lazy), { cases })
  console.log("the lazy gateway: nothing was found")
  process.exitCode = 1
} catch (error) {
  if (!(error instanceof NodeChecked)) throw error
  console.log(`the lazy gateway: ${error.message}`)
}
