/**
 * Nodes and a control plane of a virtual world, of each what has to do with telemetry: the production delivery out of a spool in
 * memory, and the production listener's sessions over the production store, whose database outlives its process.
 */
import { Context, Effect, Layer } from "effect"
import * as MemoryClusterHub from "../../src/layers/MemoryClusterHub.ts"
import * as SqliteClient from "../../src/layers/sqlite/SqliteClient.ts"
import { withTables } from "../../src/layers/sqlite/StoreFile.ts"
import * as SqliteTelemetryStore from "../../src/layers/sqlite/telemetry/SqliteTelemetryStore.ts"
import * as SpoolDelivery from "../../src/layers/telemetry-delivery/SpoolDelivery.ts"
import type { SettingName } from "../../src/model/SettingTable.ts"
import { telemetryPath } from "../../src/model/telemetry/TelemetryWire.ts"
import { Compression } from "../../src/services/Compression.ts"
import { Payloads } from "../../src/services/control/Payloads.ts"
import { Registry } from "../../src/services/control/Registry.ts"
import { TelemetryStore } from "../../src/services/control/TelemetryStore.ts"
import { ReconnectPolicy } from "../../src/services/ReconnectPolicy.ts"
import { supervise } from "../../src/services/supervise.ts"
import { TelemetryDelivery } from "../../src/services/TelemetryDelivery.ts"
import { TelemetryDialer } from "../../src/services/TelemetryDialer.ts"
import { TelemetrySpool } from "../../src/services/TelemetrySpool.ts"
import { TelemetryStatus } from "../../src/services/TelemetryStatus.ts"
import { TrustedClock } from "../../src/services/TrustedClock.ts"
import { CurrentProcess, type Machine } from "../../src/testing/Machine.ts"
import { type MemorySpool, makeMemorySpool, makeSpoolDisk, type SpoolDisk } from "../../src/testing/MemorySpool.ts"
import * as VirtualClusterListener from "../../src/testing/VirtualClusterListener.ts"
import { makeVirtualDialer } from "../../src/testing/VirtualDialer.ts"
import type { World } from "../../src/testing/World.ts"
import { settingsLayer } from "./settings.ts"

/** A node whose spool is asked for by whoever plays its traffic. */
export interface TelemetryNode {
  readonly machine: Machine
  readonly disk: SpoolDisk
  readonly spool: () => MemorySpool | undefined
  readonly status: () => TelemetryStatus["Service"] | undefined
  readonly start: Effect.Effect<void>
}

type Given = Partial<Record<SettingName, string>>

const virtualDialer = Layer.effect(
  TelemetryDialer,
  Effect.map(CurrentProcess, ({ machine: { world, name, nodeId }, clock }) => {
    const request = { node: name, nodeId, hostname: name, version: "3.9.0", path: telemetryPath }
    return makeVirtualDialer({ network: world.network, address: world.address, clock, request, observe: () => {} })
  })
)

export const makeTelemetryNode = (
  world: World,
  name: string,
  { analyticsMax, settings = {} }: { readonly analyticsMax?: number; readonly settings?: Given } = {}
): TelemetryNode => {
  const machine = world.machine(name)
  const disk = makeSpoolDisk()
  let spool: MemorySpool | undefined
  let status: TelemetryStatus["Service"] | undefined
  const spoolLayer = Layer.effect(
    TelemetrySpool,
    Effect.gen(function* () {
      const { random } = yield* CurrentProcess
      spool = yield* makeMemorySpool({
        disk,
        epoch: random.stream("epoch").uuid(),
        ...(analyticsMax === undefined ? {} : { analyticsMax })
      })
      return spool.service
    })
  )
  const operate = Effect.gen(function* () {
    status = yield* TelemetryStatus
    yield* supervise("delivery", (yield* TelemetryDelivery).run)
  })
  const program = Layer.effectDiscard(operate).pipe(
    Layer.provide(SpoolDelivery.layer),
    Layer.provide([
      spoolLayer,
      virtualDialer,
      ReconnectPolicy.layer,
      Layer.succeed(Compression, world.shared.compression)
    ]),
    Layer.provide([TelemetryStatus.layer, TrustedClock.layerWall]),
    Layer.provide(
      settingsLayer({ cluster_control_plane: world.address, cluster_cert: "-", cluster_cert_key: "-", ...settings })
    )
  )
  return {
    machine,
    disk,
    spool: () => (machine.process() === undefined ? undefined : spool),
    status: () => status,
    start: Effect.suspend(() =>
      machine.process() === undefined ? Effect.asVoid(Effect.orDie(machine.start(program))) : Effect.void
    )
  }
}

const unasked = Effect.die(new Error("no session of configuration runs here"))

export const makeTelemetryControlPlane = Effect.fnUntraced(function* (world: World) {
  const database = yield* Effect.orDie(Layer.build(withTables(SqliteClient.layer(":memory:"))))
  const machine = world.machine("control-plane")
  const listener = Layer.unwrap(
    Effect.map(CurrentProcess, ({ clock }) =>
      VirtualClusterListener.layer({ network: world.network, address: world.address, clock })
    )
  )
  const settings = settingsLayer({ role: "control_plane", cluster_cert: "-", cluster_cert_key: "-" })
  const store = SqliteTelemetryStore.layer.pipe(Layer.provide([Layer.succeedContext(database), settings]))
  const program = listener.pipe(
    Layer.provide([
      MemoryClusterHub.layer,
      Layer.succeed(Payloads, { newest: unasked }),
      Layer.succeed(Registry, { update: () => unasked, all: unasked, find: () => unasked }),
      Layer.succeed(Compression, world.shared.compression),
      settings
    ]),
    Layer.provideMerge(store)
  )
  return {
    machine,
    start: Effect.suspend(() =>
      machine.process() === undefined ? Effect.asVoid(Effect.orDie(machine.start(program))) : Effect.void
    ),
    /** What it knows, whether it runs or not. */
    known: Effect.map(Layer.build(store), (services) => Context.get(services, TelemetryStore)).pipe(Effect.orDie)
  }
})
