/** The control path of a node with a network, a disk and a clock in memory; everything between them is the real part. */
import { Effect, Fiber, Layer, Random, type Scope } from "effect"
import { TestClock } from "effect/testing"
import * as GzipConfigReceiver from "../../src/layers/GzipConfigReceiver.ts"
import * as OutletConnection from "../../src/layers/outlet/OutletConnection.ts"
import * as PingHeartbeat from "../../src/layers/PingHeartbeat.ts"
import type { Row } from "../../src/model/Entity.ts"
import type { SettingName } from "../../src/model/SettingTable.ts"
import { Compression } from "../../src/services/Compression.ts"
import type { ConfigCache } from "../../src/services/ConfigCache.ts"
import { Connection } from "../../src/services/Connection.ts"
import { ConnectionStatus } from "../../src/services/ConnectionStatus.ts"
import type { LiveConfig } from "../../src/services/LiveConfig.ts"
import { NodeHealth } from "../../src/services/NodeHealth.ts"
import { ReconnectPolicy } from "../../src/services/ReconnectPolicy.ts"
import { TrustedClock } from "../../src/services/TrustedClock.ts"
import { joined, liveLayerFor, memoryCache, settle } from "./live.ts"
import { makeNetwork, type Network } from "./outletNetwork.ts"
import { testPlugins } from "./plugins.ts"
import { settingsLayer } from "./settings.ts"
import { table } from "./tables.ts"

/** Payloads are plain JSON here: gzip has its own tests, and a thread pool would escape the virtual clock. */
export const plainCompression = Layer.succeed(Compression, { gzip: Effect.succeed, gunzip: Effect.succeed })

export const encode = (message: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(message))

/** A push whose hash is the digit 32 times. */
export const push = (digit: string, path = "/a", more: Row = {}, timestamp = 0): Uint8Array =>
  encode({ type: "reconfigure", timestamp, config_hash: digit.repeat(32), config_table: { ...table(path), ...more } })

/** Refused, for nobody knows the plugin. */
export const badPush = (digit: string, timestamp = 0): Uint8Array =>
  push(digit, "/a", { plugins: [{ id: "acacacac-0000-4000-8000-000000000001", name: "acl" }] }, timestamp)

export type NodeServices = LiveConfig | ConnectionStatus | NodeHealth | ConfigCache

export interface OutletNode {
  readonly network: Network
  readonly cache: Effect.Success<typeof memoryCache>
  /** The control plane sends this, and everybody does what comes of it. */
  readonly receive: (payload: Uint8Array) => Effect.Effect<void>
  /** As a signal stops it; done once everything of it has ended. */
  readonly stop: Effect.Effect<void>
}

export interface OutletNodeOptions {
  readonly settings?: Partial<Record<SettingName, string>>
  readonly policy?: Layer.Layer<ReconnectPolicy>
  readonly cache?: Layer.Layer<ConfigCache, never, LiveConfig>
  readonly compression?: Layer.Layer<Compression>
  readonly clock?: Layer.Layer<TrustedClock>
  /** Before the node dials for the first time. */
  readonly before?: (network: Network) => Effect.Effect<void, never, LiveConfig>
}

export const withNode = <A, E>(
  test: (node: OutletNode) => Effect.Effect<A, E, NodeServices | Scope.Scope>,
  options: OutletNodeOptions = {}
) =>
  Effect.gen(function* () {
    const network = yield* makeNetwork
    const cache = yield* memoryCache
    const settings = settingsLayer({
      cluster_control_plane: "cp:8005",
      cluster_cert: "a path",
      cluster_cert_key: "secret",
      cluster_dp_labels: "region:eu",
      ...options.settings
    })
    const layer = OutletConnection.layer.pipe(
      Layer.provide([network.layer, PingHeartbeat.layer, options.policy ?? ReconnectPolicy.layer]),
      Layer.provide(GzipConfigReceiver.layer),
      Layer.provide(options.compression ?? plainCompression),
      Layer.provide(options.clock ?? TrustedClock.layerWall),
      Layer.provideMerge(options.cache ?? cache.layer),
      Layer.provideMerge(
        Layer.mergeAll(liveLayerFor({ ...joined, ...options.settings }), NodeHealth.layer, ConnectionStatus.layer)
      ),
      Layer.provide([settings, testPlugins])
    )
    return yield* Effect.gen(function* () {
      const { run } = yield* Connection
      yield* options.before?.(network) ?? Effect.void
      const running = yield* Effect.forkChild(run, { startImmediately: true })
      const stop = Effect.asVoid(Fiber.interrupt(running))
      yield* settle
      const receive = (bytes: Uint8Array) => Effect.andThen(network.push({ _tag: "Binary", bytes }), settle)
      return yield* test({ network, cache, receive, stop })
    }).pipe(Effect.provide(layer))
  }).pipe(Random.withSeed("reconnect"))

export const passSeconds = (seconds: number): Effect.Effect<void> =>
  Effect.forEach(Array.from({ length: seconds }), () => Effect.andThen(TestClock.adjust("1 second"), settle), {
    discard: true
  })
