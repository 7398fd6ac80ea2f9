/** A whole production data plane on a virtual machine, beside a control plane in memory. */
import { Context, Effect, SubscriptionRef } from "effect"
import { DataPlane } from "../../src/programs/DataPlane.ts"
import type { DataPlaneParts } from "../../src/programs/dataPlaneParts.ts"
import type { GivenSettings } from "../../src/programs/parts.ts"
import { LiveConfig } from "../../src/services/LiveConfig.ts"
import type { Machine } from "../../src/testing/Machine.ts"
import { makeMemoryControlPlane } from "../../src/testing/MemoryControlPlane.ts"
import type { NodeEvent } from "../../src/testing/NodeEvent.ts"
import { VirtualTime } from "../../src/testing/VirtualTime.ts"
import { virtualParts } from "../../src/testing/virtualParts.ts"
import { makeWorld, type World } from "../../src/testing/World.ts"

export const virtualSettings = (world: World, more: GivenSettings = {}): GivenSettings => ({
  cluster_control_plane: world.address,
  cluster_cert: "-",
  cluster_cert_key: "-",
  ...more
})

export const virtualDataPlane = (
  world: World,
  more: { readonly settings?: GivenSettings; readonly parts?: Partial<DataPlaneParts> } = {}
) => DataPlane.layer({ settings: virtualSettings(world, more.settings), parts: { ...virtualParts, ...more.parts } })

/** A world with one machine, on which nothing runs yet, and a control plane that listens. */
export const makeVirtualScene = (settings: GivenSettings = {}, keep = 1_000) =>
  Effect.gen(function* () {
    const time = yield* VirtualTime
    const world = yield* makeWorld({ seed: "scene" })
    const events: Array<NodeEvent> = []
    world.watch((event) => events.push(event))
    const { network, address, pushes } = world
    const controlPlane = makeMemoryControlPlane({ time, network, address, pushes, keep })
    const node = world.machine("node")
    const program = virtualDataPlane(world, { settings })
    return { time, world, events, controlPlane, node, start: Effect.orDie(node.start(program)) }
  })

export const servedBy = (node: Machine): string | undefined => {
  const services = node.process()?.services()
  if (services === undefined) return undefined
  const live = Context.getOption(services, LiveConfig)
  return live._tag === "None" ? undefined : SubscriptionRef.getUnsafe(live.value.state).hash
}
