/** Starting and stopping a whole control plane. */

import type { AddressInfo } from "node:net"
import { createServer } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger } from "effect"
import { formatFault } from "../../src/model/Fault.ts"
import type { SettingValues } from "../../src/model/SettingTable.ts"
import { ControlPlane } from "../../src/programs/ControlPlane.ts"
import type { CertificatePair } from "../../src/services/ServerCertificate.ts"
import { Settings } from "../../src/services/Settings.ts"
import { clusterCertificate } from "../support/certificates.ts"
import { call, clusterPort, controlPlaneSettings, type Given } from "../support/controlPlane.ts"
import { temporaryFolder } from "../support/folder.ts"
import { join, next } from "../support/outletClient.ts"
import { settings } from "../support/settings.ts"

const onDisk = (pair: CertificatePair, given: Given) =>
  ControlPlane.layerFromSettings().pipe(
    Layer.provide(controlPlaneSettings(pair, given)),
    Layer.provide(Logger.layer([]))
  )

const startError = (pair: CertificatePair, given: Given) => Effect.flip(Effect.scoped(Layer.build(onDisk(pair, given))))

const occupiedPort = Effect.acquireRelease(
  Effect.callback<ReturnType<typeof createServer>>((resume) => {
    const server = createServer().listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
  }),
  (server) => Effect.sync(() => server.close())
).pipe(Effect.map((server) => (server.address() as AddressInfo).port))

describe("a control plane", () => {
  it.live("serves after a restart what it was given before, to the admin and to data planes", () =>
    Effect.gen(function* () {
      const pair = yield* clusterCertificate
      const prefix = yield* temporaryFolder
      const hash = yield* Effect.gen(function* () {
        yield* call("POST", "/services", { name: "kept", host: "example.com" })
        return (yield* call("GET", "/status")).body.configuration_hash
      }).pipe(Effect.provide(onDisk(pair, { prefix })))
      yield* Effect.gen(function* () {
        assert.strictEqual((yield* call("GET", "/services/kept")).status, 200)
        const { heard } = yield* join({ port: yield* clusterPort, trusted: pair, presented: pair })
        const { message } = yield* next(heard, "Configured")
        assert.strictEqual(message.config_hash, hash)
      }).pipe(Effect.scoped, Effect.provide(onDisk(pair, { prefix })))
    })
  )

  it.live("stops within moments, and says goodbye to its data planes", () =>
    Effect.gen(function* () {
      const pair = yield* clusterCertificate
      const prefix = yield* temporaryFolder
      const { heard, stopping } = yield* Effect.gen(function* () {
        const client = yield* join({ port: yield* clusterPort, trusted: pair, presented: pair })
        yield* next(client.heard, "Configured")
        return { heard: client.heard, stopping: performance.now() }
      }).pipe(Effect.provide(onDisk(pair, { prefix })))
      assert.isBelow(performance.now() - stopping, 2500)
      assert.strictEqual((yield* next(heard, "Ended")).reason, "1001")
    })
  )

  it.live("that finds a port in use says which setting, and exits with 1", () =>
    Effect.gen(function* () {
      const pair = yield* clusterCertificate
      const prefix = yield* temporaryFolder
      const port = yield* occupiedPort
      for (const setting of ["admin_listen", "cluster_listen"] as const) {
        const error = yield* startError(pair, { prefix, [setting]: `127.0.0.1:${port}` })
        assert.strictEqual(error.exitCode, 1)
        assert.deepStrictEqual(error.faults.map(formatFault), [
          `${setting}: expected a free address, but it is in use, got "127.0.0.1:${port}"`
        ])
      }
    })
  )

  const refusals: ReadonlyArray<readonly [string, Partial<SettingValues>, string]> = [
    [
      "an admin listener that others reach, without a token",
      { admin_listen: [{ host: "0.0.0.0", port: 0, isTls: false, isHttp2: false }] },
      "admin_token"
    ],
    [
      "an admin listener with TLS, which there is none of",
      { admin_listen: [{ host: "127.0.0.1", port: 0, isTls: true, isHttp2: false }] },
      "admin_listen"
    ],
    ["no cluster listener", { cluster_listen: [] }, "cluster_listen"],
    ["no database", { database: "off" }, "database"]
  ]
  for (const [name, values, setting] of refusals) {
    it.live(`refuses ${name}, with exit code 2`, () =>
      Effect.gen(function* () {
        const pair = yield* clusterCertificate
        const base = settings({ role: "control_plane", cluster_cert: pair.cert, cluster_cert_key: pair.key })
        const given = Layer.succeed(Settings, { ...base, ...values })
        const error = yield* Effect.flip(
          Effect.scoped(Layer.build(ControlPlane.layerFromSettings().pipe(Layer.provide(given))))
        )
        assert.strictEqual(error.exitCode, 2)
        assert.deepStrictEqual(
          error.faults.map(({ path }) => path),
          [[setting]]
        )
      })
    )
  }

  it.live("lets others reach the admin API when there is a token", () =>
    Effect.gen(function* () {
      const pair = yield* clusterCertificate
      const prefix = yield* temporaryFolder
      const given = { prefix, admin_listen: "0.0.0.0:0", admin_token: "s3cret" }
      const reply = yield* call("GET", "/").pipe(Effect.provide(onDisk(pair, given)))
      assert.strictEqual(reply.status, 401)
    })
  )
})
