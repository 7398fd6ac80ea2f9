/** A node's peer listener over real TLS, with its own LiveConfig, and whoever asks it. */

import type { IncomingHttpHeaders } from "node:http"
import { request as requestHttps } from "node:https"
import { Effect, Layer } from "effect"
import * as HttpsPeerListener from "../../src/layers/cluster-listener/HttpsPeerListener.ts"
import * as PemClusterIdentity from "../../src/layers/credentials/PemClusterIdentity.ts"
import * as NodeDisk from "../../src/layers/NodeDisk.ts"
import * as ZlibCompression from "../../src/layers/ZlibCompression.ts"
import { peerConfigPath } from "../../src/model/PeerStanding.ts"
import type { SettingName } from "../../src/model/SettingTable.ts"
import { sharedServerName } from "../../src/model/Wire.ts"
import { ConfigEncoding } from "../../src/services/ConfigEncoding.ts"
import { Identity } from "../../src/services/Identity.ts"
import type { Offer } from "../../src/services/LiveConfig.ts"
import { NodeHealth } from "../../src/services/NodeHealth.ts"
import { PeerListener } from "../../src/services/PeerListener.ts"
import type { CertificatePair } from "../../src/services/ServerCertificate.ts"
import { TrustedClock } from "../../src/services/TrustedClock.ts"
import { fileWatch } from "./fileWatch.ts"
import { joined, liveLayerFor } from "./live.ts"
import { settingsLayer } from "./settings.ts"
import { table } from "./tables.ts"

export type Given = Partial<Record<SettingName, string>>

export const givingNodeId = "7f1c2c0e-3f0a-4f0e-9a3b-0d3d0a3f6d11"

/** Limits that no test of something else comes near. */
export const generous = {
  ...HttpsPeerListener.peerListenerLimits,
  burstTransfers: 1_000,
  burstBytes: Number.MAX_SAFE_INTEGER,
  atOnce: 100,
  atOnceEach: 100,
  connectionsPerAddressMax: 64
}

/** `encoding` in place of the real one: bytes that no gzip makes smaller, say. */
export const givingNode = (
  pair: CertificatePair,
  given: Given = {},
  limits: Partial<HttpsPeerListener.PeerListenerLimits> = {},
  encoding?: Layer.Layer<ConfigEncoding>
) => {
  const settings = {
    ...joined,
    cluster_cert: pair.cert,
    cluster_cert_key: pair.key,
    config_peer_listen: "127.0.0.1:0",
    ...given
  }
  return HttpsPeerListener.layerWith({ ...generous, ...limits }).pipe(
    Layer.provideMerge(PemClusterIdentity.layerToleratingExpiry),
    Layer.provideMerge(encoding ?? ConfigEncoding.layer),
    Layer.provideMerge(
      Layer.mergeAll(
        liveLayerFor(settings),
        NodeHealth.layer,
        ZlibCompression.layer,
        NodeDisk.layer,
        fileWatch,
        TrustedClock.layerWall,
        settingsLayer(settings),
        Layer.succeed(Identity, { nodeId: givingNodeId, hostname: "giving", version: "3.9.0" })
      )
    ),
    Layer.orDie
  )
}

export const offerOf = (path: string, more: Partial<Offer> = {}): Offer => ({
  raw: table(path),
  source: "control_plane",
  hash: "0123456789abcdef0123456789abcdef",
  receivedAtMs: 1_700_000_000_000,
  ...more
})

export const peerPort = Effect.gen(function* () {
  const { addresses } = yield* PeerListener
  return addresses[0]?.port ?? (yield* Effect.die("expected an address"))
})

export interface Asked {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

export interface Question {
  readonly port: number
  readonly trusted: CertificatePair
  readonly presented?: CertificatePair
  readonly method?: string
  readonly path?: string
  readonly headers?: Record<string, string>
  readonly servername?: string
  /** From where it is asked; 127.0.0.1 unless given. */
  readonly localAddress?: string
  /** Reads nothing of the body until the connection is over. */
  readonly isSlow?: boolean
  /** Told when the answer begins. */
  readonly begins?: () => void
}

/** One question; fails with the code of whatever broke it off. */
export const askPeer = (question: Question): Effect.Effect<Asked, string> =>
  Effect.callback<Asked, string>((resume) => {
    const { port, trusted, presented, method = "GET", path = peerConfigPath, headers = {} } = question
    const asked = requestHttps(
      {
        host: "127.0.0.1",
        port,
        method,
        path,
        headers,
        agent: false,
        localAddress: question.localAddress ?? "127.0.0.1",
        ca: trusted.cert,
        servername: question.servername ?? sharedServerName,
        checkServerIdentity: () => undefined,
        ...(presented === undefined ? {} : { cert: presented.cert, key: presented.key })
      },
      (response) => {
        const chunks: Array<Buffer> = []
        question.begins?.()
        if (question.isSlow === true) response.pause()
        else response.on("data", (chunk: Buffer) => chunks.push(chunk))
        response.on("end", () =>
          resume(
            Effect.succeed({
              status: response.statusCode ?? 0,
              headers: response.headers,
              body: Buffer.concat(chunks)
            })
          )
        )
        response.on("error", ({ message }) => resume(Effect.fail(message)))
        response.on("close", () => resume(Effect.fail("closed")))
      }
    )
    asked.on("error", (error: NodeJS.ErrnoException) => resume(Effect.fail(error.code ?? error.message)))
    asked.end()
    return Effect.sync(() => asked.destroy())
  })
