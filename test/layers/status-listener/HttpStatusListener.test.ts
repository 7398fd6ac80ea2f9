import { createServer } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, MutableRef, SubscriptionRef } from "effect"
import * as CountedRequests from "../../../src/layers/counted-requests/CountedRequests.ts"
import * as GatheredNodeMetrics from "../../../src/layers/metrics/GatheredNodeMetrics.ts"
import * as HttpStatusListener from "../../../src/layers/status-listener/HttpStatusListener.ts"
import type { Row } from "../../../src/model/Entity.ts"
import type { License } from "../../../src/model/License.ts"
import { standingOf } from "../../../src/model/LicenseStanding.ts"
import { ConnectionStatus } from "../../../src/services/ConnectionStatus.ts"
import { Identity } from "../../../src/services/Identity.ts"
import { LiveConfig } from "../../../src/services/LiveConfig.ts"
import { NodeHealth } from "../../../src/services/NodeHealth.ts"
import { Resolver } from "../../../src/services/Resolver.ts"
import { StatusListener } from "../../../src/services/StatusListener.ts"
import { TelemetryStatus } from "../../../src/services/TelemetryStatus.ts"
import { TrustedClock } from "../../../src/services/TrustedClock.ts"
import { licenseUntil, parsed } from "../../support/licenses.ts"
import { joined, liveLayer, liveLayerFor } from "../../support/live.ts"
import { settingsLayer } from "../../support/settings.ts"
import { table } from "../../support/tables.ts"

const dnsStats = { names: 2, hits: 9, stale: 1, misses: 3, queries: 4, failures: 0 }

const layer = (status_listen = "127.0.0.1:0", live = liveLayer) =>
  HttpStatusListener.layer.pipe(
    Layer.provide(GatheredNodeMetrics.layer.pipe(Layer.provide(CountedRequests.layer))),
    Layer.provideMerge(
      Layer.mergeAll(
        live,
        ConnectionStatus.layer,
        NodeHealth.layer,
        TelemetryStatus.layer,
        TrustedClock.layerWall,
        Layer.succeed(Resolver, { resolve: () => undefined, stats: () => dnsStats }),
        settingsLayer({ status_listen }),
        Layer.succeed(Identity, { nodeId: "5b1b701d-de2b-4588-9aa2-3b97061d9f52", hostname: "h", version: "3.9.0" })
      )
    )
  )

interface Body {
  readonly message?: string
  readonly data?: ReadonlyArray<Row>
  readonly memory?: {
    readonly workers_lua_vms: ReadonlyArray<Row>
    readonly lua_shared_dicts: Row
    readonly process: Row
  }
  readonly configuration_hash?: string
  readonly clock?: Row
  readonly server?: Row
  readonly configuration?: Row & {
    readonly age_seconds: number
    readonly last_rejection: { readonly reasons: ReadonlyArray<string> }
  }
  readonly ladder?: Row
  readonly control_plane?: Row
  readonly license?: Row
  readonly ready?: boolean
  readonly not_ready_because?: string
}

const ask = Effect.fnUntraced(function* (path: string, method = "GET", body?: string) {
  const { addresses } = yield* StatusListener
  const url = `http://127.0.0.1:${addresses[0]?.port}${path}`
  const response = yield* Effect.promise(() => fetch(url, { method, ...(body === undefined ? {} : { body }) }))
  const text = yield* Effect.promise(() => response.text())
  return { status: response.status, body: (text === "" ? {} : JSON.parse(text)) as Body }
})

const counts = () => ({ active: 2, accepted: 7, requests: 40, inFlight: 1 })
const offer = { raw: table(), source: "disk" as const, hash: "d".repeat(32), receivedAtMs: 0 }

describe("the ladder in the status", () => {
  const configuration = Effect.map(ask("/status"), ({ body }) => body.configuration ?? {})
  const ladder = Effect.map(ask("/status"), ({ body }) => body.ladder ?? {})

  it.live("shows what the node uses, and why what is at least as good as what serves does not", () =>
    Effect.gen(function* () {
      const live = yield* LiveConfig
      yield* live.passOver({ source: "disk", reasons: ["/p/config.json.gz: gzip: expected gzip"] })
      assert.deepEqual(yield* ladder, {
        sources: ["control_plane", "disk", "peer", "object_storage", "declarative_file"],
        passed_over: [{ rung: "disk", reasons: ["/p/config.json.gz: gzip: expected gzip"] }]
      })
      assert.deepInclude(yield* configuration, { cache: "nothing to keep: no configuration serves" })
      MutableRef.set((yield* NodeHealth).cacheProblem, "ENOSPC")
      yield* live.apply({ ...offer, source: "control_plane" })
      assert.deepInclude(yield* ladder, { passed_over: [] })
      assert.deepInclude(yield* configuration, { cache: "not written: ENOSPC" })
    }).pipe(Effect.provide(layer()))
  )

  it.live("says that there is no cache where config_sources leaves the disk out", () =>
    Effect.gen(function* () {
      assert.deepInclude(yield* configuration, { cache: "off: config_sources leaves the disk out" })
    }).pipe(Effect.provide(layer(undefined, liveLayerFor({ ...joined, config_sources: "control_plane" }))))
  )
})

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
        MutableRef.set(health.clusterCertificateExpiresAtMs, () => Date.UTC(2030, 0, 1))
        yield* live.apply(offer)
        yield* Effect.ignore(
          live.apply({ ...offer, hash: "e".repeat(32), raw: { ...table(), plugins: [{ name: "acl" }] } })
        )
        yield* SubscriptionRef.set(yield* ConnectionStatus, {
          _tag: "disconnected",
          sinceMs: 5,
          sinceMonotonicMs: 5,
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
        assert.deepInclude(body.control_plane, {
          state: "disconnected",
          attempts: 3,
          reason: "connect ECONNREFUSED",
          certificate_expires_at: "2030-01-01T00:00:00.000Z"
        })
        assert.match(body.configuration.last_rejection.reasons.join(), /acl/)
      }).pipe(Effect.provide(layer()))
  )

  it.live("is not ready while an expired licence stops it, and tells how the licence stands (resilience.md §6)", () =>
    Effect.gen(function* () {
      const health = yield* NodeHealth
      MutableRef.set(health.proxy, counts)
      yield* (yield* LiveConfig).apply(offer)
      const none = { state: "none", serving: true, source: null, expires_at: null, days_left: null, refused: [] }
      assert.deepInclude((yield* ask("/status")).body.license, none)
      assert.strictEqual((yield* ask("/status/ready")).status, 200)

      const license: License = parsed(licenseUntil("2026-06-01"))
      const stands = (now: string, onExpiry: "stop" | "warn") =>
        Effect.sync(() => {
          const finding = { _tag: "License", license, signature: "verified" } as const
          const standing = standingOf(finding, Date.parse(now), { onExpiry, graceDays: 5 })
          const refused = [{ source: "prefix" as const, reasons: ["expected UTF-8"] }]
          MutableRef.set(health.license, { ...standing, source: "configuration", refused })
        })
      yield* stands("2026-05-30T12:00:00Z", "stop")
      const { body } = yield* ask("/status")
      assert.deepInclude(body.clock, { deviation_seconds: 0, state: "trusted", last_correction: null })
      assert.deepEqual(body.license, {
        state: "expiring",
        serving: true,
        source: "configuration",
        expires_at: "2026-06-01T00:00:00.000Z",
        days_left: 2,
        grace_until: "2026-06-06T00:00:00.000Z",
        next_change_at: "2026-06-01T00:00:00.000Z",
        signature: "verified",
        refused: [{ source: "prefix", reasons: ["expected UTF-8"] }]
      })
      assert.notInclude(JSON.stringify(body), "not-for-anybodys-eyes")

      yield* stands("2026-06-06T00:00:00Z", "stop")
      const stopped = yield* ask("/status/ready")
      assert.strictEqual(stopped.status, 503)
      assert.strictEqual(stopped.body.message, "license expired (2026-06-01T00:00:00.000Z)")
      assert.deepInclude(stopped.body.license, { state: "expired", serving: false, days_left: 0, next_change_at: null })
      assert.deepInclude((yield* ask("/status")).body, { ready: false, not_ready_because: stopped.body.message ?? "" })

      yield* stands("2026-06-06T00:00:00Z", "warn")
      assert.strictEqual((yield* ask("/status/ready")).status, 200)
    }).pipe(Effect.provide(layer()))
  )

  it.live("answers 404 and 405 in JSON, and stays out of the way of a taken port", () =>
    Effect.gen(function* () {
      assert.deepEqual(yield* ask("/nothing"), { status: 404, body: { message: "Not found" } })
      assert.strictEqual((yield* ask("/status", "DELETE")).status, 405)
    }).pipe(Effect.provide(layer()))
  )

  it.live("tells memory and connections in Kong's shape, memory in the unit that is asked for", () =>
    Effect.gen(function* () {
      MutableRef.set((yield* NodeHealth).proxy, counts)
      const { body } = yield* ask("/status")
      assert.match(String(body.memory?.workers_lua_vms[0]?.http_allocated_gc), /^\d+\.\d\d MiB$/)
      assert.strictEqual(body.memory?.workers_lua_vms[0]?.pid, process.pid)
      assert.deepEqual(body.memory?.lua_shared_dicts, {})
      assert.deepInclude(body.server, {
        connections_active: 2,
        connections_reading: 0,
        connections_writing: 1,
        connections_waiting: 1,
        connections_accepted: 7,
        connections_handled: 7,
        total_requests: 40
      })
      const inBytes = (yield* ask("/status?unit=b")).body.memory?.process.rss
      assert(typeof inBytes === "number" && inBytes > 1_000_000)
      assert.match(String((yield* ask("/status?unit=K&scale=0")).body.memory?.process.rss), /^\d+ KiB$/)
      const wrong = yield* ask("/status?unit=q&scale=-1")
      assert.strictEqual(wrong.status, 400)
      assert.match(wrong.body.message ?? "", /unit: expected one of b, k, m, g, got "q"; scale: expected an integer/)
    }).pipe(Effect.provide(layer()))
  )

  it.live("drains when it is told to, and only then: from then on it is not ready, until the next start", () =>
    Effect.gen(function* () {
      MutableRef.set((yield* NodeHealth).proxy, counts)
      yield* (yield* LiveConfig).apply(offer)
      for (const body of ["", "{", "null", '{"status":"ready"}', `{"status":"draining","x":"${"x".repeat(5_000)}"}`]) {
        const refused = yield* ask("/status/ready", "POST", body)
        assert.strictEqual(refused.status, 400)
        assert.match(refused.body.message ?? "", /draining/)
      }
      assert.strictEqual((yield* ask("/status/ready")).status, 200)
      assert.strictEqual((yield* ask("/status/ready", "POST", '{"status":"draining"}')).status, 204)
      const drained = yield* ask("/status/ready")
      assert.deepEqual([drained.status, drained.body.message], [503, "draining"])
      assert.strictEqual((yield* ask("/status")).status, 200)
    }).pipe(Effect.provide(layer()))
  )

  it.live("answers Prometheus, in its text format", () =>
    Effect.gen(function* () {
      const { addresses } = yield* StatusListener
      const answer = yield* Effect.promise(() => fetch(`http://127.0.0.1:${addresses[0]?.port}/metrics`))
      assert.strictEqual(answer.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8")
      assert.match(yield* Effect.promise(() => answer.text()), /^holdfast_ready 0$/m)
    }).pipe(Effect.provide(layer()))
  )

  it.live("tells what its own DNS cache does, where Kong's classic client answers 501", () =>
    Effect.gen(function* () {
      assert.deepEqual(yield* ask("/status/dns"), { status: 200, body: dnsStats as Body })
    }).pipe(Effect.provide(layer()))
  )

  it.live("shows upstreams and targets of the running configuration, read-only, by name or by id", () =>
    Effect.gen(function* () {
      assert.deepEqual((yield* ask("/upstreams")).body, { data: [], next: null } as Body)
      const up = "33333333-3333-4333-8333-333333333333"
      const id = (n: number) => `44444444-4444-4444-8444-44444444444${n}`
      const upstreams = [{ id: up, name: "pool" }]
      const targets = [
        { id: id(1), upstream: up, target: "10.0.0.1" },
        { id: id(2), upstream: up, target: "10.0.0.2:81", weight: 0 }
      ]
      yield* (yield* LiveConfig).apply({ ...offer, raw: table("/a", { upstreams, targets }) })
      const names = (body: Body) => body.data?.map(({ name, target }) => name ?? target)
      assert.deepEqual(names((yield* ask("/upstreams")).body), ["pool"])
      for (const key of ["pool", up]) {
        assert.deepInclude((yield* ask(`/upstreams/${key}`)).body, { name: "pool", slots: 10_000 } as Body)
        assert.deepEqual(names((yield* ask(`/upstreams/${key}/targets`)).body), ["10.0.0.1:8000"])
        assert.deepEqual(names((yield* ask(`/upstreams/${key}/targets/all`)).body), ["10.0.0.1:8000", "10.0.0.2:81"])
      }
      for (const key of ["10.0.0.1", "10.0.0.1:8000", id(1)]) {
        const target = { target: "10.0.0.1:8000", weight: 100, upstream: { id: up } }
        assert.deepInclude((yield* ask(`/upstreams/pool/targets/${key}`)).body, target as Body)
      }
      const health = (yield* ask("/upstreams/pool/health")).body
      assert.deepEqual(
        health.data?.map(({ health }) => health),
        ["HEALTHCHECKS_OFF", "HEALTHCHECKS_OFF"]
      )
      assert.strictEqual((health as Row).node_id, "5b1b701d-de2b-4588-9aa2-3b97061d9f52")
      const absent = ["/upstreams/x", "/upstreams/pool/x", "/upstreams/pool/targets/x", "/upstreams/pool/health/x"]
      for (const path of [...absent, "/upstreams/%zz", "/metrics/x"])
        assert.deepEqual(yield* ask(path), { status: 404, body: { message: "Not found" } })
      assert.strictEqual((yield* ask("/upstreams/pool", "POST", "{}")).status, 405)
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
