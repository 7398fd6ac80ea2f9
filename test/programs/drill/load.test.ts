/** The traffic of a drill: a failure that is not counted would let a broken promise pass. */
import { createServer, type RequestListener } from "node:http"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { ApiCalls } from "../../../src/programs/drill/ApiCalls.ts"
import type { DrillRequest } from "../../../src/programs/drill/deriveRequests.ts"
import { answeredByEcho, eitherOf, makeLoad, refusedWith } from "../../../src/programs/drill/Load.ts"
import { eventually, StepFailed } from "../../../src/programs/stage/Probe.ts"

const requestTo = (path: string, method = "GET"): DrillRequest => ({
  routeId: "r",
  route: "r",
  method,
  path,
  headers: { host: "a.example.com" },
  isTls: false,
  serverName: undefined
})

const serverWith = (listener: RequestListener) =>
  Effect.acquireRelease(
    Effect.callback<{ readonly port: number; readonly close: () => void }>((resume) => {
      const server = createServer(listener)
      server.listen(0, "127.0.0.1", () => {
        const address = server.address()
        const close = () => {
          server.close()
          server.closeAllConnections()
        }
        resume(Effect.succeed({ port: typeof address === "object" && address !== null ? address.port : 0, close }))
      })
    }),
    ({ close }) => Effect.sync(close)
  )

const echo = '{"upstream":"echo"}'

describe("the load", () => {
  it.live("sends each request in turn, and counts what is not answered as it has to be, with reason and moment", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      const { port } = yield* serverWith((request, response) => {
        seen.push(`${request.method} ${request.url} ${request.headers.host}`)
        if (request.url === "/busy") response.writeHead(503).end('{"message":\n "busy"}')
        else if (request.url === "/torn") {
          response.writeHead(200, { "content-length": 100 }).write("half")
          setTimeout(() => response.destroy(), 5)
        } else response.end(request.method === "HEAD" ? undefined : echo)
      })
      const requests = [requestTo("/a"), requestTo("/busy"), requestTo("/head", "HEAD"), requestTo("/torn")]
      const load = yield* makeLoad({ port, tlsPort: 0, requests: () => requests, apiCalls: new ApiCalls() })
      yield* load.begin(answeredByEcho)
      yield* Effect.sleep("300 millis")
      yield* load.pause
      const { sent, failed } = load.counts()
      assert.isAtLeast(sent, 20)
      assert.strictEqual(seen.length, sent)
      assert.isAtMost(Math.abs(failed - sent / 2), 2)
      const groups = load.failures()
      assert.strictEqual(
        groups.reduce((sum, { count }) => sum + count, 0),
        failed
      )
      assert.sameMembers(
        groups.map(({ reason }) => reason),
        ['503 {"message": "busy"}', "the answer broke off: aborted"]
      )
      for (const { firstAtMs, lastAtMs } of groups) assert.isTrue(firstAtMs >= 0 && lastAtMs >= firstAtMs)
      assert.includeMembers(seen, ["GET /a a.example.com", "HEAD /head a.example.com"])
      yield* Effect.sleep("50 millis")
      assert.strictEqual(load.counts().sent, sent)
    })
  )

  it.live("takes refusals that differ in their request id alone for one failure, many times", () =>
    Effect.gen(function* () {
      let id = 0
      const { port } = yield* serverWith((request, response) => {
        const request_id = (id++).toString(16).padStart(32, "0")
        const message = "An invalid response was received"
        if (request.url === "/json") response.writeHead(502).end(JSON.stringify({ message, request_id }, null, 2))
        else response.writeHead(502).end(`${message}\nrequest_id: ${request_id}\n`)
      })
      const load = yield* makeLoad({
        port,
        tlsPort: 0,
        requests: () => [requestTo("/json"), requestTo("/text")],
        apiCalls: new ApiCalls()
      })
      yield* load.begin(answeredByEcho)
      yield* Effect.sleep("300 millis")
      yield* load.pause
      assert.isAtLeast(load.counts().failed, 10)
      assert.sameMembers(
        load.failures().map(({ reason }) => reason),
        [
          '502 { "message": "An invalid response was received", "request_id": "*" }',
          "502 An invalid response was received request_id: *"
        ]
      )
    })
  )

  it.live("tells a bounded number of failures apart, and still counts each", () =>
    Effect.gen(function* () {
      let count = 0
      const { port } = yield* serverWith((_, response) => response.writeHead(500).end(`answer ${count++}`))
      const load = yield* makeLoad({ port, tlsPort: 0, requests: () => [requestTo("/a")], apiCalls: new ApiCalls() })
      yield* load.begin(answeredByEcho)
      yield* eventually(
        10_000,
        Effect.suspend(() => (count >= 40 ? Effect.void : Effect.fail(new StepFailed({ reason: "few requests" }))))
      )
      yield* load.pause
      const groups = load.failures()
      assert.lengthOf(groups, 21)
      assert.strictEqual(groups.at(-1)?.reason, "other reasons")
      assert.strictEqual(
        groups.reduce((sum, group) => sum + group.count, 0),
        load.counts().failed
      )
    })
  )

  it.live("counts connections that are refused, and goes on", () =>
    Effect.gen(function* () {
      const { port, close } = yield* serverWith((_, response) => response.end(echo))
      const load = yield* makeLoad({ port, tlsPort: 0, requests: () => [requestTo("/a")], apiCalls: new ApiCalls() })
      yield* load.begin(answeredByEcho)
      yield* Effect.sleep("100 millis")
      assert.strictEqual(load.counts().failed, 0)
      close()
      yield* Effect.sleep("200 millis")
      yield* load.pause
      assert.isAtLeast(load.counts().failed, 10)
      assert.include(
        load.failures().map(({ reason }) => reason),
        "ECONNREFUSED"
      )
    })
  )

  it("expects one answer, or either of two while one gives way to the other", () => {
    const refused = refusedWith(503, "license expired")
    const answer = (status: number, body: string) => ({ status, body, method: "GET" })
    assert.isUndefined(refused.judge(answer(503, '{"message":"license expired"}')))
    assert.isDefined(refused.judge(answer(503, "busy")))
    assert.isDefined(answeredByEcho.judge(answer(200, "somebody else")))
    const either = eitherOf(answeredByEcho, refused)
    assert.isUndefined(either.judge(answer(200, echo)))
    assert.isUndefined(either.judge(answer(503, "license expired")))
    assert.strictEqual(either.judge(answer(502, "bad gateway")), "502 bad gateway")
  })
})
