import { createServer } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { choosePorts, describeMovedPorts, otherPorts } from "../../../src/programs/stage/Ports.ts"

const areDistinct = (ports: object) => {
  const all = Object.values(ports)
  assert.strictEqual(new Set(all).size, all.length, JSON.stringify(ports))
}

/** A port of 127.0.0.1 that somebody has until the test ends. */
const takenPort = Effect.acquireRelease(
  Effect.callback<{ readonly port: number; readonly close: () => void }>((resume) => {
    const server = createServer()
    server.listen(0, "127.0.0.1", () => {
      const address = server.address()
      const port = typeof address === "object" && address !== null ? address.port : 0
      resume(Effect.succeed({ port, close: () => void server.close() }))
    })
  }),
  ({ close }) => Effect.sync(close)
)

describe("the ports of a stage", () => {
  it.live("are different ones, whatever the system gives out twice", () =>
    Effect.gen(function* () {
      for (let stage = 0; stage < 2_000; stage++) areDistinct(yield* otherPorts)
    })
  )

  it.live("are held until the last one is chosen: no second name gets a port that the first one has", () =>
    Effect.gen(function* () {
      const { free } = yield* choosePorts({ free: 0 })
      const ports = yield* choosePorts({ first: free, second: free })
      assert.strictEqual(ports.first, free)
      areDistinct(ports)
    })
  )

  it.live("are others where the wanted ones are taken", () =>
    Effect.gen(function* () {
      const { port } = yield* takenPort
      const ports = yield* choosePorts({ first: port, second: 0 })
      assert.notStrictEqual(ports.first, port)
      areDistinct(ports)
    })
  )

  it("of a quickstart are told where they are not the usual ones", () => {
    const usual = { proxy: 8000, status: 8007, admin: 8001, cluster: 8005, echo: 9000 }
    assert.deepEqual(describeMovedPorts(usual), [])
    assert.deepEqual(describeMovedPorts({ ...usual, proxy: 1 }), ["port 8000 is taken: proxy uses 1"])
  })
})
