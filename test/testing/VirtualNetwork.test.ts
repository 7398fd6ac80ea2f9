/** What the virtual network does to a connection: each fault that its headers name. Times in milliseconds. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Queue, Scope } from "effect"
import type { ClusterSocket, SessionEnd } from "../../src/services/ClusterDialer.ts"
import type { NodeHappening, Told } from "../../src/testing/NodeEvent.ts"
import { runVirtual } from "../../src/testing/runVirtual.ts"
import { makeRandom } from "../../src/testing/SeededRandom.ts"
import type { ConnectionEnd, End, Message } from "../../src/testing/VirtualConnection.ts"
import { makeVirtualDialer } from "../../src/testing/VirtualDialer.ts"
import { repetitionAfter } from "../../src/testing/VirtualLink.ts"
import { type Admission, makeVirtualNetwork } from "../../src/testing/VirtualNetwork.ts"
import { VirtualTime } from "../../src/testing/VirtualTime.ts"

const address = "control-plane:8005"
const delayMs = 10

/** One node and one listener that keeps what it hears, with the instant of each. */
const makeScene = Effect.gen(function* () {
  const time = yield* VirtualTime
  const network = makeVirtualNetwork(time, makeRandom("network"))
  const clock = time.makeClock({ name: "node" })
  const serverClock = time.makeClock({ name: "control plane" })
  network.changeAll({ delayMs, jitterMs: 0 })
  const heard: Array<readonly [number, Message | ConnectionEnd]> = []
  const ends: Array<End> = []
  const told: Array<Told> = []
  let admission: Admission["_tag"] = "Accepted"
  const serve = (end: End): void => {
    ends.push(end)
    end.listen({
      onMessage: (message) => heard.push([time.nowMs(), message]),
      onEnd: (end) => heard.push([time.nowMs(), end])
    })
  }
  const admit = (): Admission =>
    admission === "Accepted"
      ? { _tag: admission, serve }
      : admission === "Refused"
        ? { _tag: admission, status: 503, retryAfterMs: 30_000 }
        : { _tag: admission }
  const listen = () => network.listen(address, { clock: serverClock, admit })
  const stopListening = listen()
  const { dial } = makeVirtualDialer({
    network,
    address,
    clock,
    request: { node: "node", nodeId: "1", hostname: "node", version: "3.9.0" },
    observe: (happening) => told.push(happening)
  })
  return {
    time,
    network,
    clock,
    serverClock,
    link: network.link("node"),
    heard,
    ends,
    told,
    dial,
    listen,
    stopListening,
    become: (next: Admission["_tag"]) => {
      admission = next
    }
  }
})

type Scene = Effect.Success<typeof makeScene>

const play = <A>(body: (scene: Scene) => Effect.Effect<A, SessionEnd, Scope.Scope>): Promise<A> =>
  runVirtual(Effect.flatMap(makeScene, body))

const nextFrame = (socket: ClusterSocket) => Queue.take(socket.frames)

const bytesOf = (text: string) => new TextEncoder().encode(text)

const tags = (told: ReadonlyArray<Told>): ReadonlyArray<NodeHappening["_tag"]> => told.map(({ _tag }) => _tag)

describe("dialling", () => {
  it("takes three times there and back, and then carries frames both ways in order", async () => {
    const seen = await play(({ time, dial, ends, heard, network }) =>
      Effect.gen(function* () {
        const socket = yield* dial
        const openedAtMs = time.nowMs()
        yield* socket.send(bytesOf("hello"))
        yield* socket.ping("0".repeat(32))
        yield* Effect.sleep(delayMs)
        for (const _tag of ["Pong", "Text"] as const) ends[0]?.send({ _tag }, () => {})
        const frames = [yield* nextFrame(socket), yield* nextFrame(socket)]
        return { openedAtMs, heard: heard.map(([, { _tag }]) => _tag), frames, sockets: network.socketsOf("node") }
      })
    )
    assert.deepStrictEqual(seen, {
      openedAtMs: 6 * delayMs,
      heard: ["Binary", "Ping"],
      frames: [{ _tag: "Pong" }, { _tag: "Text" }],
      sockets: 1
    })
  })

  const failing: ReadonlyArray<readonly [string, (scene: Scene) => void, Partial<SessionEnd>, number]> = [
    [
      "nobody listens",
      ({ stopListening }) => stopListening(),
      { reason: "dialFailed", message: `connect ECONNREFUSED ${address}` },
      2 * delayMs
    ],
    [
      "the machine is gone",
      ({ network }) => network.setGone(address, true),
      { reason: "dialFailed", message: "no connection within 5000 ms" },
      5_000
    ],
    [
      "it takes the connection and says nothing",
      ({ become }) => become("Silent"),
      { reason: "dialFailed", message: "no connection within 5000 ms" },
      5_000
    ],
    [
      "it breaks off",
      ({ become }) => become("BrokenOff"),
      { reason: "dialFailed", message: "closed during the handshake" },
      6 * delayMs
    ],
    [
      "it refuses for a while",
      ({ become }) => become("Refused"),
      { reason: "refused", message: "expected a WebSocket handshake, got HTTP 503", retryAfterMs: 30_000 },
      6 * delayMs
    ],
    [
      "the way there is blocked",
      ({ link }) => link.change({ isBlockedToServer: true }),
      { reason: "dialFailed", message: "no connection within 5000 ms" },
      5_000
    ],
    [
      "the way back is blocked",
      ({ link }) => link.change({ isBlockedToNode: true }),
      { reason: "dialFailed", message: "no connection within 5000 ms" },
      5_000
    ]
  ]
  for (const [name, trouble, expected, atMs] of failing) {
    it(`fails when ${name}`, async () => {
      const { end, tookMs, sockets } = await play((scene) =>
        Effect.gen(function* () {
          trouble(scene)
          const end = yield* Effect.flip(scene.dial)
          return { end, tookMs: scene.time.nowMs(), sockets: scene.network.socketsOf("node") }
        }).pipe(Effect.orDie)
      )
      assert.deepInclude(end, expected)
      assert.strictEqual(tookMs, atMs)
      assert.strictEqual(sockets, 0)
    })
  }

  it("tells a node at once of an end that came before the news that it was open", async () => {
    const seen = await play(({ dial, network, time, told }) =>
      Effect.gen(function* () {
        time.after(5 * delayMs + 1, () => network.connectionsOf("node").forEach((connection) => connection.sever()))
        const socket = yield* dial
        const { message } = yield* Effect.flip(nextFrame(socket))
        return [message, tags(told), network.socketsOf("node")]
      }).pipe(Effect.orDie)
    )
    assert.deepStrictEqual(seen, ["read ECONNRESET", ["Dialled", "Opened", "Ended"], 0])
  })

  it("is given up without a trace when the node no longer wants it", async () => {
    const seen = await play(({ dial, network, told, ends, heard }) =>
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        yield* dial.pipe(Scope.provide(scope), Effect.ignore, Effect.timeoutOption(5 * delayMs + 1))
        yield* Effect.sleep(1_000)
        return [network.socketsOf("node"), tags(told), ends.length, heard.map(([, { _tag }]) => _tag)]
      })
    )
    assert.deepStrictEqual(seen, [0, ["Dialled", "DialFailed"], 1, ["Broken"]])
  })
})

describe("an open connection", () => {
  const over = <A>(
    body: (scene: Scene, socket: ClusterSocket, server: End) => Effect.Effect<A, SessionEnd, Scope.Scope>
  ) =>
    play((scene) =>
      Effect.gen(function* () {
        const socket = yield* scene.dial
        const server = scene.ends[0]
        if (server === undefined) return yield* Effect.die("nobody served")
        return yield* body(scene, socket, server)
      })
    )

  it("is closed politely by the node at the end of its scope", async () => {
    const seen = await play(({ dial, heard, network, time }) =>
      Effect.gen(function* () {
        yield* Effect.scoped(dial)
        const atMs = time.nowMs()
        const sockets = network.socketsOf("node")
        yield* Effect.sleep(1_000)
        return [heard.map(([heardAtMs, message]) => [heardAtMs - atMs, message]), sockets]
      })
    )
    assert.deepStrictEqual(seen, [[[delayMs, { _tag: "Closed", code: 1001, reason: "" }]], 0])
  })

  it("tells the node of a close, of a reset, and of a frame that was cut off, and forgets the frame", async () => {
    const end = (how: (scene: Scene, server: End) => void) =>
      over((scene, socket, server) =>
        Effect.gen(function* () {
          how(scene, server)
          const { reason, message } = yield* Effect.flip(nextFrame(socket))
          return `${reason}: ${message} (${scene.network.socketsOf("node")} sockets)`
        }).pipe(Effect.orDie)
      )
    assert.strictEqual(
      await end((_, server) => server.close(1013, "busy")),
      "closed: closed by the control plane, code 1013 busy (0 sockets)"
    )
    assert.strictEqual(await end((_, server) => server.reset()), "broken: read ECONNRESET (0 sockets)")
    assert.strictEqual(
      await end(({ network }) => network.connectionsOf("node").forEach((connection) => connection.sever())),
      "broken: read ECONNRESET (0 sockets)"
    )
    assert.strictEqual(
      await end(({ network }, server) => {
        network.connectionsOf("node").forEach((connection) => connection.cutNext())
        server.send({ _tag: "Binary", bytes: bytesOf("half a configuration") }, () => {})
      }),
      "closed: closed by the control plane, code 1006 (0 sockets)"
    )
  })

  it("says nothing any more, in either direction, once it is dead; and writes still succeed", async () => {
    const seen = await over(({ network, heard }, socket, server) =>
      Effect.gen(function* () {
        network.connectionsOf("node").forEach((connection) => connection.die())
        yield* socket.ping("0".repeat(32))
        server.send({ _tag: "Pong" }, () => {})
        yield* Effect.sleep(3_600_000)
        return [heard.length, yield* Queue.size(socket.frames), network.socketsOf("node")]
      })
    )
    assert.deepStrictEqual(seen, [0, 0, 1])
  })

  it("brings what was sent into a block with the first repetition after it, in order", async () => {
    const seen = await over(({ time, link, heard }, socket) =>
      Effect.gen(function* () {
        const atMs = time.nowMs()
        link.change({ isBlockedToServer: true })
        yield* socket.send(bytesOf("one"))
        yield* Effect.sleep(1_000)
        yield* socket.send(bytesOf("two"))
        link.change({ isBlockedToServer: false })
        yield* socket.send(bytesOf("three"))
        yield* Effect.sleep(60_000)
        return heard.map(([heardAtMs, message]) => [
          heardAtMs - atMs,
          message._tag === "Binary" ? new TextDecoder().decode(message.bytes) : message._tag
        ])
      })
    )
    // Sent again after 200, 600 and 1,400 ms.
    assert.deepStrictEqual(seen, [
      [1_400 + delayMs, "one"],
      [1_400 + delayMs, "two"],
      [1_400 + delayMs, "three"]
    ])
  })

  it("goes on in the direction that is not blocked", async () => {
    const seen = await over(({ link, heard }, socket, server) =>
      Effect.gen(function* () {
        link.change({ isBlockedToServer: true })
        server.send({ _tag: "Pong" }, () => {})
        const frame = yield* nextFrame(socket)
        yield* socket.ping("0".repeat(32))
        yield* Effect.sleep(60_000)
        return [frame._tag, heard.length]
      })
    )
    assert.deepStrictEqual(seen, ["Pong", 0])
  })

  it("delays by loss and jitter, and never reorders", async () => {
    const seen = await over(({ link, time }, socket, server) =>
      Effect.gen(function* () {
        link.change({ jitterMs: 50, lossRate: 0.3 })
        for (let n = 0; n < 200; n++) {
          server.send({ _tag: "Binary", bytes: Uint8Array.of(n) }, () => {})
          yield* Effect.sleep(20)
        }
        const order: Array<number> = []
        for (let n = 0; n < 200; n++) {
          const frame = yield* nextFrame(socket)
          if (frame._tag === "Binary") order.push(frame.bytes[0] ?? -1)
        }
        return { isInOrder: order.every((n, index) => n === index), tookMs: time.nowMs() }
      })
    )
    assert.isTrue(seen.isInOrder)
    assert.isAbove(seen.tookMs, 200 * 20)
  })

  it("makes a writer wait while the kernel's buffer is full, and ends the session after 5 s of that", async () => {
    const seen = await over(({ link }, socket) =>
      Effect.gen(function* () {
        link.change({ isBlockedToServer: true })
        yield* socket.send(new Uint8Array(200_000))
        return yield* Effect.flip(socket.send(new Uint8Array(200_000)))
      }).pipe(Effect.orDie)
    )
    assert.deepInclude(seen, { reason: "broken", message: "nothing could be sent for 5000 ms" })
  })

  it("brings a suspended node what waited for it as soon as it wakes, and a killed one nothing", async () => {
    const seen = await over(({ time, clock }, socket, server) =>
      Effect.gen(function* () {
        clock.suspend()
        server.send({ _tag: "Pong" }, () => {})
        yield* Effect.sleep(60_000)
        const during = yield* Queue.size(socket.frames)
        clock.resume()
        const after = yield* Queue.size(socket.frames)
        clock.kill()
        server.send({ _tag: "Pong" }, () => {})
        yield* Effect.sleep(60_000)
        return [during, after, yield* Queue.size(socket.frames), time.nowMs() > 120_000]
      })
    )
    assert.deepStrictEqual(seen, [0, 1, 1, true])
  })

  it("refuses to send once it has ended", async () => {
    const end = await over((_, socket, server) =>
      Effect.gen(function* () {
        server.close(1001)
        yield* Effect.sleep(100)
        return yield* Effect.flip(socket.ping("0".repeat(32)))
      }).pipe(Effect.orDie)
    )
    assert.deepInclude(end, { reason: "broken", message: "WebSocket is not open" })
  })
})

describe("a process that dies", () => {
  const peer = (how: "told" | "silent") =>
    play(({ dial, network, heard, time }) =>
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        yield* Scope.provide(dial, scope)
        network.abandon("node", how)
        const atMs = time.nowMs()
        const sockets = network.socketsOf("node")
        yield* Effect.sleep(1_000)
        yield* Scope.close(scope, Exit.void)
        yield* Effect.sleep(1_000)
        return [heard.map(([heardAtMs, { _tag }]) => [heardAtMs - atMs, _tag]), sockets]
      })
    )

  it("is told by its kernel when it is killed", async () => {
    assert.deepStrictEqual(await peer("told"), [[[delayMs, "Broken"]], 0])
  })

  it("leaves the other side without a word when its machine loses power", async () => {
    assert.deepStrictEqual(await peer("silent"), [[], 0])
  })

  it("takes the address with it when it listened: refused at once, or no answer until somebody listens again", async () => {
    const dialAfter = (how: "told" | "silent") =>
      play(({ network, dial, listen }) =>
        Effect.gen(function* () {
          network.abandon("control plane", how)
          const failure = yield* Effect.flip(dial)
          listen()
          const isOpen = Exit.isSuccess(yield* Effect.exit(dial))
          return [failure.message, isOpen]
        }).pipe(Effect.orDie)
      )
    assert.deepStrictEqual(await dialAfter("told"), [`connect ECONNREFUSED ${address}`, true])
    assert.deepStrictEqual(await dialAfter("silent"), ["no connection within 5000 ms", true])
  })
})

describe("repetitions of what was not acknowledged", () => {
  it("grow apart from 200 ms to two minutes", () => {
    assert.strictEqual(repetitionAfter(1_000, 1_000), 1_000)
    assert.strictEqual(repetitionAfter(0, 1), 200)
    assert.strictEqual(repetitionAfter(0, 201), 600)
    assert.strictEqual(repetitionAfter(0, 100_000), 102_200)
    const late = repetitionAfter(0, 1_000_000)
    assert.isTrue(late >= 1_000_000 && late < 1_120_000)
  })
})
