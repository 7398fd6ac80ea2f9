import { X509Certificate } from "node:crypto"
import { mkdir, readFile, rm, writeFile } from "node:fs/promises"
import { createServer, type Server } from "node:http"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, MutableRef } from "effect"
import type { SettingName } from "../../src/model/SettingTable.ts"
import { DataPlane } from "../../src/programs/DataPlane.ts"
import { LicenseGuard } from "../../src/services/LicenseGuard.ts"
import { NodeHealth } from "../../src/services/NodeHealth.ts"
import { Proxy } from "../../src/services/Proxy.ts"
import { StatusListener } from "../../src/services/StatusListener.ts"
import { clusterCertificate } from "../support/certificates.ts"
import { plainFile } from "../support/diskCache.ts"
import { temporaryFolder } from "../support/folder.ts"
import { licenseUntil } from "../support/licenses.ts"
import { settingsLayer } from "../support/settings.ts"
import { table } from "../support/tables.ts"

const licenseId = "30f06b7f-4bbd-4f2f-9d9d-9c7d1a0a1111"

const upstream = Effect.acquireRelease(
  Effect.callback<Server>((resume) => {
    const server = createServer((request, response) => response.end(`upstream ${request.url}`))
    server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
  }),
  (server) => Effect.sync(() => server.close())
).pipe(Effect.map((server) => (server.address() as { readonly port: number }).port))

const documentFor = (port: number, path: string) =>
  JSON.stringify({
    _format_version: "3.0",
    services: [{ name: "s", host: "127.0.0.1", port, routes: [{ name: "r", paths: [path] }] }]
  })

const node = (prefix: string, given: Partial<Record<SettingName, string>>) =>
  DataPlane.layerFromSettings().pipe(
    Layer.provide(
      settingsLayer({ prefix, proxy_listen: "127.0.0.1:0, 127.0.0.1:0 ssl", status_listen: "127.0.0.1:0", ...given })
    )
  )

const ask = (port: number | undefined, path: string) =>
  Effect.promise(async () => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`)
    return { status: response.status, text: await response.text() }
  })

const ports = Effect.gen(function* () {
  return { proxy: (yield* Proxy).addresses[0]?.port, status: (yield* StatusListener).addresses[0]?.port }
})

describe("a data plane node", () => {
  it.live("on its own needs no certificates: it serves its declarative file and is ready", () =>
    Effect.gen(function* () {
      const port = yield* upstream
      const prefix = join(yield* temporaryFolder, "dp")
      yield* Effect.gen(function* () {
        const { proxy, status } = yield* ports
        assert.deepEqual(yield* ask(proxy, "/own/x"), { status: 200, text: "upstream /x" })
        assert.strictEqual((yield* ask(status, "/status/ready")).status, 200)
        assert.include((yield* ask(status, "/status")).text, '"state":"disabled"')
      }).pipe(Effect.provide(node(prefix, { declarative_config_string: documentFor(port, "/own") })))
    })
  )

  it.live("with a control plane can say when its certificate ends, and one on its own has none", () =>
    Effect.gen(function* () {
      const { cert, key } = yield* clusterCertificate
      const folder = yield* temporaryFolder
      const endMs = Effect.map(NodeHealth, (health) => MutableRef.get(health.clusterCertificateExpiresAtMs)?.())
      const joined = { cluster_control_plane: "127.0.0.1:1", cluster_cert: cert, cluster_cert_key: key }
      assert.strictEqual(
        yield* endMs.pipe(Effect.provide(node(join(folder, "a"), joined))),
        new X509Certificate(cert).validToDate.getTime()
      )
      assert.isUndefined(yield* endMs.pipe(Effect.provide(node(join(folder, "b"), {}))))
    })
  )

  it.live("with an expired licence never serves a first request, wherever the licence stands (DESIGN.md, life 7)", () =>
    Effect.gen(function* () {
      const port = yield* upstream
      const folder = yield* temporaryFolder
      const expired = licenseUntil("2001-02-03")
      const document = JSON.parse(documentFor(port, "/own"))
      const licensed = JSON.stringify({ ...document, licenses: [{ payload: expired }] })
      const first = Effect.gen(function* () {
        const { proxy, status } = yield* ports
        const answers = [yield* ask(proxy, "/own/x"), yield* ask(status, "/status/ready")]
        return answers.map(({ status, text }) => `${status} ${JSON.parse(text).message}`)
      })
      const stopped = ["503 license expired", "503 license expired (2001-02-03T00:00:00.000Z)"]
      const plain = { declarative_config_string: JSON.stringify(document) }
      const started = (name: string, given: Partial<Record<SettingName, string>>) =>
        first.pipe(Effect.provide(node(join(folder, name), given)))
      assert.deepEqual(yield* started("a", { declarative_config_string: licensed }), stopped)
      assert.deepEqual(yield* started("b", { ...plain, license_data: expired }), stopped)
      const file = join(folder, "elsewhere.json")
      yield* Effect.promise(() => writeFile(file, expired))
      assert.deepEqual(yield* started("c", { ...plain, license_path: file }), stopped)
    })
  )

  // faults.md, "licence state survives restart", "corrupt rung => next rung".
  it.live("whose newest cache file is torn is not stopped by the licence that was renewed before that", () =>
    Effect.gen(function* () {
      const { cert, key } = yield* clusterCertificate
      const prefix = yield* temporaryFolder
      const write = (name: string, bytes: Uint8Array) => writeFile(join(prefix, name), bytes)
      const licensed = (expires: string, updated_at: number) =>
        plainFile(table("/a", { licenses: [{ id: licenseId, payload: licenseUntil(expires), updated_at }] }))
      const joined = { cluster_control_plane: "127.0.0.1:1", cluster_cert: cert, cluster_cert_key: key }
      const answer = Effect.map(LicenseGuard, ({ refusal }) => MutableRef.get(refusal)?.message ?? "serves").pipe(
        Effect.provide(node(prefix, joined))
      )
      const renewed = licensed("2099-01-01", 2)
      yield* Effect.promise(async () => {
        await mkdir(join(prefix, "generations"))
        await write("generations/000001.json.gz", licensed("2001-01-01", 1))
        await write("config.json.gz", renewed)
      })
      assert.strictEqual(yield* answer, "serves")
      yield* Effect.promise(() => write("config.json.gz", renewed.subarray(0, renewed.length >> 1)))
      assert.strictEqual(yield* answer, "serves")
      // Whoever deletes the cache wants that to be forgotten as well.
      const older = yield* Effect.promise(() => readFile(join(prefix, "config.json.gz")))
      yield* Effect.promise(() => rm(join(prefix, "config.json.gz")))
      assert.strictEqual(yield* answer, "serves")
      yield* Effect.promise(() => write("config.json.gz", older))
      assert.strictEqual(yield* answer, "license expired")
    })
  )

  it.live("shares nothing with another node in the same process", () =>
    Effect.gen(function* () {
      const port = yield* upstream
      const folder = yield* temporaryFolder
      const asked = (name: string) =>
        Effect.gen(function* () {
          const { proxy } = yield* ports
          return [(yield* ask(proxy, "/a/x")).status, (yield* ask(proxy, "/b/x")).status]
        }).pipe(Effect.provide(node(join(folder, name), { declarative_config_string: documentFor(port, `/${name}`) })))
      const [a, b] = yield* Effect.all([asked("a"), asked("b")], { concurrency: 2 })
      assert.deepEqual(a, [200, 404])
      assert.deepEqual(b, [404, 200])
    })
  )

  it.live("with a control plane but without a certificate does not start, and says what is missing", () =>
    Effect.gen(function* () {
      const prefix = join(yield* temporaryFolder, "dp")
      const given = {
        cluster_control_plane: "127.0.0.1:1",
        cluster_cert: "/nowhere.crt",
        cluster_cert_key: "/nowhere.key"
      }
      const error = yield* Effect.flip(Effect.scoped(Layer.build(node(prefix, given))))
      assert.strictEqual(error.exitCode, 2)
      assert.match(error.message, /cluster_cert: .*\n.*cluster_cert_key: /s)
    })
  )
})
