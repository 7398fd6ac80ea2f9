/**
 * `faults.md`, "telemetry duplicated/leaked": what is billed is what was counted, under loss, duplication, reordering between
 * connections, and the death of either side at any moment, once everything has healed. In virtual time.
 */
import { assert, it } from "@effect/vitest"
import { Arbitrary, Effect, Schema } from "effect"
import { makeSpoolDisk, requestsOf, type SpoolDisk } from "../../../src/testing/MemorySpool.ts"
import { runVirtual, virtually } from "../../../src/testing/runVirtual.ts"
import { goodConditions } from "../../../src/testing/VirtualLink.ts"
import { makeWorld } from "../../../src/testing/World.ts"
import { propertyRuns } from "../../support/propertyRuns.ts"
import { billedIn, windowOf } from "../../support/telemetry.ts"
import { makeTelemetryControlPlane, makeTelemetryNode, type TelemetryNode } from "../../support/telemetryStage.ts"

const between = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))
const node = Schema.Literals([0, 1])

const Action = Schema.Union([
  Schema.Struct({ do: Schema.tag("count"), node, requests: between(0, 60) }),
  Schema.Struct({ do: Schema.tag("count"), node, requests: between(0, 60) }),
  Schema.Struct({ do: Schema.tag("count"), node, requests: between(0, 60) }),
  Schema.Struct({ do: Schema.tag("restart"), node, how: Schema.Literals(["killed", "powerCut"]) }),
  Schema.Struct({ do: Schema.tag("crash"), how: Schema.Literals(["killed", "powerCut"]), forMs: between(0, 20_000) }),
  Schema.Struct({ do: Schema.tag("wedge"), forMs: between(0, 60_000) }),
  Schema.Struct({ do: Schema.tag("link"), node, delayMs: between(0, 5_000), lossPercent: between(0, 60) }),
  Schema.Struct({ do: Schema.tag("block"), node, direction: Schema.Literals(["toServer", "toNode"]) }),
  Schema.Struct({ do: Schema.tag("unblock"), node }),
  Schema.Struct({ do: Schema.tag("reset"), node }),
  Schema.Struct({ do: Schema.tag("die"), node }),
  Schema.Struct({ do: Schema.tag("jump"), node, days: between(-400, 400) })
])
type Action = typeof Action.Type

const Step = Schema.Struct({ afterMs: Schema.Literals([0, 3, 11, 40, 1_000, 9_000, 31_000]), action: Action })

/** Long enough for every backoff, every repetition of TCP and every silence. */
const healedMs = 1_800_000

const countedIn = ({ written }: SpoolDisk): number =>
  written.reduce((sum, record) => sum + (record.lane === "analytics" ? requestsOf(record) : 0), 0)

const stage = Effect.fnUntraced(function* (analyticsMax?: number) {
  const world = yield* makeWorld({ seed: 1, compressionMs: 4 })
  const controlPlane = yield* makeTelemetryControlPlane(world)
  const more = analyticsMax === undefined ? {} : { analyticsMax }
  const nodes: readonly [TelemetryNode, TelemetryNode] = [
    makeTelemetryNode(world, "node-0", more),
    makeTelemetryNode(world, "node-1", more)
  ]
  yield* controlPlane.start
  for (const each of nodes) yield* each.start

  const count = (at: 0 | 1, requests: number) =>
    Effect.map(
      Effect.clockWith((clock) => clock.currentTimeMillis),
      (nowMs) => {
        const clock = nodes[at].machine.process()?.clock
        const wallMs = clock?.currentTimeMillisUnsafe() ?? nowMs
        nodes[at].spool()?.endWindow(windowOf(wallMs, requests))
      }
    )

  const restart = Effect.fnUntraced(function* (at: 0 | 1, how: "killed" | "powerCut") {
    nodes[at].machine.kill(how)
    yield* nodes[at].start
  })

  const later = (forMs: number, run: Effect.Effect<void>) =>
    Effect.sync(() => void world.time.after(forMs, () => void world.fork(run)))

  const act = (action: Action): Effect.Effect<void> => {
    switch (action.do) {
      case "count":
        return count(action.node, action.requests)
      case "restart":
        return restart(action.node, action.how)
      case "crash":
        controlPlane.machine.kill(action.how)
        return later(action.forMs, controlPlane.start)
      case "wedge":
        controlPlane.machine.suspend()
        return later(action.forMs, Effect.sync(controlPlane.machine.resume))
      case "jump":
        return Effect.sync(() => nodes[action.node].machine.jump(action.days * 86_400_000))
      default:
        return Effect.sync(() => affect(action))
    }
  }

  const affect = (action: Extract<Action, { readonly do: "link" | "block" | "unblock" | "reset" | "die" }>): void => {
    const { name } = nodes[action.node].machine
    const link = world.network.link(name)
    if (action.do === "link") link.change({ delayMs: action.delayMs, lossRate: action.lossPercent / 100 })
    else if (action.do === "block")
      link.change(action.direction === "toServer" ? { isBlockedToServer: true } : { isBlockedToNode: true })
    else if (action.do === "unblock") link.change(goodConditions)
    else for (const each of world.network.connectionsOf(name)) action.do === "reset" ? each.sever() : each.die()
  }

  const heal = Effect.gen(function* () {
    yield* Effect.sleep(60_000)
    controlPlane.machine.resume()
    yield* controlPlane.start
    world.network.setGone(world.address, false)
    for (const each of nodes) world.network.link(each.machine.name).change(goodConditions)
    for (let waitedMs = 0; waitedMs < healedMs && nodes.some(({ disk }) => disk.records.length > 0); waitedMs += 10_000)
      yield* Effect.sleep(10_000)
  })

  const sums = Effect.gen(function* () {
    const store = yield* controlPlane.known
    const { apiCalls } = yield* Effect.orDie(store.usage({}))
    const points = yield* Effect.orDie(
      store.requests({ by: "route", fromMs: 0, toMs: 4e12, stepMs: 6e12, pointsMax: 100 })
    )
    const analytics = points.reduce((sum, { statuses }) => sum + statuses.reduce((all, n) => all + n, 0), 0)
    const told = yield* Effect.orDie(store.nodes)
    return { billed: nodes.map(({ machine }) => apiCalls.get(machine.nodeId) ?? 0), analytics, told }
  })

  return { world, nodes, controlPlane, act, count, heal, sums }
})

type Steps = ReadonlyArray<typeof Step.Type>

const played = Effect.fnUntraced(function* (steps: Steps, analyticsMax?: number) {
  const { nodes, act, heal, sums } = yield* stage(analyticsMax)
  for (const { afterMs, action } of steps) {
    yield* Effect.sleep(afterMs)
    yield* act(action)
  }
  yield* heal
  return { nodes, ...(yield* sums) }
})

it.effect.prop(
  "what is billed is what was counted, and so is analytics",
  [Arbitrary.array(Arbitrary.schema(Step), { minLength: 24, maxLength: 40 })],
  ([steps]) =>
    Effect.gen(function* () {
      const { nodes, billed, analytics } = yield* virtually(played(steps))
      assert.deepStrictEqual(
        nodes.map(({ disk }) => disk.records.length),
        [0, 0],
        "nothing is left behind"
      )
      assert.deepStrictEqual(
        billed,
        nodes.map(({ disk }) => billedIn(disk.written))
      )
      assert.strictEqual(
        analytics,
        nodes.reduce((sum, { disk }) => sum + countedIn(disk), 0)
      )
    }),
  propertyRuns
)

it.effect.prop(
  "with little room billing is exact all the same, and what is missing of analytics was reported as dropped",
  [Arbitrary.array(Arbitrary.schema(Step), { minLength: 24, maxLength: 40 })],
  ([steps]) =>
    Effect.gen(function* () {
      const { nodes, billed, analytics, told } = yield* virtually(played(steps, 2))
      assert.deepStrictEqual(
        billed,
        nodes.map(({ disk }) => billedIn(disk.written))
      )
      const counted = nodes.reduce((sum, { disk }) => sum + countedIn(disk), 0)
      const dropped = nodes.reduce((sum, { disk }) => sum + disk.dropped.requests, 0)
      // What was delivered and not known to be may be dropped as well: what is reported is the most that can be missing.
      assert.isAtMost(analytics, counted)
      assert.isAtLeast(analytics, counted - dropped)
      for (const { machine, disk } of nodes)
        assert.deepStrictEqual(told.get(machine.nodeId)?.dropped ?? makeSpoolDisk().dropped, disk.dropped)
    }),
  propertyRuns
)

it("the commit that nobody heard of counts once", () =>
  runVirtual(
    Effect.gen(function* () {
      const { world, nodes, count, heal, sums } = yield* stage()
      yield* count(0, 5)
      yield* Effect.sleep(1_000)
      assert.strictEqual(nodes[0].disk.records.length, 0)
      // The answer is under way when the connection ends: nothing reaches the node any more.
      world.network.link("node-0").change({ isBlockedToNode: true })
      yield* count(0, 7)
      yield* Effect.sleep(40_000)
      assert.isAbove(nodes[0].disk.records.length, 0)
      assert.deepInclude(yield* sums, { billed: [12, 0], analytics: 12 })
      yield* heal
      assert.deepInclude(yield* sums, { billed: [12, 0], analytics: 12 })
    })
  ))
