/** `GET /metrics` of a whole control plane: with its token, and without one where it listens for probes. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { StatusListener } from "../../src/services/StatusListener.ts"
import { clusterCertificate } from "../support/certificates.ts"
import { call, clusterPort, memoryControlPlane } from "../support/controlPlane.ts"
import { defaultNodeId, join, next } from "../support/outletClient.ts"
import { readPrometheus } from "../support/prometheusFormat.ts"

const statusPort = Effect.map(StatusListener, ({ addresses }) => addresses[0]?.port ?? 0)

const ask = (port: number, path: string, method = "GET") =>
  Effect.promise(async () => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { method })
    return { status: response.status, type: response.headers.get("content-type"), text: await response.text() }
  })

const valueOf = (text: string, name: string) => readPrometheus(text).get(name)?.samples[0]

describe("the metrics of a control plane", () => {
  it.live("count a node that is there, and what was pushed to it", () =>
    Effect.gen(function* () {
      const pair = yield* clusterCertificate
      yield* Effect.gen(function* () {
        const client = yield* join({ port: yield* clusterPort, trusted: pair, presented: pair })
        yield* next(client.heard, "Configured")
        const port = yield* statusPort
        const { text, type } = yield* ask(port, "/metrics")
        assert.strictEqual(type, "text/plain; version=0.0.4; charset=utf-8")
        assert.strictEqual(valueOf(text, "holdfast_data_planes_connected")?.value, 1)
        assert.strictEqual(valueOf(text, "kong_data_plane_last_seen")?.labels.node_id, defaultNodeId)
        assert.strictEqual(valueOf(text, "holdfast_pushes_total")?.value, 1)
        assert.strictEqual(
          valueOf(text, "holdfast_push_bytes_total")?.value,
          valueOf(text, "holdfast_payload_bytes")?.value
        )
        assert.strictEqual(valueOf(text, "kong_datastore_reachable")?.value, 1)
        const behindToken = yield* call("GET", "/metrics", undefined, { "kong-admin-token": "t" })
        assert.strictEqual(valueOf(behindToken.text, "holdfast_data_planes_connected")?.value, 1)
        assert.strictEqual((yield* call("GET", "/metrics")).status, 401)
      }).pipe(
        Effect.scoped,
        Effect.provide(memoryControlPlane(pair, { status_listen: "127.0.0.1:0", admin_token: "t" }))
      )
    }).pipe(Effect.timeout("20 seconds"))
  )

  it.live("stand beside probes, and nothing that changes anything", () =>
    Effect.gen(function* () {
      const pair = yield* clusterCertificate
      yield* Effect.gen(function* () {
        const port = yield* statusPort
        assert.deepInclude(yield* ask(port, "/status/ready"), { status: 200, text: '{"message":"ready"}' })
        assert.deepInclude(yield* ask(port, "/status"), { status: 200, text: '{"database":{"reachable":true}}' })
        assert.strictEqual((yield* ask(port, "/services")).status, 404)
        assert.strictEqual((yield* ask(port, "/metrics", "POST")).status, 405)
        assert.strictEqual((yield* ask(port, "/toString")).status, 404)
      }).pipe(Effect.provide(memoryControlPlane(pair, { status_listen: "127.0.0.1:0" })))
      const addresses = yield* Effect.map(StatusListener, (listener) => listener.addresses).pipe(
        Effect.provide(memoryControlPlane(pair))
      )
      assert.deepEqual(addresses, [], "unless it is asked to: a data plane on the same machine has that address")
    }).pipe(Effect.timeout("20 seconds"))
  )
})
