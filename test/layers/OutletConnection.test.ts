import { assert, describe, it } from "@effect/vitest"
import { Cause, Clock, Effect, Layer, Queue, Random, Ref, Schedule, SubscriptionRef } from "effect"
import { TestClock } from "effect/testing"
import * as OutletConnection from "../../src/layers/OutletConnection.ts"
import * as PingHeartbeat from "../../src/layers/PingHeartbeat.ts"
import { decodeBasicInfo, decodeErrorReport } from "../../src/model/Wire.ts"
import { ClusterDialer, type ClusterSocket, type Frame, SessionEnd } from "../../src/services/ClusterDialer.ts"
import { ConfigReceiver } from "../../src/services/ConfigReceiver.ts"
import { Connection } from "../../src/services/Connection.ts"
import { ConnectionStatus } from "../../src/services/ConnectionStatus.ts"
import { ConfigRejected, LiveConfig } from "../../src/services/LiveConfig.ts"
import { ReconnectPolicy } from "../../src/services/ReconnectPolicy.ts"
import { liveLayer, settle } from "../support/live.ts"
import { settingsLayer } from "../support/settings.ts"

type Fate = "refused" | "silent" | "answering" | "defect"

/** A control plane in memory: each dial meets the fate that the test has set, and everything sent is kept. */
const makeNetwork = Effect.gen(function* () {
  const fate = yield* Ref.make<Fate>("answering")
  const dials = yield* Ref.make<ReadonlyArray<number>>([])
  const sent = yield* Ref.make<ReadonlyArray<Uint8Array>>([])
  const pings = yield* Ref.make<ReadonlyArray<number>>([])
  const received = yield* Ref.make<ReadonlyArray<Uint8Array>>([])
  const liveSockets = yield* Ref.make(0)
  const mostSockets = yield* Ref.make(0)
  const open = yield* Ref.make<Queue.Queue<Frame, SessionEnd> | undefined>(undefined)

  const socket = Effect.gen(function* () {
    const frames = yield* Queue.unbounded<Frame, SessionEnd>()
    yield* Ref.set(open, frames)
    const made: ClusterSocket = {
      frames,
      send: (bytes) => Ref.update(sent, (all) => [...all, bytes]),
      ping: () =>
        Effect.gen(function* () {
          const nowMs = yield* Clock.currentTimeMillis
          yield* Ref.update(pings, (all) => [...all, nowMs])
          if ((yield* Ref.get(fate)) === "answering") yield* Queue.offer(frames, { _tag: "Pong" })
        })
    }
    return made
  })

  const dial = Effect.gen(function* () {
    const nowMs = yield* Clock.currentTimeMillis
    yield* Ref.update(dials, (all) => [...all, nowMs])
    const now = yield* Ref.get(fate)
    if (now === "refused") return yield* new SessionEnd({ reason: "dialFailed", message: "connect ECONNREFUSED" })
    if (now === "defect") return yield* Effect.die(new Error("a bug in the dialer"))
    const count = yield* Effect.acquireRelease(
      Ref.updateAndGet(liveSockets, (n) => n + 1),
      () => Ref.update(liveSockets, (n) => n - 1)
    )
    yield* Ref.update(mostSockets, (most) => Math.max(most, count))
    return yield* socket
  })

  const layer = Layer.mergeAll(
    Layer.succeed(ClusterDialer, { dial }),
    Layer.succeed(ConfigReceiver, { receive: (bytes) => Ref.update(received, (all) => [...all, bytes]) })
  )
  const push = (frame: Frame) =>
    Effect.flatMap(Ref.get(open), (queue) =>
      queue === undefined ? Effect.die("no socket") : Queue.offer(queue, frame)
    )
  const hangUp = Effect.flatMap(Ref.get(open), (queue) =>
    queue === undefined
      ? Effect.die("no socket")
      : Queue.failCause(queue, Cause.fail(new SessionEnd({ reason: "closed", message: "bye" })))
  )
  return { fate, dials, sent, pings, received, mostSockets, liveSockets, layer, push, hangUp }
})

type Network = Effect.Success<typeof makeNetwork>

const withConnection = <A, E>(
  test: (network: Network) => Effect.Effect<A, E, ConnectionStatus | LiveConfig>,
  initial: Fate = "answering",
  konnect_mode = "off"
) =>
  Effect.gen(function* () {
    const network = yield* makeNetwork
    yield* Ref.set(network.fate, initial)
    const layer = OutletConnection.layer.pipe(
      Layer.provide(network.layer),
      Layer.provide(PingHeartbeat.layer),
      Layer.provideMerge(liveLayer),
      Layer.provide(
        settingsLayer({
          cluster_control_plane: "cp:8005",
          cluster_cert: "a path",
          cluster_cert_key: "secret",
          cluster_dp_labels: "region:eu",
          konnect_mode
        })
      ),
      Layer.provideMerge(ConnectionStatus.layer)
    )
    return yield* Effect.gen(function* () {
      const { run } = yield* Connection
      yield* Effect.forkChild(run, { startImmediately: true })
      yield* settle
      return yield* test(network)
    }).pipe(Effect.provide(layer))
  }).pipe(Random.withSeed("reconnect"))

const passSeconds = (seconds: number) =>
  Effect.forEach(Array.from({ length: seconds }), () => Effect.andThen(TestClock.adjust("1 second"), settle), {
    discard: true
  })

const gaps = (times: ReadonlyArray<number>) => times.slice(1).map((time, i) => time - (times[i] ?? 0))

describe("a refused configuration (hybrid-protocol-v1.md §2, §7)", () => {
  const refuse = (source: "control_plane" | "disk", hash: string) =>
    Effect.flatMap(LiveConfig, (live) =>
      live.note(
        new ConfigRejected({ source, hash, faults: [{ path: ["services", 0, "port"], message: "expected a port" }] })
      )
    ).pipe(Effect.andThen(settle))

  const reports = (network: Network) =>
    Effect.map(Ref.get(network.sent), (all) =>
      all.flatMap((bytes) => {
        const decoded = decodeErrorReport(bytes)
        return decoded._tag === "Right" ? [decoded.message] : []
      })
    )

  it.effect("is reported over the session in konnect_mode, once each, and never what the node's own disk held", () =>
    withConnection(
      (network) =>
        Effect.gen(function* () {
          yield* refuse("disk", "d".repeat(32))
          yield* refuse("control_plane", "a".repeat(32))
          const expected = {
            name: "declarative configuration parse failure",
            source: "kong.db.declarative.parse_table",
            message: "services[0].port: expected a port",
            config_hash: "a".repeat(32)
          }
          assert.deepEqual(yield* reports(network), [expected])
          yield* network.hangUp
          yield* settle
          yield* refuse("control_plane", "b".repeat(32))
          assert.lengthOf(yield* reports(network), 1, "nobody is there to be told")
          yield* passSeconds(11)
          assert.deepEqual(yield* reports(network), [expected, { ...expected, config_hash: "b".repeat(32) }])
        }),
      "answering",
      "on"
    )
  )

  it.effect("is not reported otherwise, for other control planes end the session over it", () =>
    withConnection((network) =>
      Effect.gen(function* () {
        yield* refuse("control_plane", "a".repeat(32))
        assert.deepEqual(yield* reports(network), [])
      })
    )
  )
})

describe("connection (hybrid-protocol-v1.md §3, §6)", () => {
  it.effect("introduces itself first, with settings but without secrets, then pings", () =>
    withConnection((network) =>
      Effect.gen(function* () {
        const [first, ...rest] = yield* Ref.get(network.sent)
        assert.lengthOf(rest, 0)
        const decoded = decodeBasicInfo(first ?? new Uint8Array())
        assert(decoded._tag === "Right")
        assert.deepEqual(decoded.message.plugins, [])
        assert.deepEqual(decoded.message.filters, {})
        assert.deepEqual(decoded.message.labels, { region: "eu" })
        assert.strictEqual(decoded.message.process_conf?.cluster_cert_key, "******")
        assert.deepEqual(yield* Ref.get(network.pings), [0])
        assert.deepInclude(yield* SubscriptionRef.get(yield* ConnectionStatus), { _tag: "connected" })
      })
    )
  )

  it.effect("stays for hours with a control plane that answers", () =>
    withConnection((network) =>
      Effect.gen(function* () {
        for (let i = 0; i < 2 * 360; i++) yield* Effect.andThen(TestClock.adjust("10 seconds"), settle)
        assert.lengthOf(yield* Ref.get(network.dials), 1)
        assert.lengthOf(yield* Ref.get(network.pings), 2 * 120 + 1)
      })
    )
  )

  it.effect("waits a fresh, uniform, real-valued 5 to 10 s after each failed dial, for ever", () =>
    withConnection(
      (network) =>
        Effect.gen(function* () {
          const steps = 9_000
          for (let i = 0; i < steps; i++) yield* Effect.andThen(TestClock.adjust("500 millis"), Effect.yieldNow)
          const dials = yield* Ref.get(network.dials)
          const delays = gaps(dials)
          assert.isAtLeast(delays.length, 500)
          assert.isTrue(delays.every((delay) => delay >= 5_000 && delay < 10_000))
          // Uniform: 10 bins, chi-squared with 9 degrees of freedom stays under its 99.9 % point.
          const bins = Array.from(
            { length: 10 },
            (_, bin) => delays.filter((delay) => Math.floor((delay - 5_000) / 500) === bin).length
          )
          const expected = delays.length / 10
          const chiSquared = bins.reduce((sum, found) => sum + (found - expected) ** 2 / expected, 0)
          assert.isBelow(chiSquared, 27.9)
          assert.isAbove(delays.filter((delay) => delay % 1000 !== 0).length, delays.length * 0.9)
          assert.deepInclude(yield* SubscriptionRef.get(yield* ConnectionStatus), {
            _tag: "disconnected",
            attempts: dials.length
          })
        }),
      "refused"
    )
  )

  it.effect("comes back 5 to 10 s after a close, and introduces itself again", () =>
    withConnection((network) =>
      Effect.gen(function* () {
        yield* TestClock.adjust("3 seconds")
        yield* network.hangUp
        yield* settle
        assert.deepInclude(yield* SubscriptionRef.get(yield* ConnectionStatus), { _tag: "disconnected", reason: "bye" })
        yield* passSeconds(11)
        const [gap] = gaps(yield* Ref.get(network.dials))
        assert.isAtLeast(gap ?? 0, 8_000)
        assert.isBelow(gap ?? 0, 13_001)
        assert.lengthOf(yield* Ref.get(network.sent), 2)
        assert.deepInclude(yield* SubscriptionRef.get(yield* ConnectionStatus), { _tag: "connected" })
      })
    )
  )

  it.effect("gives up a half-open session after 45 s of silence, and has one live socket at most", () =>
    withConnection(
      (network) =>
        Effect.gen(function* () {
          yield* passSeconds(44)
          assert.lengthOf(yield* Ref.get(network.dials), 1)
          yield* passSeconds(1)
          assert.strictEqual(yield* Ref.get(network.liveSockets), 0)
          yield* passSeconds(600)
          const delays = gaps(yield* Ref.get(network.dials))
          assert.isAtLeast(delays.length, 8)
          assert.isTrue(delays.every((delay) => delay >= 50_000 && delay < 56_000))
          assert.strictEqual(yield* Ref.get(network.mostSockets), 1)
        }),
      "silent"
    )
  )

  it.effect("counts any frame as a sign of life, hands on binary ones, ignores text", () =>
    withConnection(
      (network) =>
        Effect.gen(function* () {
          const frames: ReadonlyArray<Frame> = [
            { _tag: "Text" },
            { _tag: "Ping" },
            { _tag: "Binary", bytes: new Uint8Array([7]) }
          ]
          for (const frame of frames) {
            yield* passSeconds(40)
            yield* network.push(frame)
            yield* settle
          }
          assert.lengthOf(yield* Ref.get(network.dials), 1)
          assert.deepEqual(yield* Ref.get(network.received), [new Uint8Array([7])])
        }),
      "silent"
    )
  )

  it.effect("survives a defect in the dialer: it costs the session, not the connection", () =>
    withConnection(
      (network) =>
        Effect.gen(function* () {
          yield* Ref.set(network.fate, "answering")
          yield* passSeconds(11)
          assert.deepInclude(yield* SubscriptionRef.get(yield* ConnectionStatus), { _tag: "connected" })
        }),
      "defect"
    )
  )

  it.effect("goes on for ever even when an embedder's policy runs out", () =>
    withConnection(
      (network) =>
        Effect.gen(function* () {
          yield* passSeconds(120)
          assert.isAbove((yield* Ref.get(network.dials)).length, 10)
        }),
      "refused"
    ).pipe(Effect.provideService(ReconnectPolicy, Schedule.recurs(1)))
  )
})
