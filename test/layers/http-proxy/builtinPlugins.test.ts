/** `request-termination` and `correlation-id` on real requests: behaviour of Kong's open-source plugins, 3.9. */
import http from "node:http"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { Row } from "../../../src/model/Entity.ts"
import { behind } from "./pluginSupport.ts"
import { get, id, send, startProxy, startUpstream } from "./support.ts"

const start = (name: string, config: Row = {}, more: ReadonlyArray<Row> = []) =>
  Effect.gen(function* () {
    const upstream = yield* startUpstream((request, response) => response.end(JSON.stringify(request.headers)))
    const plugins = [{ id: id(100), name, config }, ...more]
    return yield* startProxy(behind(upstream.port, [], { plugins }))
  })

describe("request-termination", () => {
  it.live.each([
    [{}, 503, '{"message":"Service unavailable"}', "application/json; charset=utf-8"],
    [{ status_code: 404 }, 404, '{"message":"Not found"}', "application/json; charset=utf-8"],
    [{ status_code: 418 }, 418, "", undefined],
    [{ status_code: 200, message: 'a "b"' }, 200, '{"message":"a \\"b\\""}', "application/json; charset=utf-8"],
    [{ status_code: 406, body: "<a>ü</a>", content_type: "text/xml" }, 406, "<a>ü</a>", "text/xml"],
    [{ body: "plain" }, 503, "plain", "text/plain"]
  ] as const)("%j answers %s %s", ([config, status, body, type]) =>
    Effect.gen(function* () {
      const { port } = yield* start("request-termination", config)
      const answer = yield* get(port)
      assert.deepStrictEqual([answer.status, answer.body, answer.headers["content-type"]], [status, body, type])
      assert.strictEqual(answer.headers["content-length"], String(Buffer.byteLength(body)))
    })
  )

  it.live("answers only requests with its trigger, in a header or the query", () =>
    Effect.gen(function* () {
      const { port } = yield* start("request-termination", { trigger: "X-Stop" })
      const answers = yield* Effect.all([
        get(port),
        get(port, "/", { "x-stop": "" }),
        get(port, "/?X-Stop"),
        get(port, "/?x-stop")
      ])
      assert.deepStrictEqual(
        answers.map(({ status }) => status),
        [200, 503, 503, 200]
      )
    })
  )

  it.live("echoes the request, its body included", () =>
    Effect.gen(function* () {
      const { port } = yield* start("request-termination", { echo: true, status_code: 200, message: "m" })
      const headers = { Host: "Echo.Test:81", "Content-Type": "application/json", "X-A": ["1", "2"] }
      const answer = yield* Effect.promise(() =>
        send(port, { path: "/p/../q?a=1&b&a=2", method: "POST", headers }, '{"x":1}')
      )
      assert.deepStrictEqual([answer.status, answer.headers["content-type"]], [200, "application/json; charset=utf-8"])
      const { kong, matched_route: route, matched_service: service, message, request } = JSON.parse(answer.body)
      assert.deepStrictEqual(kong, { node_id: id(900), worker_pid: process.pid, hostname: "gateway.test" })
      assert.deepStrictEqual([message, route.id, route.service, service.id], ["m", id(2), { id: id(1) }, id(1)])
      assert.deepStrictEqual(request.headers["x-a"], ["1", "2"])
      assert.deepStrictEqual(
        { ...request, headers: undefined },
        {
          ...{ scheme: "http", host: "echo.test", port: 81, method: "POST", path: "/q", headers: undefined },
          ...{ query: { a: ["1", "2"], b: true }, body: { x: 1 }, raw_body: '{"x":1}' }
        }
      )
    })
  )

  it.live("never serves a status that ends no request", () =>
    Effect.gen(function* () {
      const { port } = yield* start("request-termination", { status_code: 100 })
      assert.strictEqual((yield* get(port)).status, 500)
    })
  )
})

describe("correlation-id", () => {
  const uuid = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"

  it.live("gives each request an id, counting under one name, and keeps what the client sent", () =>
    Effect.gen(function* () {
      const { port } = yield* start("correlation-id")
      const sent = (headers: http.OutgoingHttpHeaders = {}) =>
        Effect.map(get(port, "/", headers), (answer) => {
          assert.strictEqual(answer.headers["kong-request-id"], undefined)
          return String(JSON.parse(answer.body)["kong-request-id"])
        })
      const ids = [yield* sent(), yield* sent({ "Kong-Request-ID": "" }), yield* sent({ "kong-request-id": "mine" })]
      assert.match(ids.join(), new RegExp(`^(${uuid})#1,\\1#2,mine$`))
    })
  )

  it.live("of a uuid or of a tracker, told to the client where asked, an answer of another plugin's included", () =>
    Effect.gen(function* () {
      const config = { generator: "uuid", header_name: "X-Id", echo_downstream: true }
      const { port } = yield* start("correlation-id", config, [
        { id: id(101), name: "request-termination", config: { trigger: "X-Stop" } }
      ])
      const answer = yield* get(port)
      assert.match(String(answer.headers["x-id"]), new RegExp(`^${uuid}$`))
      assert.strictEqual(JSON.parse(answer.body)["x-id"], answer.headers["x-id"])
      const mine = yield* get(port, "/", { "X-Id": "mine", "X-Stop": "1" })
      assert.deepStrictEqual([mine.status, mine.headers["x-id"]], [503, "mine"])
    })
  )

  it.live("takes the first of several ids that the client sent, as the original does", () =>
    Effect.gen(function* () {
      const { port } = yield* start("correlation-id", { header_name: "X-Id", echo_downstream: true })
      const first = yield* get(port, "/", { "X-Id": ["one", "two"] })
      assert.strictEqual(first.headers["x-id"], "one")
      const empty = yield* get(port, "/", { "X-Id": ["", "two"] })
      assert.match(String(empty.headers["x-id"]), new RegExp(`^${uuid}#1$`))
      assert.strictEqual(JSON.parse(empty.body)["x-id"], empty.headers["x-id"])
    })
  )

  it.live("a tracker counts connections and their requests", () =>
    Effect.gen(function* () {
      const { port } = yield* start("correlation-id", { generator: "tracker", echo_downstream: true })
      const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
      const ids: Array<string> = []
      for (const given of [agent, agent, false] as const) {
        const answer = yield* Effect.promise(() => send(port, { agent: given }))
        ids.push(String(answer.headers["kong-request-id"]))
      }
      agent.destroy()
      const pattern = (serial: number, requests: number) =>
        new RegExp(`^127\\.0\\.0\\.1-${port}-${process.pid}-${serial}-${requests}-\\d+\\.\\d{3}$`)
      assert.match(ids[0] ?? "", pattern(1, 1))
      assert.match(ids[1] ?? "", pattern(1, 2))
      assert.match(ids[2] ?? "", pattern(2, 1))
    })
  )
})
