/**
 * A data plane as a process of its own, with or without telemetry, for `endToEnd.ts`: no control plane answers, and one upstream is at
 * `UPSTREAM_PORT`. Says its port when it serves, and how much processor time it has used whenever it is asked.
 */
import { Effect, Layer, Logger, SubscriptionRef } from "effect"
import { DataPlane } from "../../src/programs/DataPlane.ts"
import { ClusterIdentity } from "../../src/services/ClusterIdentity.ts"
import { Connection } from "../../src/services/Connection.ts"
import { Proxy } from "../../src/services/Proxy.ts"
import { RequestCounters } from "../../src/services/RequestCounters.ts"
import { virtualCredentials } from "../../src/testing/virtualParts.ts"

const { UPSTREAM_PORT, PREFIX = "", TELEMETRY } = process.env
const isOn = TELEMETRY === "on"

const nothingCounted = Layer.succeed(RequestCounters, {
  record: () => undefined,
  cells: () => [],
  apiCalls: () => 0,
  takeChanged: () => [],
  changed: Effect.never
})

const config = {
  _format_version: "3.0",
  services: [{ name: "s", host: "127.0.0.1", port: Number(UPSTREAM_PORT), routes: [{ name: "r", paths: ["/"] }] }]
}

const identity = Layer.effect(
  ClusterIdentity,
  Effect.map(SubscriptionRef.make(virtualCredentials), (current) => ({ current }))
)

const node = DataPlane.layer({
  settings: {
    prefix: PREFIX,
    proxy_listen: "127.0.0.1:0",
    status_listen: "off",
    cluster_control_plane: "127.0.0.1:1",
    cluster_cert: "unused",
    cluster_cert_key: "unused",
    declarative_config_string: JSON.stringify(config),
    telemetry: isOn ? "on" : "off"
  },
  parts: {
    ...(isOn ? {} : { requestCounters: nothingCounted }),
    connection: Layer.succeed(Connection, { run: Effect.never }),
    clusterIdentity: identity
  }
})

const serve = Effect.gen(function* () {
  const { addresses } = yield* Proxy
  process.on("message", () => process.send?.({ cpu: process.cpuUsage() }))
  process.send?.({ port: addresses[0]?.port })
  return yield* Effect.never
})

await Effect.runPromise(serve.pipe(Effect.provide(node), Effect.provide(Logger.layer([])), Effect.scoped))
