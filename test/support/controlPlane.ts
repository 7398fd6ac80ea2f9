/** A whole control plane on free ports, and an admin client that speaks to it over real HTTP. */
import { request } from "node:http"
import { Effect, Layer, Logger } from "effect"
import * as SqliteClient from "../../src/layers/sqlite/SqliteClient.ts"
import * as StoreFile from "../../src/layers/sqlite/StoreFile.ts"
import type { Row } from "../../src/model/Entity.ts"
import type { Plugin } from "../../src/model/plugin/Plugin.ts"
import type { SettingName } from "../../src/model/SettingTable.ts"
import { ControlPlane } from "../../src/programs/ControlPlane.ts"
import { AdminListener, ClusterListener } from "../../src/services/control/Listeners.ts"
import type { CertificatePair } from "../../src/services/ServerCertificate.ts"
import { settingsLayer } from "./settings.ts"

export type Given = Partial<Record<SettingName, string>>

const freePorts = { admin_listen: "127.0.0.1:0", cluster_listen: "127.0.0.1:0" }

export const controlPlaneSettings = (pair: CertificatePair, given: Given = {}) =>
  settingsLayer({ role: "control_plane", cluster_cert: pair.cert, cluster_cert_key: pair.key, ...freePorts, ...given })

const memoryDatabase = Layer.orDie(StoreFile.withTables(SqliteClient.layer(":memory:")))

/** Everything that a real one has, except that its store ends with the test. */
export const memoryControlPlane = (
  pair: CertificatePair,
  given: Given = {},
  log = Logger.layer([]),
  plugins: ReadonlyArray<Plugin> = []
) =>
  ControlPlane.layerFromSettings({ database: memoryDatabase }, plugins).pipe(
    Layer.provide(controlPlaneSettings(pair, given)),
    Layer.provide(log)
  )

export const adminPort = Effect.map(AdminListener, ({ addresses }) => addresses[0]?.port ?? 0)
export const clusterPort = Effect.map(ClusterListener, ({ addresses }) => addresses[0]?.port ?? 0)

export interface AdminReply {
  readonly status: number
  readonly body: Row
  readonly text: string
}

type Body = Row | URLSearchParams | string | undefined

const encoded = (body: Body): { readonly type?: string; readonly text?: string } => {
  if (body === undefined) return {}
  if (typeof body === "string") return { type: "application/json", text: body }
  return body instanceof URLSearchParams
    ? { type: "application/x-www-form-urlencoded", text: body.toString() }
    : { type: "application/json", text: JSON.stringify(body) }
}

/** One request to the admin API. A text goes out as JSON as it is, so that broken JSON can be sent too. */
export const call = Effect.fnUntraced(function* (
  method: string,
  path: string,
  body?: Body,
  headers: Readonly<Record<string, string>> = {}
) {
  const port = yield* adminPort
  const { type, text } = encoded(body)
  return yield* Effect.callback<AdminReply>((resume) => {
    const sent = request(
      {
        host: "127.0.0.1",
        port,
        method,
        path,
        agent: false,
        headers: {
          ...(type === undefined ? {} : { "content-type": type }),
          ...(text === undefined || "transfer-encoding" in headers
            ? {}
            : { "content-length": Buffer.byteLength(text) }),
          ...headers
        }
      },
      (response) => {
        const chunks: Array<Buffer> = []
        response.on("data", (chunk: Buffer) => chunks.push(chunk))
        response.on("end", () => {
          const answer = Buffer.concat(chunks).toString()
          const parsed: Row = answer.startsWith("{") ? JSON.parse(answer) : {}
          resume(Effect.succeed({ status: response.statusCode ?? 0, body: parsed, text: answer }))
        })
      }
    )
    sent.on("error", (error) => resume(Effect.die(error)))
    sent.end(text)
  })
})
