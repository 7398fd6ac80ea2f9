/** Each checker, with what breaks its promise and what does not: events told by hand. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Layer } from "effect"
import { emptyConfig } from "../../../src/model/CompiledConfig.ts"
import { decodeTable } from "../../../src/model/ConfigTable.ts"
import { compileConfig } from "../../../src/model/compileConfig.ts"
import type { Source } from "../../../src/model/Snapshot.ts"
import { encodeErrorReport } from "../../../src/model/Wire.ts"
import type { LiveState } from "../../../src/services/LiveConfig.ts"
import { allCheckers } from "../../../src/testing/checkers/all.ts"
import { setCheckers } from "../../../src/testing/checkers/Checker.ts"
import { reconnectDelay, reconnectDelayWithin } from "../../../src/testing/checkers/reconnectDelay.ts"
import type { NodeHappening } from "../../../src/testing/NodeEvent.ts"
import { runVirtual } from "../../../src/testing/runVirtual.ts"
import { tableOf } from "../../../src/testing/sampleTables.ts"
import { makeWorld, type World } from "../../../src/testing/World.ts"
import { testCatalogue } from "../../support/plugins.ts"

type Told = readonly [atSeconds: number, happening: NodeHappening]

interface Stage {
  readonly world: World
  readonly say: (...told: ReadonlyArray<Told>) => void
}

/** What the checkers find in what is told; `atSeconds` counts for the node's own clock too. */
const found = (play: (stage: Stage) => Effect.Effect<void> | void, kinds = allCheckers) =>
  runVirtual(
    Effect.gen(function* () {
      const world = yield* makeWorld({ seed: 1 })
      const checkers = setCheckers(world, kinds)
      const say: Stage["say"] = (...all) => {
        for (const [seconds, happening] of all)
          world.tell({ ...happening, node: "node", atMs: seconds * 1000, ownMs: seconds * 1000 })
      }
      const played = play({ world, say })
      if (played !== undefined) yield* played
      checkers.finish()
      return checkers.findings().map(({ checker, sentence }) => `${checker}: ${sentence}`)
    })
  )

const told = (...all: ReadonlyArray<Told>) => found(({ say }) => say(...all))

const dialled: NodeHappening = { _tag: "Dialled" }
const opened: NodeHappening = { _tag: "Opened" }
const pong: NodeHappening = { _tag: "Received", frame: "Pong", bytes: undefined }
const received = (bytes: Uint8Array): NodeHappening => ({ _tag: "Received", frame: "Binary", bytes })
const ended = (by: "node" | "peer"): NodeHappening => ({ _tag: "Ended", by, reason: "closed", message: "" })
const failed = (retryAfterMs?: number): NodeHappening => ({ _tag: "DialFailed", message: "", retryAfterMs })
const announced = (hash: string, applied = hash, isPersisted = true): NodeHappening => ({
  _tag: "Announced",
  hash,
  applied,
  isPersisted
})

const hashOf = (letter: string) => letter.repeat(32)

const state = (hash: string, source: Source = "control_plane", snapshot?: LiveState["snapshot"]): LiveState =>
  ({ hash, source, acceptedCount: 1, snapshot, lastRejection: undefined }) as unknown as LiveState

const serves = (hash: string, source?: Source): NodeHappening => ({
  _tag: "Serves",
  state: state(hash, source),
  compiled: emptyConfig
})

const rejected = (source: Source = "control_plane"): NodeHappening => ({
  _tag: "Rejected",
  rejection: { atMs: 0, source, hash: undefined, reasons: ["bad"], faults: [] }
})

const push = (world: World, letter: string, flaw?: string) =>
  world.pushes.add({ atMs: 0, hash: hashOf(letter), bytes: new TextEncoder().encode(letter), flaw })

describe("at most one live socket per node", () => {
  it("is broken by dialling while a socket is open, and by a second open one", async () => {
    const sentences = await found(({ world, say }) => {
      const clock = world.time.makeClock({ name: "node" })
      const request = { node: "node", nodeId: "", hostname: "", version: "" }
      const dial = () => world.network.dial({ request, address: world.address, clock }, () => {})
      say([0, dialled])
      dial()
      say([1, opened], [10, dialled])
      dial()
      say([11, opened])
    })
    assert.deepStrictEqual(
      sentences.filter((sentence) => sentence.startsWith("oneSocket")),
      ["oneSocket: dials while 1 of its sockets are still open", "oneSocket: has 2 sockets open, where one is allowed"]
    )
  })
})

describe("O(1) timers after n reconnects", () => {
  const timersAt = (growth: number) =>
    found(({ world, say }) =>
      Effect.gen(function* () {
        const machine = world.machine("node")
        yield* machine.start(Layer.empty)
        const clock = machine.process()?.clock
        for (let n = 0; n < 20; n++) {
          for (let more = 0; more < growth; more++) {
            if (clock !== undefined) world.fork(Effect.provideService(Effect.sleep("1 day"), Clock.Clock, clock))
          }
          say([n * 7, dialled], [n * 7, failed()])
        }
      })
    )

  it("is broken by timers that pile up, and only by those", async () => {
    assert.match((await timersAt(1))[0] ?? "", /^fewTimers: has \d+ timers pending at dial \d+, where \d+ were enough/)
    assert.deepStrictEqual(await timersAt(0), [])
  })
})

describe("every delay lies in [5, 10) s", () => {
  it("holds at its borders, after an end and after a failed dial, and for the first dial of a process", async () => {
    assert.deepStrictEqual(
      await told(
        [0, { _tag: "Started" }],
        [0, dialled],
        [1, failed()],
        [6, dialled],
        [7, failed()],
        [16.999, dialled],
        [17, opened],
        [18, ended("peer")],
        [19, { _tag: "Stopped", how: "killed" }],
        [20, { _tag: "Started" }],
        [20, dialled]
      ),
      []
    )
  })

  it("is broken by a dial that is too early or too late", async () => {
    const early = await told([0, dialled], [1, failed()], [5.9, dialled])
    assert.deepStrictEqual(early, [
      "reconnectDelay: dialled 4.900 s after it lost its control plane, where 5.000 s to 10.000 s are the contract"
    ])
    assert.lengthOf(await told([0, dialled], [1, failed()], [11.1, dialled]), 1)
  })

  it("gives way to a refusal's time, up to a cap", async () => {
    assert.deepStrictEqual(await told([0, dialled], [1, failed(60_000)], [62, dialled]), [])
    assert.deepStrictEqual(await told([0, dialled], [1, failed(3_600_000)], [301.5, dialled]), [])
    assert.deepStrictEqual(await told([0, dialled], [1, failed(60_000)], [50, dialled]), [
      "reconnectDelay: dialled 49.000 s after it was asked to wait 60.000 s"
    ])
  })

  it("is that of the policy that an embedder names", async () => {
    const ownBounds = [reconnectDelayWithin({ minMs: 100, maxMs: 200, retryAfterMaxMs: 1_000 })]
    const dialledAfter = (seconds: number) =>
      found(({ say }) => say([0, dialled], [1, failed()], [1 + seconds, dialled]), ownBounds)
    assert.deepStrictEqual(await dialledAfter(0.15), [])
    assert.lengthOf(await dialledAfter(5), 1)
    assert.lengthOf(await found(({ say }) => say([0, dialled], [1, failed()], [1.15, dialled]), [reconnectDelay]), 1)
  })
})

describe("45 s of silence end a session, and nothing else that a node does", () => {
  it("holds for a session that ends by its silence, by the other side, and by a stop", async () => {
    assert.deepStrictEqual(
      await told([0, opened], [30, pong], [75, ended("node")], [82, dialled], [83, opened], [84, ended("peer")]),
      []
    )
    assert.deepStrictEqual(
      await told(
        [0, opened],
        [1, pong],
        [2, { _tag: "Stopping" }],
        [2, ended("node")],
        [2, { _tag: "Stopped", how: "stopped" }]
      ),
      []
    )
  })

  it("is broken by ending a session that was alive, as over a payload that can't be read", async () => {
    assert.deepStrictEqual(await told([0, opened], [10, received(new Uint8Array(3))], [10, ended("node")]), [
      "silence: ended a session only 0.000 s after it heard of its control plane"
    ])
  })

  it("is broken by holding on to a dead one, which is told once", async () => {
    assert.deepStrictEqual(
      await told([0, opened], [10, pong], [56, announced(hashOf("0"))], [86, announced(hashOf("0"))]),
      ["silence: holds on to a session in which nothing has come for 46.000 s"]
    )
  })
})

describe("what is applied was pushed, was valid, and is nothing older", () => {
  it("holds for what a control plane pushed, for its own files, and for nothing", async () => {
    assert.deepStrictEqual(
      await found(({ world, say }) => {
        push(world, "a")
        push(world, "b")
        say([0, serves(hashOf("a"))], [1, serves(hashOf("b"))], [2, serves(hashOf("x"), "declarative_file")])
        say([3, { _tag: "Started" }], [3, serves(hashOf("a"), "disk")])
      }),
      []
    )
  })

  it("is broken by what nobody pushed, and by what was pushed with a flaw", async () => {
    const sentences = await found(({ world, say }) => {
      push(world, "f", "invalid")
      say([0, serves(hashOf("f"))], [1, serves(hashOf("g"), "disk")])
    })
    assert.deepStrictEqual(sentences, [
      `appliedWasPushed: serves ${hashOf("f")} from control_plane, which nobody pushed as a valid configuration`,
      `appliedWasPushed: serves ${hashOf("g")} from disk, which nobody pushed as a valid configuration`
    ])
  })

  it("is broken by going back within one process", async () => {
    const sentences = await found(({ world, say }) => {
      push(world, "a")
      push(world, "b")
      say([0, serves(hashOf("b"))], [1, serves(hashOf("a"))])
    })
    assert.deepStrictEqual(sentences, ["newerStays: went back from push 2 to push 1"])
  })
})

describe("a rejected version is reported once and not tried again", () => {
  const bad = Uint8Array.of(1)
  const worse = Uint8Array.of(2)
  const report = { _tag: "Sent", bytes: encodeErrorReport({ name: "bad", config_hash: hashOf("e") }) } as const

  it("holds when the same bytes come again and nothing comes of it", async () => {
    assert.deepStrictEqual(
      await told(
        [0, received(bad)],
        [1, rejected()],
        [1, report],
        [9, received(bad)],
        [12, received(worse)],
        [13, rejected()]
      ),
      []
    )
  })

  it("holds for a burst of which two are taken, and for other sources", async () => {
    assert.deepStrictEqual(
      await told([0, received(bad)], [0, received(worse)], [1, rejected()], [1, rejected()], [2, rejected("disk")]),
      []
    )
  })

  it("is broken by trying again, at once or when the same bytes come again", async () => {
    assert.deepStrictEqual(await told([0, received(bad)], [1, rejected()], [2, rejected()]), [
      "rejectedOnce: tried again what it had refused (bad)"
    ])
    assert.lengthOf(await told([0, received(bad)], [1, rejected()], [9, received(bad)], [9, rejected()]), 1)
  })

  it("is broken by a second report", async () => {
    assert.deepStrictEqual(await told([0, received(bad)], [1, rejected()], [1, report], [8, report]), [
      `rejectedOnce: reported the refusal of ${hashOf("e")} twice`
    ])
  })
})

describe("the announced hash is the applied hash", () => {
  it("holds, also while a swap is brought to the disk", async () => {
    assert.deepStrictEqual(
      await found(({ world, say }) => {
        push(world, "a")
        push(world, "b")
        say([0, serves(hashOf("a"))], [1, announced(hashOf("a"))])
        say([2, serves(hashOf("b"))], [6, announced(hashOf("a"), hashOf("b"))], [7, announced(hashOf("b"))])
      }),
      []
    )
  })

  it("is broken by the hash of something else, and by the former one for too long", async () => {
    const sentences = await found(({ world, say }) => {
      push(world, "a")
      push(world, "b")
      say([0, serves(hashOf("a"))], [1, announced(hashOf("z"), hashOf("a"))])
      say([2, serves(hashOf("b"))], [8, announced(hashOf("a"), hashOf("b"))])
    })
    assert.deepStrictEqual(sentences, [
      `announcedIsApplied: announced ${hashOf("z")} while it serves ${hashOf("a")}`,
      `announcedIsApplied: announced ${hashOf("a")} while it serves ${hashOf("b")} and has done so for 6.000 s`
    ])
  })
})

describe("a request sees one complete configuration", () => {
  const servesTable = (paths: number, compiledPaths: number): NodeHappening => {
    const decode = (routes: number) => {
      const decoded = decodeTable(tableOf(1, routes), testCatalogue)
      if (decoded._tag === "Wrong") throw new Error("expected a valid table")
      return decoded.table
    }
    const table = decode(paths)
    const snapshot = { table } as unknown as LiveState["snapshot"]
    return {
      _tag: "Serves",
      state: state(hashOf("a"), "declarative_file", snapshot),
      compiled: compileConfig(compiledPaths === paths ? table : decode(compiledPaths))
    }
  }

  it("holds when every route matches", async () => {
    assert.deepStrictEqual(await told([0, servesTable(3, 3)]), [])
  })

  it("is broken by a route that does not", async () => {
    assert.deepStrictEqual(await told([0, servesTable(3, 2)]), [
      `wholeConfig: is ready with ${hashOf("a")}, and a request to its route route-2 (/configuration-1/route-2) matches nothing`
    ])
  })
})

describe("after a restart nothing older than the last persisted announcement serves", () => {
  const restartedWith = (...after: ReadonlyArray<Told>) =>
    found(({ world, say }) => {
      push(world, "a")
      push(world, "b")
      push(world, "c")
      say([0, serves(hashOf("b"))], [1, announced(hashOf("b"))])
      say([2, serves(hashOf("c"))], [3, announced(hashOf("c"), hashOf("c"), false)])
      say([4, { _tag: "Stopped", how: "powerCut" }], [5, { _tag: "Started" }], ...after)
    })

  it("holds for the last persisted one and for anything newer", async () => {
    assert.deepStrictEqual(await restartedWith([5, serves(hashOf("b"), "disk")]), [])
    assert.deepStrictEqual(await restartedWith([5, serves(hashOf("c"), "disk")]), [])
  })

  it("is broken by anything older, and by nothing at all", async () => {
    assert.deepStrictEqual(await restartedWith([5, serves(hashOf("a"), "disk")]), [
      "persistence: came back with push 1, though it had announced push 2 as kept"
    ])
    assert.deepStrictEqual(await restartedWith([5, dialled]), [
      "persistence: came back with nothing, though it had announced push 2 as kept"
    ])
  })

  it("says nothing of a disk that somebody else has changed", async () => {
    assert.deepStrictEqual(await restartedWith([5, { _tag: "Tampered", what: "emptied" }], [5, dialled]), [])
  })
})
