/**
 * Telemetry over real TLS, from the production delivery to the production listener: by default on the cluster listener, through
 * the forward proxy as the configuration's (`telemetry.md` §A.1; `faults.md`, "forward-proxy omits telemetry port"). And a peer
 * with a certificate of the cluster's that is up to no good.
 */
import { gzipSync } from "node:zlib"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, MutableRef, Queue } from "effect"
import * as TlsClusterTransport from "../../../src/layers/cluster-transport/TlsClusterTransport.ts"
import * as PemClusterIdentity from "../../../src/layers/credentials/PemClusterIdentity.ts"
import * as SpoolDelivery from "../../../src/layers/telemetry-delivery/SpoolDelivery.ts"
import * as WebSocketDialer from "../../../src/layers/WebSocketDialer.ts"
import * as ZlibCompression from "../../../src/layers/ZlibCompression.ts"
import { batchMaxBytes, frameMaxBytes, telemetryPath } from "../../../src/model/telemetry/TelemetryWire.ts"
import { ClusterListener } from "../../../src/services/control/Listeners.ts"
import { TelemetryStore } from "../../../src/services/control/TelemetryStore.ts"
import { Identity } from "../../../src/services/Identity.ts"
import { ReconnectPolicy } from "../../../src/services/ReconnectPolicy.ts"
import type { CertificatePair } from "../../../src/services/ServerCertificate.ts"
import { supervise } from "../../../src/services/supervise.ts"
import { TelemetryDelivery } from "../../../src/services/TelemetryDelivery.ts"
import { TelemetrySpool } from "../../../src/services/TelemetrySpool.ts"
import { TelemetryStatus } from "../../../src/services/TelemetryStatus.ts"
import { TrustedClock } from "../../../src/services/TrustedClock.ts"
import { makeMemorySpool, makeSpoolDisk } from "../../../src/testing/MemorySpool.ts"
import { clusterCertificate } from "../../support/certificates.ts"
import { clusterPort, type Given, memoryControlPlane } from "../../support/controlPlane.ts"
import { fileWatch } from "../../support/fileWatch.ts"
import { forwardProxy } from "../../support/forwardProxy.ts"
import { dial, next } from "../../support/outletClient.ts"
import { until } from "../../support/process.ts"
import { settingsLayer } from "../../support/settings.ts"
import { uuidOf, windowOf } from "../../support/telemetry.ts"

const nodeId = uuidOf(1)

/** A node that delivers, and nothing else of one. */
const node = Effect.fnUntraced(function* (pair: CertificatePair, given: Given) {
  const disk = makeSpoolDisk()
  const spool = yield* makeMemorySpool({ disk, epoch: uuidOf(9) })
  const layer = SpoolDelivery.layer.pipe(
    Layer.provide(WebSocketDialer.layerForTelemetry),
    Layer.provide(TlsClusterTransport.layer),
    Layer.provide(Layer.orDie(PemClusterIdentity.layerToleratingExpiry)),
    Layer.provide([fileWatch, ZlibCompression.layer, ReconnectPolicy.layer]),
    Layer.provide([Layer.succeed(TelemetrySpool, spool.service), TrustedClock.layerWall]),
    Layer.provide(Layer.succeed(Identity, { nodeId, hostname: "a host", version: "3.9.0" })),
    Layer.provideMerge(TelemetryStatus.layer),
    Layer.provide(settingsLayer({ cluster_cert: pair.cert, cluster_cert_key: pair.key, ...given }))
  )
  const { run, status } = yield* Effect.gen(function* () {
    return { run: (yield* TelemetryDelivery).run, status: yield* TelemetryStatus }
  }).pipe(Effect.provide(layer))
  yield* supervise("delivery", run)
  return { spool, disk, status }
})

const billed = Effect.gen(function* () {
  const { apiCalls } = yield* (yield* TelemetryStore).usage({})
  return apiCalls.get(nodeId) ?? 0
})

const delivered = Effect.fnUntraced(function* (pair: CertificatePair, given: Given) {
  const { spool, disk, status } = yield* node(pair, given)
  spool.endWindow(windowOf(Date.now(), 7))
  yield* until(() => disk.records.length === 0)
  spool.endWindow(windowOf(Date.now(), 5))
  yield* until(() => disk.records.length === 0)
  assert.strictEqual(yield* billed, 12)
  assert.strictEqual(MutableRef.get(status.delivery)._tag, "connected")
})

describe("delivery over mutual TLS", () => {
  it.live("to the cluster listener, where configuration goes", () =>
    Effect.gen(function* () {
      const pair = yield* clusterCertificate
      yield* Effect.gen(function* () {
        yield* delivered(pair, { cluster_control_plane: `127.0.0.1:${yield* clusterPort}` })
      }).pipe(Effect.scoped, Effect.provide(memoryControlPlane(pair)))
    })
  )

  it.live("to a listener of its own, under its own name, by the forward proxy", () =>
    Effect.gen(function* () {
      const pair = yield* clusterCertificate
      const proxy = yield* forwardProxy({ hosts: { "telemetry.example": "127.0.0.1" } })
      yield* Effect.gen(function* () {
        const { telemetryAddresses } = yield* ClusterListener
        const port = telemetryAddresses[0]?.port ?? 0
        yield* delivered(pair, {
          cluster_control_plane: "config.example:1",
          cluster_telemetry_endpoint: `telemetry.example:${port}`,
          cluster_use_proxy: "on",
          proxy_server: `http://127.0.0.1:${proxy.port}`
        })
        assert.deepStrictEqual([...new Set(proxy.asked.map(({ target }) => target))], [`telemetry.example:${port}`])
        const { heard } = yield* dial({ port, trusted: pair, presented: pair })
        assert.deepInclude(yield* Queue.take(heard), { _tag: "Ended", reason: "HTTP 404" })
      }).pipe(Effect.scoped, Effect.provide(memoryControlPlane(pair, { cluster_telemetry_listen: "127.0.0.1:0" })))
    })
  )

  it.live("is not for whoever has another certificate, nor for a node whose id is no UUID", () =>
    Effect.gen(function* () {
      const [pair, other] = [yield* clusterCertificate, yield* clusterCertificate]
      yield* Effect.gen(function* () {
        const port = yield* clusterPort
        const stranger = yield* dial({ port, trusted: pair, presented: other, path: telemetryPath })
        assert.strictEqual((yield* Queue.take(stranger.heard))._tag, "Ended")
        const query = "node_id=jane.doe&node_hostname=h&node_version=3.9.0"
        const nameless = yield* dial({ port, trusted: pair, presented: pair, path: telemetryPath, query })
        assert.deepInclude(yield* Queue.take(nameless.heard), { _tag: "Ended", reason: "HTTP 400" })
      }).pipe(Effect.scoped, Effect.provide(memoryControlPlane(pair)))
    })
  )
})

const record = {
  lane: "billing",
  epoch: uuidOf(9),
  sequence: 1,
  fromMs: 0,
  toMs: 1,
  apiCalls: 1,
  services: 1,
  dropped: { records: 0, requests: 0 }
}
const spool = { bytes: 0, records: 0, oldest_ms: null }
const batch = (value: object) => gzipSync(JSON.stringify(value))
const analytics = { lane: "analytics", epoch: uuidOf(9), sequence: 1, fromMs: 0, toMs: 1, cells: [] as Array<object> }
const cell = { service: null, route: null, consumer: null, statuses: [0, 0, 0, 0, 0], latency: [] }

/** What each is answered, before the connection ends. */
const hostile: Readonly<Record<string, Buffer>> = {
  "no gzip": Buffer.from("GET / HTTP/1.1\r\n\r\n"),
  "no JSON": gzipSync("records"),
  "no batch": batch([]),
  "a bomb": gzipSync(Buffer.alloc(batchMaxBytes + 1)),
  "a bomb in a bomb's form": gzipSync(JSON.stringify({ records: [" ".repeat(batchMaxBytes)], spool })),
  "a field more beside the records": batch({ records: [record], spool, hostname: "a host" }),
  "a field more in a record": batch({ records: [{ ...record, user: "jane" }], spool }),
  "a field more in a cell": batch({ records: [{ ...analytics, cells: [{ ...cell, path: "/secret" }] }], spool }),
  "a name for an id": batch({ records: [{ ...analytics, cells: [{ ...cell, consumer: "jane" }] }], spool }),
  "too many cells in a record": batch({ records: [{ ...analytics, cells: Array(1_001).fill(cell) }], spool }),
  "a count below nothing": batch({ records: [{ ...record, apiCalls: -1 }], spool }),
  "half a record": batch({ records: [record, { lane: "billing" }], spool })
}

describe("a hostile peer", () => {
  it.live("is told that its frame is no batch, is cut off, and changes nothing", () =>
    Effect.gen(function* () {
      const pair = yield* clusterCertificate
      yield* Effect.gen(function* () {
        const port = yield* clusterPort
        const query = `node_id=${nodeId}&node_hostname=h&node_version=3.9.0`
        const connect = Effect.gen(function* () {
          const client = yield* dial({ port, trusted: pair, presented: pair, path: telemetryPath, query })
          yield* next(client.heard, "Opened")
          return client
        })
        for (const [name, frame] of Object.entries(hostile)) {
          const { socket, heard } = yield* connect
          socket.send(frame)
          assert.deepStrictEqual((yield* next(heard, "Configured")).message, { error: "unreadable" }, name)
          assert.deepInclude(yield* Queue.take(heard), { _tag: "Ended", reason: "1002" }, name)
        }
        const large = yield* connect
        large.socket.send(Buffer.alloc(frameMaxBytes + 1))
        assert.strictEqual((yield* Queue.take(large.heard))._tag, "Ended")
        const text = yield* connect
        text.socket.send("hello")
        assert.strictEqual((yield* Queue.take(text.heard))._tag, "Ended")
        const flood = yield* connect
        for (let n = 0; n < 100; n++) flood.socket.send(batch({ records: [], spool }))
        yield* until(() => flood.socket.readyState === flood.socket.CLOSED)
        assert.strictEqual(yield* billed, 0)

        const honest = yield* connect
        honest.socket.send(batch({ records: [record], spool }))
        assert.deepStrictEqual((yield* next(honest.heard, "Configured")).message, {
          acknowledged: [{ epoch: uuidOf(9), lane: "billing", sequence: 1 }]
        })
        honest.socket.ping("")
        yield* next(honest.heard, "Pong")
        assert.strictEqual(yield* billed, 1)
      }).pipe(Effect.scoped, Effect.provide(memoryControlPlane(pair)))
    }).pipe(Effect.timeout("20 seconds"))
  )
})
