/** What becomes of telemetry when nobody takes it, or not now; in virtual time (`telemetry.md` §A.1, §A.4). */
import { assert, describe, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { telemetryPath } from "../../../src/model/telemetry/TelemetryWire.ts"
import type { TelemetryFacts } from "../../../src/services/TelemetryStatus.ts"
import { makeMemoryControlPlane } from "../../../src/testing/MemoryControlPlane.ts"
import { runVirtual } from "../../../src/testing/runVirtual.ts"
import type { Admission } from "../../../src/testing/VirtualNetwork.ts"
import { VirtualTime } from "../../../src/testing/VirtualTime.ts"
import { makeWorld, type World } from "../../../src/testing/World.ts"
import { windowOf } from "../../support/telemetry.ts"
import { makeTelemetryControlPlane, makeTelemetryNode, type TelemetryNode } from "../../support/telemetryStage.ts"

const minutes = (n: number) => n * 60_000

const played = <A, E>(test: (world: World) => Effect.Effect<A, E, VirtualTime | Scope.Scope>): Promise<A> =>
  runVirtual(Effect.flatMap(makeWorld({ seed: 1 }), test))

const count = ({ spool }: TelemetryNode) => spool()?.endWindow(windowOf(0, 5))

const stateOf = ({ status }: TelemetryNode): TelemetryFacts["delivery"] =>
  status()?.facts().delivery ?? { _tag: "idle" }

/** Someone who answers every dial as it is told to, and notes when it was asked. */
const doorkeeper = Effect.fnUntraced(function* (world: World, admission: Admission) {
  const time = yield* VirtualTime
  const askedMs: Array<number> = []
  const stop = world.network.listen(world.address, {
    clock: time.makeClock({ name: "doorkeeper" }),
    admit: ({ path }) => {
      assert.strictEqual(path, telemetryPath)
      askedMs.push(time.nowMs())
      return admission
    }
  })
  return { askedMs, stop }
})

const gapsOf = (moments: ReadonlyArray<number>): ReadonlyArray<number> =>
  moments.slice(1).map((moment, at) => moment - (moments[at] ?? 0))

describe("towards a control plane of Kong's", () => {
  it("telemetry stays on the node, and it is asked again every five to six minutes", () =>
    played((world) =>
      Effect.gen(function* () {
        const node = makeTelemetryNode(world, "node")
        const { askedMs } = yield* doorkeeper(world, { _tag: "Refused", status: 404 })
        yield* node.start
        count(node)
        yield* Effect.sleep(minutes(31))
        const state = stateOf(node)
        assert.strictEqual(state._tag, "local")
        assert.include(state._tag === "local" ? state.reason : "", "HTTP 404")
        assert.isAbove(askedMs.length, 4)
        for (const gapMs of gapsOf(askedMs)) assert.isTrue(gapMs > minutes(5) && gapMs < minutes(6.1), String(gapMs))
        assert.strictEqual(world.transcript.latest().filter((line) => line.includes("telemetry stays")).length, 1)
        assert.isAbove(node.disk.records.length, 0)
      })
    ))

  it("the memory control plane of the tests answers as one", () =>
    played((world) =>
      Effect.gen(function* () {
        const time = yield* VirtualTime
        const node = makeTelemetryNode(world, "node")
        makeMemoryControlPlane({ time, network: world.network, address: world.address, pushes: world.pushes })
        yield* node.start
        count(node)
        yield* Effect.sleep(minutes(1))
        assert.strictEqual(stateOf(node)._tag, "local")
      })
    ))

  it("what was kept is delivered once it is a control plane that takes it", () =>
    played((world) =>
      Effect.gen(function* () {
        const node = makeTelemetryNode(world, "node")
        const controlPlane = yield* makeTelemetryControlPlane(world)
        const { stop } = yield* doorkeeper(world, { _tag: "Refused", status: 400 })
        yield* node.start
        count(node)
        yield* Effect.sleep(minutes(1))
        stop()
        yield* controlPlane.start
        yield* Effect.sleep(minutes(6))
        assert.deepStrictEqual([stateOf(node)._tag, node.disk.records.length], ["idle", 0])
      })
    ))
})

it.each([
  ["konnect_mode=on", { konnect_mode: "on" }, "local"],
  ["telemetry=off", { telemetry: "off" }, "off"]
])("with %s nobody is asked at all", (_, settings, state) =>
  played((world) =>
    Effect.gen(function* () {
      const node = makeTelemetryNode(world, "node", { settings })
      const { askedMs } = yield* doorkeeper(world, { _tag: "Refused", status: 404 })
      yield* node.start
      count(node)
      yield* Effect.sleep(minutes(60))
      assert.deepStrictEqual([stateOf(node)._tag, askedMs.length], [state, 0])
    })
  )
)

it("nobody is dialled before there is something to deliver", () =>
  played((world) =>
    Effect.gen(function* () {
      const node = makeTelemetryNode(world, "node")
      const { askedMs } = yield* doorkeeper(world, { _tag: "Refused", status: 404 })
      yield* node.start
      yield* Effect.sleep(minutes(60))
      assert.deepStrictEqual([stateOf(node)._tag, askedMs.length], ["idle", 0])
    })
  ))

describe("while the control plane is away", () => {
  it("it is tried again as the configuration's connection is, for ever, and told once", () =>
    played((world) =>
      Effect.gen(function* () {
        const node = makeTelemetryNode(world, "node")
        const { askedMs } = yield* doorkeeper(world, { _tag: "Refused", status: 503 })
        yield* node.start
        count(node)
        yield* Effect.sleep(minutes(60))
        for (const gapMs of gapsOf(askedMs)) assert.isTrue(gapMs >= 5_000 && gapMs < 10_100, String(gapMs))
        const state = stateOf(node)
        assert.strictEqual(state._tag === "disconnected" && state.attempts, askedMs.length)
        assert.strictEqual(world.transcript.latest().filter((line) => line.includes("can't be delivered")).length, 1)
      })
    ))

  it("a Retry-After is respected", () =>
    played((world) =>
      Effect.gen(function* () {
        const node = makeTelemetryNode(world, "node")
        const { askedMs } = yield* doorkeeper(world, { _tag: "Refused", status: 503, retryAfterMs: 60_000 })
        yield* node.start
        count(node)
        yield* Effect.sleep(minutes(10))
        for (const gapMs of gapsOf(askedMs)) assert.isTrue(gapMs >= 60_000 && gapMs < 65_100, String(gapMs))
      })
    ))

  it("whoever takes connections and no batch is no quicker asked, whatever it answers", () =>
    played((world) =>
      Effect.gen(function* () {
        for (const answer of [
          "{}",
          '{"error":"not_stored"}',
          '{"acknowledged":[]}',
          '{"acknowledged":[],"name":1}',
          ""
        ]) {
          const node = makeTelemetryNode(world, `node ${answer}`)
          const { gzip } = world.shared.compression
          const bytes = yield* gzip(new TextEncoder().encode(answer))
          const { askedMs, stop } = yield* doorkeeper(world, {
            _tag: "Accepted",
            serve: (end) =>
              end.listen({
                onMessage: ({ _tag }) => {
                  if (_tag === "Binary") end.send({ _tag: "Binary", bytes }, () => {})
                },
                onEnd: () => {}
              })
          })
          yield* node.start
          count(node)
          yield* Effect.sleep(minutes(2))
          assert.isTrue(askedMs.length > 5 && askedMs.length < 26, `${answer}: ${askedMs.length}`)
          assert.isAbove(node.disk.records.length, 0, answer)
          yield* node.machine.stop
          stop()
        }
      })
    ))
})

it("a connection stays while there is something to deliver, goes when there is nothing for a minute, and comes back", () =>
  played((world) =>
    Effect.gen(function* () {
      const node = makeTelemetryNode(world, "node")
      const controlPlane = yield* makeTelemetryControlPlane(world)
      yield* controlPlane.start
      yield* node.start
      const seen = new Set<unknown>()
      for (let n = 0; n < 40; n++) {
        count(node)
        yield* Effect.sleep(45_000)
        for (const connection of world.network.connectionsOf("node")) seen.add(connection)
      }
      assert.strictEqual(seen.size, 1)
      yield* Effect.sleep(minutes(2))
      assert.isEmpty(world.network.connectionsOf("node"))
      assert.strictEqual(stateOf(node)._tag, "idle")
      count(node)
      yield* Effect.sleep(minutes(0.5))
      assert.strictEqual(world.network.connectionsOf("node").length, 1)
      assert.isEmpty(node.disk.records)
    })
  ))

it("a connection that is dead is found out, and what it swallowed is delivered by the next", () =>
  played((world) =>
    Effect.gen(function* () {
      const node = makeTelemetryNode(world, "node")
      const controlPlane = yield* makeTelemetryControlPlane(world)
      yield* controlPlane.start
      yield* node.start
      count(node)
      yield* Effect.sleep(minutes(0.5))
      const [first] = world.network.connectionsOf("node")
      first?.die()
      count(node)
      yield* Effect.sleep(minutes(2))
      assert.isFalse(first?.isLive())
      assert.isEmpty(node.disk.records)
    })
  ))

it("a stop waits for no acknowledgement", () =>
  played((world) =>
    Effect.gen(function* () {
      const node = makeTelemetryNode(world, "node")
      const controlPlane = yield* makeTelemetryControlPlane(world)
      yield* controlPlane.start
      yield* node.start
      count(node)
      yield* Effect.sleep(1_000)
      world.network.link("node").change({ isBlockedToNode: true })
      count(node)
      yield* Effect.sleep(1_000)
      const beforeMs = world.time.nowMs()
      yield* node.machine.stop
      assert.strictEqual(world.time.nowMs(), beforeMs)
      assert.isAbove(node.disk.records.length, 0)
    })
  ))
