/** A session's time limits and its order, on a virtual clock: reference `hybrid-protocol-v1.md` §3, §8. */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Layer, Logger, Queue, Ref } from "effect"
import { TestClock } from "effect/testing"
import type { Peer, PeerEvent } from "../../../src/layers/cluster-listener/Peer.ts"
import { runSession } from "../../../src/layers/cluster-listener/session.ts"
import * as MemoryClusterHub from "../../../src/layers/MemoryClusterHub.ts"
import { attestationOf } from "../../../src/model/ConfigStatement.ts"
import type { DataPlaneRecord } from "../../../src/model/Fleet.ts"
import { encodeBasicInfo } from "../../../src/model/Wire.ts"
import { ClusterHub } from "../../../src/services/control/ClusterHub.ts"
import { type Payload, Payloads } from "../../../src/services/control/Payloads.ts"
import { Registry } from "../../../src/services/control/Registry.ts"
import { settle } from "../../support/live.ts"
import { settingsLayer } from "../../support/settings.ts"

const nodeId = "7f1c2c0e-3f0a-4f0e-9a3b-0d3d0a3f6d11"
const hash = "0123456789abcdef0123456789abcdef"
const zeros = "0".repeat(32)

const payload = (version: number, size = 10, plugins: ReadonlyArray<string> = []): Payload => ({
  version,
  hash: String(version).padStart(32, "0"),
  bytes: new Uint8Array(size),
  attestation: attestationOf({ hash: zeros, sha256: "", issuedAtMs: 0 }),
  plugins,
  sections: [{ name: "services", rows: 7 }]
})

const memoryRegistry = Layer.effect(
  Registry,
  Effect.gen(function* () {
    const records = yield* Ref.make<ReadonlyMap<string, DataPlaneRecord>>(new Map())
    return Registry.of({
      update: (id, change) => Ref.update(records, (known) => new Map([...known, [id, change(known.get(id))]])),
      all: Effect.map(Ref.get(records), (known) => [...known.values()]),
      find: (id) => Effect.map(Ref.get(records), (known) => known.get(id))
    })
  })
)

const layers = (first: Payload) =>
  Layer.mergeAll(
    memoryRegistry,
    MemoryClusterHub.layer,
    Layer.succeed(Payloads, { newest: Effect.succeed(first) }),
    settingsLayer(),
    Logger.layer([])
  )

/** A peer without a network: what it is sent is kept, and sending can be held up. */
const makePeer = Effect.gen(function* () {
  const events = yield* Queue.unbounded<PeerEvent>()
  const sent = yield* Queue.unbounded<number>()
  const pongs = yield* Ref.make(0)
  const closed = yield* Deferred.make<number>()
  const gate = yield* Ref.make<Effect.Effect<void>>(Effect.void)
  const peer: Peer = {
    identity: { nodeId, hostname: "dp", version: "3.9.0", ip: "127.0.0.1", certificateExpiresAtMs: undefined },
    events,
    send: (bytes) => Effect.andThen(Queue.offer(sent, bytes.length), Effect.flatten(Ref.get(gate))),
    pong: Ref.update(pongs, (n) => n + 1),
    close: (code) => Effect.asVoid(Deferred.succeed(closed, code))
  }
  const say = (event: PeerEvent) => Effect.andThen(Queue.offer(events, event), settle)
  return { peer, sent, pongs, closed, gate, say }
})

const hello: PeerEvent = { _tag: "Binary", bytes: encodeBasicInfo({ plugins: [] }) }
const ping = (text = hash): PeerEvent => ({ _tag: "Ping", text })

const start = (peer: Peer) =>
  Effect.andThen(
    Effect.forkChild(
      runSession(peer, () => Effect.void),
      { startImmediately: true }
    ),
    settle
  )

const record = Effect.flatMap(Registry, (registry) => registry.find(nodeId))

describe("time limits", () => {
  it.effect("the first frame has 5 s", () =>
    Effect.gen(function* () {
      const { peer, closed } = yield* makePeer
      yield* start(peer)
      yield* TestClock.adjust("4999 millis")
      assert.isFalse(yield* Deferred.isDone(closed))
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(yield* Deferred.await(closed), 1002)
    }).pipe(Effect.provide(layers(payload(1))))
  )

  it.effect("45 s without a ping end the session, and every ping starts them anew", () =>
    Effect.gen(function* () {
      const { peer, closed, say, pongs } = yield* makePeer
      yield* start(peer)
      yield* say(hello)
      yield* TestClock.adjust("44 seconds")
      yield* say(ping())
      yield* TestClock.adjust("44999 millis")
      assert.isFalse(yield* Deferred.isDone(closed))
      assert.strictEqual(yield* Ref.get(pongs), 1)
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(yield* Deferred.await(closed), 1008)
      assert.deepStrictEqual(yield* Effect.flatMap(ClusterHub, (hub) => hub.present), [])
    }).pipe(Effect.provide(layers(payload(1))))
  )

  it.effect("an error report is no ping", () =>
    Effect.gen(function* () {
      const { peer, closed, say } = yield* makePeer
      const report = Buffer.from(JSON.stringify({ type: "error", error: { name: "x" } }))
      yield* start(peer)
      yield* say(hello)
      yield* TestClock.adjust("40 seconds")
      yield* say({ _tag: "Binary", bytes: report })
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual(yield* Deferred.await(closed), 1008)
    }).pipe(Effect.provide(layers(payload(1))))
  )
})

describe("sending", () => {
  it.effect("a slow node gets what it was being sent and then the newest, nothing between", () =>
    Effect.gen(function* () {
      const { peer, sent, gate, say } = yield* makePeer
      const hub = yield* ClusterHub
      const open = yield* Deferred.make<void>()
      yield* Ref.set(gate, Deferred.await(open))
      yield* start(peer)
      yield* say(hello)
      for (const version of [2, 3, 4]) yield* hub.broadcast(payload(version, version))
      yield* Deferred.succeed(open, undefined)
      yield* settle
      assert.deepStrictEqual(yield* Queue.takeAll(sent), [10, 4])
    }).pipe(Effect.provide(layers(payload(1))))
  )

  it.effect("nothing older replaces anything newer", () =>
    Effect.gen(function* () {
      const { peer, sent, say } = yield* makePeer
      const hub = yield* ClusterHub
      yield* start(peer)
      yield* say(hello)
      assert.strictEqual(yield* hub.broadcast(payload(4)), 0)
      yield* settle
      assert.deepStrictEqual(yield* Queue.takeAll(sent), [10])
    }).pipe(Effect.provide(layers(payload(5))))
  )

  it.effect("what is larger than cluster_max_payload is not sent; the record says why", () =>
    Effect.gen(function* () {
      const { peer, sent, say } = yield* makePeer
      const hub = yield* ClusterHub
      yield* start(peer)
      yield* say(hello)
      const noted = yield* record
      assert.include(noted?.notSent ?? "", "16777217 bytes")
      assert.include(noted?.notSent ?? "", "7 services")
      assert.strictEqual(noted?.syncStatus, "unknown", "§11: nothing was sent yet")
      yield* hub.broadcast(payload(2, 3))
      yield* settle
      assert.deepStrictEqual(yield* Queue.takeAll(sent), [3])
      assert.strictEqual((yield* record)?.notSent, undefined)
      assert.strictEqual((yield* record)?.syncStatus, "normal")
    }).pipe(Effect.provide(layers(payload(1, 16_777_217))))
  )

  it.effect("what needs a plugin that the node lacks is not sent (§9.2)", () =>
    Effect.gen(function* () {
      const { peer, sent, say } = yield* makePeer
      yield* start(peer)
      yield* say(hello)
      yield* say(ping(zeros))
      assert.strictEqual((yield* record)?.syncStatus, "plugin_set_incompatible")
      assert.strictEqual(yield* Queue.size(sent), 0)
    }).pipe(Effect.provide(layers(payload(1, 10, ["acl"]))))
  )
})

describe("the end", () => {
  it.effect("of the process says goodbye", () =>
    Effect.gen(function* () {
      const { peer, closed, say } = yield* makePeer
      const session = yield* Effect.forkChild(
        runSession(peer, () => Effect.void),
        { startImmediately: true }
      )
      yield* say(hello)
      yield* Fiber.interrupt(session)
      assert.strictEqual(yield* Deferred.await(closed), 1001)
    }).pipe(Effect.provide(layers(payload(1))))
  )

  it.effect("of one of two sessions of a node leaves the other one present", () =>
    Effect.gen(function* () {
      const hub = yield* ClusterHub
      const [one, two] = [yield* makePeer, yield* makePeer]
      yield* start(one.peer)
      yield* start(two.peer)
      yield* one.say(hello)
      yield* two.say(hello)
      yield* one.say({ _tag: "Closed", reason: "gone" })
      assert.deepStrictEqual(
        (yield* hub.present).map((presence) => presence.nodeId),
        [nodeId]
      )
    }).pipe(Effect.provide(layers(payload(1))))
  )
})
