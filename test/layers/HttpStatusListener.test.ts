import { createServer } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, MutableRef, SubscriptionRef } from "effect"
import * as HttpStatusListener from "../../src/layers/HttpStatusListener.ts"
import type { Row } from "../../src/model/Entity.ts"
import { ConnectionStatus } from "../../src/services/ConnectionStatus.ts"
import { Identity } from "../../src/services/Identity.ts"
import { LiveConfig } from "../../src/services/LiveConfig.ts"
import { NodeHealth } from "../../src/services/NodeHealth.ts"
import { StatusListener } from "../../src/services/StatusListener.ts"
import { liveLayer } from "../support/live.ts"
import { settingsLayer } from "../support/settings.ts"
import { table } from "../support/tables.ts"

const layer = (status_listen = "127.0.0.1:0") =>
  HttpStatusListener.layer.pipe(
    Layer.provideMerge(
      Layer.mergeAll(
        liveLayer,
        ConnectionStatus.layer,
        NodeHealth.layer,
        settingsLayer({ status_listen }),
        Layer.succeed(Identity, { nodeId: "5b1b701d-de2b-4588-9aa2-3b97061d9f52", hostname: "h", version: "3.9.0" })
      )
    )
  )

interface Body {
  readonly message?: string
  readonly configuration_hash?: string
  readonly server?: Row
  readonly configuration?: Row & {
    readonly age_seconds: number
    readonly last_rejection: { readonly reasons: ReadonlyArray<string> }
  }
  readonly control_plane?: Row
}

const ask = Effect.fnUntraced(function* (path: string, method = "GET") {
  const { addresses } = yield* StatusListener
  const response = yield* Effect.promise(() => fetch(`http://127.0.0.1:${addresses[0]?.port}${path}`, { method }))
  return { status: response.status, body: (yield* Effect.promise(() => response.json())) as Body }
})

const counts = () => ({ active: 2, accepted: 7, requests: 40, inFlight: 1 })
const offer = { raw: table(), source: "disk" as const, hash: "d".repeat(32), receivedAtMs: 0 }

describe("the status listener (proxy-behaviour.md §11)", () => {
  it.live("is not ready until a configuration is served, and says which reason holds", () =>
    Effect.gen(function* () {
      const live = yield* LiveConfig
      const health = yield* NodeHealth
      assert.deepInclude(yield* ask("/status/ready"), { status: 503 })
      assert.match((yield* ask("/status/ready")).body.message ?? "", /configuration hash is not initialized/)
      yield* live.apply({ ...offer, raw: { _format_version: "3.0" } })
      assert.match((yield* ask("/status/ready")).body.message ?? "", /empty configuration present/)
      yield* live.apply(offer)
      assert.match((yield* ask("/status/ready")).body.message ?? "", /proxy listeners are not open/)
      MutableRef.set(health.proxy, counts)
      const ready = yield* ask("/status/ready")
      assert.deepInclude(ready, { status: 200 })
      assert.strictEqual(ready.body.message, "ready")
      MutableRef.set(health.isDraining, true)
      assert.deepInclude((yield* ask("/status/ready")).body, { message: "draining" })
    }).pipe(Effect.provide(layer()))
  )

  it.live(
    "is ready whatever the control plane's state, and tells source, hash, age, connection and the last rejection",
    () =>
      Effect.gen(function* () {
        const live = yield* LiveConfig
        const health = yield* NodeHealth
        MutableRef.set(health.proxy, counts)
        MutableRef.set(health.cacheProblem, "disk full")
        yield* live.apply(offer)
        yield* Effect.ignore(
          live.apply({ ...offer, hash: "e".repeat(32), raw: { ...table(), plugins: [{ name: "acl" }] } })
        )
        yield* SubscriptionRef.set(yield* ConnectionStatus, {
          _tag: "disconnected",
          sinceMs: 5,
          attempts: 3,
          reason: "connect ECONNREFUSED"
        })
        assert.strictEqual((yield* ask("/status/ready")).status, 200)
        const { status, body } = yield* ask("/status")
        assert.strictEqual(status, 200)
        assert.deepInclude(body, { configuration_hash: "d".repeat(32) })
        assert(body.server !== undefined && body.configuration !== undefined && body.control_plane !== undefined)
        assert.deepInclude(body.server, { connections_active: 2, total_requests: 40 })
        assert.deepInclude(body.configuration, {
          source: "disk",
          hash: "d".repeat(32),
          routes: 1,
          cache: "not written: disk full"
        })
        assert.isAbove(body.configuration.age_seconds, 1_000_000)
        assert.deepInclude(body.control_plane, { state: "disconnected", attempts: 3, reason: "connect ECONNREFUSED" })
        assert.match(body.configuration.last_rejection.reasons.join(), /acl/)
      }).pipe(Effect.provide(layer()))
  )

  it.live("answers 404 and 405 in JSON, and stays out of the way of a taken port", () =>
    Effect.gen(function* () {
      assert.deepEqual(yield* ask("/nothing"), { status: 404, body: { message: "Not found" } })
      assert.strictEqual((yield* ask("/status", "DELETE")).status, 405)
    }).pipe(Effect.provide(layer()))
  )

  it.live("names setting, address and reason when the port is taken", () =>
    Effect.gen(function* () {
      const taken = yield* Effect.acquireRelease(
        Effect.callback<ReturnType<typeof createServer>>((resume) => {
          const server = createServer().listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
        }),
        (server) => Effect.callback<void>((resume) => void server.close(() => resume(Effect.void)))
      )
      const { port } = taken.address() as { readonly port: number }
      const error = yield* Effect.flip(StatusListener.pipe(Effect.provide(layer(`127.0.0.1:${port}`))))
      assert.strictEqual(
        error.message,
        `status_listen: expected a free address, but it is in use, got "127.0.0.1:${port}"`
      )
      assert.strictEqual(error.exitCode, 1)
    })
  )
})
