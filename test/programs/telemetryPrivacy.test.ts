/**
 * No name, credential, header, query, path, address or body gets into telemetry (`telemetry.md` §A.3,
 * `konnect-network-resiliency.md`): hostile ones go through a whole cluster, and every byte that leaves the node over the
 * telemetry connection, that its spool keeps and that the control plane keeps of it is searched for them.
 */
import { request } from "node:http"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { gunzipSync } from "node:zlib"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Logger } from "effect"
import * as NodeDisk from "../../src/layers/NodeDisk.ts"
import * as WebSocketDialer from "../../src/layers/WebSocketDialer.ts"
import { ControlPlane } from "../../src/programs/ControlPlane.ts"
import { DataPlane } from "../../src/programs/DataPlane.ts"
import { ClusterListener } from "../../src/services/control/Listeners.ts"
import { Disk } from "../../src/services/Disk.ts"
import { Proxy } from "../../src/services/Proxy.ts"
import { TelemetryDialer } from "../../src/services/TelemetryDialer.ts"
import { startUpstream } from "../layers/http-proxy/support.ts"
import { clusterCertificate } from "../support/certificates.ts"
import { call } from "../support/controlPlane.ts"
import { temporaryFolder } from "../support/folder.ts"

/** Each stands where a name or a secret can stand. */
const marker = (place: string): string => `${place}-9f81c2`
const places = ["service", "route", "consumer", "custom", "key", "path", "query", "header", "body", "tag", "hostname"]

const holds = (bytes: Uint8Array): ReadonlyArray<string> => {
  const text = Buffer.from(bytes).toString("latin1")
  return places.filter((place) => text.includes(marker(place)))
}

const unpacked = (bytes: Uint8Array): Uint8Array => (bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzipSync(bytes) : bytes)

/** The production dialler; what is sent over it is kept. */
const recording = (sent: Array<Uint8Array>) =>
  Layer.effect(
    TelemetryDialer,
    Effect.map(TelemetryDialer, ({ dial }) => ({
      dial: Effect.map(dial, (socket) => ({
        ...socket,
        send: (bytes: Uint8Array) =>
          Effect.andThen(
            Effect.sync(() => void sent.push(bytes)),
            socket.send(bytes)
          )
      }))
    }))
  ).pipe(Layer.provide(WebSocketDialer.layerForTelemetry))

/** The real disk; what was ever written below the folder is kept, for files of the spool go when they are delivered. */
const keeping = (folder: string, written: Array<Uint8Array>) =>
  Layer.effect(
    Disk,
    Effect.map(Disk, (disk) => ({
      ...disk,
      create: (path: string, mode: number) =>
        Effect.map(disk.create(path, mode), (file) => ({
          ...file,
          write: (bytes: Uint8Array) => {
            if (path.startsWith(folder)) written.push(bytes.slice())
            return file.write(bytes)
          }
        }))
    }))
  ).pipe(Layer.provide(NodeDisk.layer))

const ask = (port: number) =>
  Effect.promise<number>(
    () =>
      new Promise((done, fail) => {
        const sent = request({
          port,
          host: "127.0.0.1",
          method: "POST",
          agent: false,
          path: `/${marker("path")}?apikey=${marker("key")}&q=${marker("query")}`,
          headers: { host: marker("hostname"), "user-agent": marker("header"), cookie: marker("header") }
        })
        sent.on("response", (response) => {
          response.resume()
          response.on("end", () => done(response.statusCode ?? 0))
        })
        sent.on("error", fail)
        sent.end(marker("body"))
      })
  )

const until = <E, R>(holdsNow: Effect.Effect<boolean, E, R>): Effect.Effect<void, E, R> =>
  Effect.flatMap(holdsNow, (isSo) => (isSo ? Effect.void : Effect.andThen(Effect.sleep("20 millis"), until(holdsNow))))

const configure = Effect.fnUntraced(function* (port: number) {
  const post = Effect.fnUntraced(function* (path: string, body: object) {
    const { status, text } = yield* call("POST", path, body as never)
    assert.strictEqual(status, 201, text)
  })
  yield* post("/services", { name: marker("service"), host: "127.0.0.1", port, tags: [marker("tag")] })
  yield* post(`/services/${marker("service")}/routes`, { name: marker("route"), paths: ["/"] })
  yield* post("/consumers", { username: marker("consumer"), custom_id: marker("custom") })
  yield* post(`/consumers/${marker("consumer")}/key-auth`, { key: marker("key") })
  yield* post(`/services/${marker("service")}/plugins`, { name: "key-auth" })
})

/** Rows of the tables that are telemetry's; the configuration beside them has its names by right. */
const telemetryRows = (file: string): ReadonlyArray<string> => {
  const database = new DatabaseSync(file, { readOnly: true })
  try {
    const tables = database
      .prepare("SELECT name FROM sqlite_master WHERE type = 'table'")
      .all()
      .map(({ name }) => String(name))
      .filter((name) => /^(telemetry|billing|analytics)_/.test(name))
    return tables.flatMap((name) =>
      database
        .prepare(`SELECT * FROM ${name}`)
        .all()
        .flatMap((row) =>
          Object.values(row).map((value) =>
            value instanceof Uint8Array ? Buffer.from(unpacked(value)).toString("latin1") : String(value)
          )
        )
    )
  } finally {
    database.close()
  }
}

describe("telemetry", () => {
  it.live(
    "carries no name and no secret, whatever names and requests hold: not on the wire, not in the spool, not in the store",
    () =>
      Effect.gen(function* () {
        const folder = yield* temporaryFolder
        const pair = yield* clusterCertificate
        const upstream = yield* startUpstream((_, response) => response.end("ok"))
        const shared = { cluster_cert: pair.cert, cluster_cert_key: pair.key }
        const controlPlane = yield* Layer.build(
          ControlPlane.layer({
            settings: {
              ...shared,
              prefix: join(folder, "cp"),
              admin_listen: "127.0.0.1:0",
              cluster_listen: "127.0.0.1:0"
            }
          })
        )
        const admin = Effect.provideContext(configure(upstream.port), controlPlane)
        yield* admin
        const clusterPort = Context.get(controlPlane, ClusterListener).addresses[0]?.port
        const sent: Array<Uint8Array> = []
        const written: Array<Uint8Array> = []
        const node = yield* Layer.build(
          DataPlane.layer({
            settings: {
              ...shared,
              prefix: join(folder, "dp"),
              cluster_control_plane: `127.0.0.1:${clusterPort}`,
              proxy_listen: "127.0.0.1:0",
              status_listen: "off",
              analytics_flush_interval: "0.1"
            },
            parts: {
              telemetryDialer: recording(sent),
              disk: keeping(join(folder, "dp", "telemetry"), written)
            }
          })
        )
        const port = Context.get(node, Proxy).addresses[0]?.port ?? 0
        yield* until(Effect.map(ask(port), (status) => status === 200))
        const analytics = call("GET", "/analytics/requests?by=consumer").pipe(Effect.provideContext(controlPlane))
        // The one place where a name belongs: the control plane's answer, resolved when somebody asks.
        yield* until(Effect.map(analytics, ({ text }) => text.includes(marker("consumer"))))
        yield* ask(port)
        yield* Effect.sleep("300 millis")

        assert.isAbove(sent.length, 0)
        assert.deepStrictEqual(
          sent.flatMap((bytes) => holds(unpacked(bytes))),
          []
        )
        assert.isAbove(written.length, 0)
        assert.deepStrictEqual(
          written.flatMap((bytes) => holds(unpacked(bytes))),
          []
        )
        const rows = telemetryRows(join(folder, "cp", "holdfast.db"))
        assert.isAbove(rows.length, 0)
        assert.deepStrictEqual(
          rows.flatMap((row) => holds(Buffer.from(row, "latin1"))),
          []
        )
      }).pipe(Effect.scoped, Effect.provide(Logger.layer([])), Effect.timeout("25 seconds")),
    30_000
  )
})
