/**
 * The peer rung among neighbours that a test makes up: `DESIGN.md`, "The life of a node", 3; `resilience.md` §5.4, §5.5.
 * What goes over the wire is in `peerRequest.test.ts`.
 */
import { gzipSync } from "node:zlib"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger } from "effect"
import { TestClock } from "effect/testing"
import { makePeerRung } from "../../../src/layers/peer-rung/PeerRung.ts"
import { type PeerAnswer, PeerFailed, type PeerQuestion } from "../../../src/layers/peer-rung/peerRequest.ts"
import * as ZlibCompression from "../../../src/layers/ZlibCompression.ts"
import { encodeCachedTable } from "../../../src/model/CachedTable.ts"
import type { Standing } from "../../../src/model/ConfigOrder.ts"
import type { Row } from "../../../src/model/Entity.ts"
import { peerHeaders, standingHeaders } from "../../../src/model/PeerStanding.ts"
import { describeTable } from "../../../src/model/TableContent.ts"
import { Identity } from "../../../src/services/Identity.ts"
import { serveRung } from "../../../src/services/Ladder.ts"
import { LiveConfig } from "../../../src/services/LiveConfig.ts"
import { TrustedClock } from "../../../src/services/TrustedClock.ts"
import { goThrough, rungConformance } from "../../conformance/rung.ts"
import { joined, liveLayer, liveLayerFor } from "../../support/live.ts"
import { recordedLogs } from "../../support/recordedLogs.ts"
import { settingsLayer } from "../../support/settings.ts"
import { table } from "../../support/tables.ts"

/** A neighbour, as its own operator may change it. */
interface Neighbour {
  node: string
  /** Its answer in full; `undefined` while it is away. */
  answer: { status: number; headers: Readonly<Record<string, string>>; body: Uint8Array } | undefined
  /** It breaks off in the middle of a body. */
  breaksOff: boolean
  readonly asked: Array<PeerQuestion["method"]>
}

const hashOf = (digit: string): string => digit.repeat(32)

const envelope = (raw: Row, hash: string, standing: Standing = {}): Uint8Array => {
  const { epoch, sequence, issuedAtMs } = standing
  const provenance = {
    hash,
    source: "control_plane",
    receivedAtMs: 1,
    ...(epoch === undefined ? {} : { epoch }),
    ...(sequence === undefined ? {} : { sequence }),
    ...(issuedAtMs === undefined ? {} : { issuedAtMs })
  }
  return gzipSync(encodeCachedTable(describeTable(raw), provenance))
}

const answering = (body: Uint8Array, hash: string, standing: Standing = {}, etag = `"${hash}"`) => ({
  status: 200,
  headers: { ...standingHeaders({ ...standing, hash }), etag },
  body
})

const has = (path: string, digit: string, standing: Standing = {}) =>
  answering(envelope(table(path), hashOf(digit), standing), hashOf(digit), standing)

const makeNeighbour = (node: string, answer: Neighbour["answer"]): Neighbour => ({
  node,
  answer,
  breaksOff: false,
  asked: []
})

const broken = (message: string) => new PeerFailed({ message, mayBeCertificate: false })

const askIn =
  (neighbours: ReadonlyMap<string, Neighbour>) =>
  (to: { readonly host: string }, { method }: PeerQuestion) =>
    Effect.suspend((): Effect.Effect<PeerAnswer, PeerFailed> => {
      const neighbour = neighbours.get(to.host)
      neighbour?.asked.push(method)
      if (neighbour?.answer === undefined) return Effect.fail(broken("no connection"))
      if (method === "GET" && neighbour.breaksOff) return Effect.fail(broken("it broke off after 1 of 9 bytes"))
      const { status, headers, body } = neighbour.answer
      const all: Readonly<Record<string, string>> = { ...headers, [peerHeaders.node]: neighbour.node }
      return Effect.succeed({ status, header: (name) => all[name], body: method === "HEAD" ? new Uint8Array() : body })
    })

const ownNodeId = "own"

const rungOf = (neighbours: ReadonlyMap<string, Neighbour>, problems: ReadonlyArray<string> = []) =>
  makePeerRung(
    Effect.sync(() => ({
      peers: [...neighbours.keys()].map((host) => ({ host, port: 8006, serverName: "", name: `${host}:8006` })),
      problems
    })),
    askIn(neighbours)
  )

const services = Layer.mergeAll(
  ZlibCompression.layer,
  settingsLayer(joined),
  TrustedClock.layerWall,
  Layer.succeed(Identity, { nodeId: ownNodeId, hostname: "h", version: "3.9.0" })
)

const world = Layer.merge(services, liveLayer)

const test = (says: string, body: () => Effect.Effect<void, unknown, Layer.Success<typeof world>>) =>
  it.effect(says, () => body().pipe(Effect.provide(world), Effect.provide(Logger.layer([]))))

const all = () => true

rungConformance(
  "the peer rung",
  false,
  Effect.sync(() => {
    const neighbour = makeNeighbour("other", undefined)
    const neighbours = new Map([["a", neighbour]])
    let count = 0
    return {
      source: "peer" as const,
      start: rungOf(neighbours).pipe(Effect.provide(world)),
      put: (raw: Row) =>
        Effect.sync(() => {
          const hash = String(count++).padStart(32, "0")
          neighbour.answer = answering(envelope(raw, hash), hash)
        }),
      damage: Effect.sync(() => {
        if (neighbour.answer !== undefined) neighbour.answer = { ...neighbour.answer, body: Buffer.from("torn") }
      }),
      remove: Effect.sync(() => {
        neighbour.answer = undefined
      }),
      keepsRefused: true
    }
  })
)

describe("which neighbour's configuration is offered", () => {
  test("the newest first, then the next, and each once; those that have nothing are named", () =>
    Effect.gen(function* () {
      const neighbours = new Map([
        ["older", makeNeighbour("1", has("/older", "1", { epoch: "e", sequence: 1 }))],
        ["newest", makeNeighbour("2", has("/newest", "3", { epoch: "e", sequence: 3 }))],
        ["middle", makeNeighbour("3", has("/middle", "2", { epoch: "e", sequence: 2 }))],
        [
          "empty",
          makeNeighbour("4", { status: 404, headers: { [peerHeaders.reason]: "no\nroom" }, body: new Uint8Array() })
        ],
        ["away", makeNeighbour("5", undefined)]
      ])
      const went = yield* goThrough(yield* rungOf(neighbours, ["x can't be resolved"]), () => false)
      assert.deepEqual(went.offered, ["/newest", "/middle", "/older"])
      for (const part of [
        "x can't be resolved",
        "away:8006: no connection",
        "empty:8006: HTTP 404: no?room",
        "middle:8006: what it has is refused"
      ])
        assert.include(went.reason ?? "", part)
    }))

  test("a rollback counts as newer than what it is over", () =>
    Effect.gen(function* () {
      const rollbackOver = { epoch: "e", sequence: 5 }
      const neighbours = new Map([
        ["bad", makeNeighbour("1", has("/bad", "5", { epoch: "e", sequence: 5 }))],
        ["back", makeNeighbour("2", has("/back", "4", { epoch: "e", sequence: 4, rollbackOver }))]
      ])
      assert.strictEqual((yield* goThrough(yield* rungOf(neighbours), all)).serves, "/back")
    }))

  test("no node asks itself, or another one twice, by whatever address", () =>
    Effect.gen(function* () {
      const twin = has("/twin", "1")
      const neighbours = new Map([
        ["self", makeNeighbour(ownNodeId, has("/self", "9", { epoch: "e", sequence: 9 }))],
        ["v4", makeNeighbour("twin", twin)],
        ["v6", makeNeighbour("twin", twin)]
      ])
      assert.deepEqual((yield* goThrough(yield* rungOf(neighbours), () => false)).offered, ["/twin"])
      neighbours.delete("v4")
      neighbours.delete("v6")
      assert.match(
        (yield* goThrough(yield* rungOf(neighbours), all)).reason ?? "",
        /leads to no neighbour but this node/
      )
    }))

  test("of very many, so many at a time; what none has had a chance to say is said", () =>
    Effect.gen(function* () {
      const neighbours = new Map(
        Array.from({ length: 50 }, (_, n) => [`n${n}`, makeNeighbour(`${n}`, undefined)] as const)
      )
      const { reason } = yield* goThrough(yield* rungOf(neighbours), all)
      assert.match(reason ?? "", /and \d+ more$/)
      assert.strictEqual([...neighbours.values()].filter(({ asked }) => asked.length > 0).length, 32)
    }))

  test("of many that are all refused, four are fetched in one go and the others in the next", () =>
    Effect.gen(function* () {
      const neighbours = new Map(
        Array.from({ length: 6 }, (_, n) => [`n${n}`, makeNeighbour(`${n}`, has(`/${n}`, String(n)))] as const)
      )
      const rung = yield* rungOf(neighbours)
      assert.lengthOf((yield* goThrough(rung, () => false)).offered, 4)
      assert.lengthOf((yield* goThrough(rung, () => false)).offered, 2)
      assert.lengthOf((yield* goThrough(rung, () => false)).offered, 0)
    }))
})

describe("what was refused", () => {
  const torn = () => answering(Buffer.from("torn"), hashOf("1"))

  test("is neither fetched nor told again, until the neighbour has something else", () =>
    Effect.gen(function* () {
      const neighbour = makeNeighbour("other", torn())
      const rung = yield* rungOf(new Map([["a", neighbour]]))
      assert.strictEqual((yield* goThrough(rung, all)).unusable, 1)
      yield* TestClock.adjust("1 day")
      const again = yield* goThrough(rung, all)
      assert.deepInclude(again, { unusable: 0, serves: undefined })
      assert.match(again.reason ?? "", /a:8006: what it has was refused before/)
      assert.deepEqual(neighbour.asked, ["HEAD", "GET", "HEAD"])
      neighbour.answer = has("/b", "2")
      assert.strictEqual((yield* goThrough(rung, all)).serves, "/b")
    }))

  test("is tried again after five minutes where another day may let it serve", () =>
    Effect.gen(function* () {
      const neighbour = makeNeighbour("other", has("/a", "1"))
      const rung = yield* rungOf(new Map([["a", neighbour]]))
      const refuseFor = (mayServeYet: boolean) =>
        Effect.gen(function* () {
          const answer = yield* rung.offer
          if (answer._tag !== "Candidate") return answer._tag
          yield* answer.refused({ faults: [], ...(mayServeYet ? { mayServeYet: true } : {}) } as never)
          return "Candidate"
        })
      assert.strictEqual(yield* refuseFor(true), "Candidate")
      assert.strictEqual(yield* refuseFor(true), "Nothing")
      yield* TestClock.adjust("6 minutes")
      assert.strictEqual(yield* refuseFor(false), "Candidate")
      yield* TestClock.adjust("1 day")
      assert.strictEqual(yield* refuseFor(false), "Nothing")
    }))

  test("is told once by the ladder, however often it asks", () =>
    Effect.gen(function* () {
      const logs = recordedLogs()
      const rung = yield* rungOf(new Map([["a", makeNeighbour("other", torn())]]))
      const live = yield* LiveConfig
      yield* Effect.forEach([1, 2, 3, 4], () => serveRung(live, rung)).pipe(Effect.provide(logs.layer))
      assert.lengthOf(logs.lines, 1)
      assert.deepInclude(logs.lines[0], { message: "configuration rejected; the running one stays", stage: "gzip" })
    }))
})

describe("a neighbour that has something else each time", () => {
  const rounds = 180
  const roundSeconds = 7

  /** Rounds of an outage, with a neighbour whose answer nobody has seen before; how often it was fetched and told. */
  const outage = (body: (n: number) => Uint8Array) =>
    Effect.gen(function* () {
      const logs = recordedLogs()
      const neighbour = makeNeighbour("other", undefined)
      const rung = yield* rungOf(new Map([["a", neighbour]]))
      const live = yield* LiveConfig
      const fetchedAt: Array<number> = []
      for (let n = 0; n < rounds; n++) {
        neighbour.answer = answering(body(n), hashOf("1"), {}, `"${n}"`)
        const before = neighbour.asked.length
        yield* Effect.provide(serveRung(live, rung), logs.layer)
        if (neighbour.asked.slice(before).includes("GET")) fetchedAt.push(n * roundSeconds)
        yield* TestClock.adjust(`${roundSeconds} seconds`)
      }
      assert.lengthOf(neighbour.asked, rounds + fetchedAt.length, "where it stands is asked each time")
      assert.lengthOf(logs.of("configuration rejected; the running one stays"), fetchedAt.length)
      return { fetchedAt, neighbour, rung }
    })

  const gaps = (at: ReadonlyArray<number>) => at.slice(1).map((each, n) => each - (at[n] ?? 0))

  for (const [what, body] of [
    ["that can't be read", (n: number) => Buffer.from(`torn ${n}`)],
    ["that is wrong", (n: number) => gzipSync(JSON.stringify({ services: [{ name: `bad${n}` }] }))]
  ] as const)
    test(`${what} is fetched ever more seldom, every five minutes in the end`, () =>
      Effect.gen(function* () {
        const { fetchedAt } = yield* outage(body)
        // 10, 20, 40, 80, 160 and 300 s, each until the round after.
        assert.deepEqual(gaps(fetchedAt), [14, 21, 42, 84, 161, 301, 301, 301])
      }))

  test("is fetched once its time has come, and at once from then on", () =>
    Effect.gen(function* () {
      const { neighbour, rung } = yield* outage((n) => Buffer.from(`torn ${n}`))
      neighbour.answer = has("/right", "2")
      yield* TestClock.adjust("5 minutes")
      assert.strictEqual((yield* goThrough(rung, all)).serves, "/right")
      neighbour.answer = has("/next", "3")
      assert.strictEqual((yield* goThrough(rung, all)).serves, "/next")
    }))

  test("starts afresh when it was left alone for long", () =>
    Effect.gen(function* () {
      const { neighbour, rung } = yield* outage((n) => Buffer.from(`torn ${n}`))
      yield* TestClock.adjust("11 minutes")
      neighbour.answer = has("/wrong", "2")
      assert.deepEqual((yield* goThrough(rung, () => false)).offered, ["/wrong"])
      neighbour.answer = has("/right", "3")
      assert.match(
        (yield* goThrough(rung, all)).reason ?? "",
        /a:8006: what it had was refused; what it has now is fetched/
      )
      yield* TestClock.adjust("11 seconds")
      assert.strictEqual((yield* goThrough(rung, all)).serves, "/right")
    }))
})

describe("a transfer that breaks off", () => {
  test("is no verdict: the next neighbour is asked, and this one after all others the next time", () =>
    Effect.gen(function* () {
      const bad = makeNeighbour("1", has("/bad", "2", { epoch: "e", sequence: 2 }))
      const good = makeNeighbour("2", has("/good", "1", { epoch: "e", sequence: 1 }))
      bad.breaksOff = true
      const rung = yield* rungOf(
        new Map([
          ["bad", bad],
          ["good", good]
        ])
      )
      assert.deepInclude(yield* goThrough(rung, all), { serves: "/good", unusable: 0 })
      bad.breaksOff = false
      assert.strictEqual((yield* goThrough(rung, all)).serves, "/good", "it had trouble a moment ago")
      yield* TestClock.adjust("6 minutes")
      assert.strictEqual((yield* goThrough(rung, all)).serves, "/bad")
    }))
})

describe("beside what serves", () => {
  const serving = { epoch: "e", sequence: 5, issuedAtMs: 5 }

  const whileStorageServes = (neighbour: Neighbour) =>
    Effect.gen(function* () {
      const live = yield* LiveConfig
      yield* live.apply({ raw: table("/s"), source: "object_storage", hash: hashOf("5"), receivedAtMs: 1, ...serving })
      const rung = yield* rungOf(new Map([["a", neighbour]]))
      return yield* goThrough(rung, all)
    }).pipe(Effect.provide(Layer.merge(services, liveLayerFor(joined))), Effect.provide(Logger.layer([])))

  it.effect("what is older is not fetched, nor what serves already", () =>
    Effect.gen(function* () {
      const older = makeNeighbour("1", has("/old", "4", { epoch: "e", sequence: 4 }))
      assert.match((yield* whileStorageServes(older)).reason ?? "", /it has something older \(sequence 4 in epoch e\)/)
      assert.deepEqual(older.asked, ["HEAD"])
      const same = makeNeighbour("1", has("/s", "5", serving))
      assert.match((yield* whileStorageServes(same)).reason ?? "", /it has what serves/)
      assert.deepEqual(same.asked, ["HEAD"])
    })
  )

  it.effect("what is newer is offered", () =>
    Effect.gen(function* () {
      const newer = makeNeighbour("1", has("/new", "6", { epoch: "e", sequence: 6 }))
      assert.strictEqual((yield* whileStorageServes(newer)).serves, "/new")
    })
  )

  it.effect("what claims to be newer and is not is fetched once, not each time", () =>
    Effect.gen(function* () {
      const body = envelope(table("/old"), hashOf("4"), { epoch: "e", sequence: 4 })
      const liar = makeNeighbour("1", answering(body, hashOf("4"), { epoch: "e", sequence: 9 }))
      const live = yield* LiveConfig
      yield* live.apply({ raw: table("/s"), source: "object_storage", hash: hashOf("5"), receivedAtMs: 1, ...serving })
      const rung = yield* rungOf(new Map([["a", liar]]))
      for (const outcome of ["Outranked", "PassedOver", "PassedOver"] as const)
        assert.strictEqual((yield* serveRung(live, rung))._tag, outcome)
      assert.deepEqual(liar.asked, ["HEAD", "GET", "HEAD", "HEAD"])
    }).pipe(Effect.provide(world), Effect.provide(Logger.layer([])))
  )
})
