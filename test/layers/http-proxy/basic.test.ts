import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { get, oneRoute, startProxy, startUpstream } from "./support.ts"

it.live("a request reaches its upstream and the answer its client", () =>
  Effect.gen(function* () {
    const upstream = yield* startUpstream((request, response) => response.end(`${request.method} ${request.url}`))
    const { port } = yield* startProxy(oneRoute(upstream.port, { path: "/srv" }, { paths: ["/fee"] }))
    const answer = yield* get(port, "/fee/bar?a=1")
    assert.strictEqual(answer.status, 200)
    assert.strictEqual(answer.body, "GET /srv/bar?a=1")
  })
)
