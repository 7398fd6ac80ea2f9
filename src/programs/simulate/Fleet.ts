/**
 * A fleet in one process: the production control plane and production data planes, on the machines of a virtual world. What
 * is not production code is named in `virtualParts.ts` (network, disk, clock, …), in `SharedWork.ts` (work on the same
 * bytes, done once), and here: the cluster listener's sockets, the store in memory, and the hand that changes it.
 */
import { Cause, Context, Effect, Layer, Option, SubscriptionRef } from "effect"
import type { SqlClient } from "effect/sql"
import * as ExportedPayloads from "../../layers/ExportedPayloads.ts"
import * as SqliteClient from "../../layers/sqlite/SqliteClient.ts"
import { withTables } from "../../layers/sqlite/StoreFile.ts"
import * as TraditionalCompatibleRouter from "../../layers/TraditionalCompatibleRouter.ts"
import { messageOf } from "../../model/thrown.ts"
import { ClusterIdentity } from "../../services/ClusterIdentity.ts"
import { Compression } from "../../services/Compression.ts"
import { ConfigStore } from "../../services/control/ConfigStore.ts"
import { AdminListener } from "../../services/control/Listeners.ts"
import { type Payload, Payloads } from "../../services/control/Payloads.ts"
import { FileWatch } from "../../services/FileWatch.ts"
import { Settings } from "../../services/Settings.ts"
import { CurrentProcess, type Machine } from "../../testing/Machine.ts"
import { layerIds } from "../../testing/SeededRandom.ts"
import { type Flaw, spoil } from "../../testing/sampleTables.ts"
import * as VirtualClusterListener from "../../testing/VirtualClusterListener.ts"
import type { Admission } from "../../testing/VirtualNetwork.ts"
import { virtualCredentials, virtualParts } from "../../testing/virtualParts.ts"
import type { World } from "../../testing/World.ts"
import { ControlPlane } from "../ControlPlane.ts"
import { DataPlane } from "../DataPlane.ts"
import type { DataPlaneParts } from "../dataPlaneParts.ts"
import { type GivenSettings, givenSettings } from "../parts.ts"
import { rowsOf } from "./configuration.ts"

export const prefix = "/usr/local/kong"
const controlPlaneName = "control-plane"
const firstVersion = 1

export interface Fleet {
  readonly world: World
  readonly nodes: ReadonlyArray<Machine>
  readonly controlPlane: Machine
  readonly startNode: (node: Machine) => Effect.Effect<void>
  readonly startControlPlane: Effect.Effect<void>
  /** What the control plane does with those who dial; `undefined`: lets them in. */
  readonly receive: (reception: Exclude<Admission, { readonly _tag: "Accepted" }> | undefined) => void
  /**
   * Another configuration. With a flaw, what is pushed of it is spoilt, until the next one. While the control plane is
   * down, it is made as soon as it is back.
   */
  readonly change: (flaw?: Flaw) => Effect.Effect<void>
  /** True once the newest change has been made into a push: without anybody connected there is none. */
  readonly hasPushedNewest: () => boolean
  /** Makes the changes that waited for the control plane. */
  readonly catchUp: Effect.Effect<void>
}

export interface FleetOptions {
  readonly world: World
  readonly nodes: number
  readonly settings: GivenSettings
  /** Parts of every node that are not the production ones. */
  readonly parts: Partial<DataPlaneParts>
  /** Told of a process that did not start. */
  readonly onStartFailure: (machine: Machine, message: string) => void
}

interface Plan {
  version: number
  readonly flawOf: Map<number, Flaw>
  pushedVersion: number
  reception: Exclude<Admission, { readonly _tag: "Accepted" }> | undefined
}

/** Notes what is pushed, once per content, and spoils what is to be spoilt. */
const recordedPayloads = (world: World, plan: Plan) => {
  const known = new WeakMap<Payload, Payload>()
  const note = (payload: Payload): Payload => {
    const before = known.get(payload)
    if (before !== undefined) return before
    const flaw = plan.flawOf.get(plan.version)
    const bytes = flaw === undefined ? payload.bytes : spoil(payload.bytes, flaw)
    const pushed = { ...payload, bytes }
    const atMs = world.time.nowMs()
    const { sequence } = world.pushes.add({ atMs, hash: flaw === undefined ? payload.hash : undefined, bytes, flaw })
    world.transcript.line(atMs, controlPlaneName, "push made", { sequence, hash: payload.hash, flaw: flaw ?? "none" })
    known.set(payload, pushed)
    plan.pushedVersion = plan.version
    return pushed
  }
  return Layer.effect(
    Payloads,
    Effect.map(Payloads, ({ newest }) => Payloads.of({ newest: Effect.map(newest, note) }))
  ).pipe(Layer.provide(ExportedPayloads.layer))
}

const controlPlaneLayer = (world: World, plan: Plan, database: Context.Context<SqlClient.SqlClient>) => {
  const listener = Layer.unwrap(
    Effect.map(CurrentProcess, ({ clock }) =>
      VirtualClusterListener.layer({
        network: world.network,
        address: world.address,
        clock,
        admits: () => plan.reception
      })
    )
  )
  const parts = {
    database: Layer.succeedContext(database),
    ids: layerIds(world.random.stream("ids")),
    compression: Layer.succeed(Compression, world.shared.compression),
    payloads: recordedPayloads(world, plan),
    clusterIdentity: Layer.effect(
      ClusterIdentity,
      Effect.map(SubscriptionRef.make(virtualCredentials), (current) => ({ current }))
    ),
    fileWatch: Layer.succeed(FileWatch, { watch: () => Effect.succeed({ changed: Effect.never }) }),
    adminListener: Layer.succeed(AdminListener, { addresses: [] }),
    clusterListener: listener
  }
  const settings = { role: "control_plane", cluster_cert: "-", cluster_cert_key: "-", prefix }
  return ControlPlane.layerFromSettings(parts).pipe(Layer.provide(givenSettings(settings)))
}

const nodeLayer = (world: World, given: GivenSettings, more: Partial<DataPlaneParts>) =>
  Effect.gen(function* () {
    const parts = { ...virtualParts, router: world.shared.shareRouter(TraditionalCompatibleRouter.layer), ...more }
    const settings = {
      role: "data_plane",
      cluster_control_plane: world.address,
      cluster_cert: "-",
      cluster_cert_key: "-",
      prefix,
      ...given
    }
    // Parsed once: a fleet's nodes differ by their machines alone.
    const values = yield* Effect.orDie(Layer.build(givenSettings(settings)))
    return DataPlane.layerFromSettings(parts).pipe(
      Layer.provide(Layer.succeed(Settings, Context.get(values, Settings)))
    )
  })

export const makeFleet = Effect.fnUntraced(function* ({ world, nodes, settings, parts, onStartFailure }: FleetOptions) {
  const plan: Plan = { version: 0, flawOf: new Map(), pushedVersion: 0, reception: undefined }
  // One connection for all lives of the control plane: what was committed outlives it.
  const database = yield* Effect.orDie(Layer.build(withTables(SqliteClient.layer(":memory:"))))
  const controlPlane = world.machine(controlPlaneName)
  const controlPlaneProgram = controlPlaneLayer(world, plan, database)
  const program = yield* nodeLayer(world, settings, parts)
  const machines = Array.from({ length: nodes }, (_, index) =>
    world.machine(`node-${String(index).padStart(String(nodes - 1).length, "0")}`)
  )
  let store: ConfigStore["Service"] | undefined
  let owed = firstVersion

  const catchUp = Effect.suspend(() => {
    if (store === undefined || plan.version === owed) return Effect.void
    plan.version = owed
    return Effect.orDie(store.replaceAll(rowsOf(owed), { mayEmpty: false }))
  })

  const startControlPlane = Effect.gen(function* () {
    if (controlPlane.process() !== undefined) return
    const started = yield* Effect.orDie(controlPlane.start(controlPlaneProgram))
    store = Option.getOrUndefined(Option.map(started, (services) => Context.get(services, ConfigStore)))
    yield* catchUp
  })

  const change = Effect.fnUntraced(function* (flaw?: Flaw) {
    owed++
    if (flaw !== undefined) plan.flawOf.set(owed, flaw)
    if (controlPlane.process() === undefined || controlPlane.process()?.clock.isSuspended() === true) return
    yield* catchUp
  })

  const startNode = (machine: Machine) =>
    machine.process() !== undefined
      ? Effect.void
      : Effect.matchCause(machine.start(program), {
          onSuccess: () => {},
          onFailure: (cause) => onStartFailure(machine, messageOf(Cause.squash(cause)))
        })

  const fleet: Fleet = {
    world,
    nodes: machines,
    controlPlane,
    startNode,
    startControlPlane,
    change,
    hasPushedNewest: () => plan.pushedVersion === owed,
    catchUp,
    receive: (reception) => {
      plan.reception = reception
    }
  }
  return fleet
})
