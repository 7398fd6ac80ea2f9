/** A collector that sends us elsewhere, by a real client: what stands there is a login page more often than a collector. */
import { createServer } from "node:http"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { FetchHttpClient, HttpBody } from "effect/http"
import { makeUplink } from "../../../src/layers/opentelemetry/Uplink.ts"
import { settingsLayer } from "../../support/settings.ts"

const serve = Effect.acquireRelease(
  Effect.callback<{ readonly port: number; readonly asked: Array<string>; readonly close: () => void }>((resume) => {
    const asked: Array<string> = []
    const server = createServer((request, response) => {
      asked.push(`${request.method} ${request.url}`)
      if (request.url === "/elsewhere") return response.end("welcome")
      return response.writeHead(302, { location: "/elsewhere" }).end()
    })
    server.listen(0, "127.0.0.1", () => {
      const address = server.address()
      const port = typeof address === "object" && address !== null ? address.port : 0
      resume(Effect.succeed({ port, asked, close: () => server.close() }))
    })
  }),
  ({ close }) => Effect.sync(close)
)

describe("the way to a collector", () => {
  it.live("follows no redirect: spans that went to another page are not delivered", () =>
    Effect.gen(function* () {
      const { port, asked } = yield* serve
      const send = yield* makeUplink(`http://127.0.0.1:${port}/v1/traces`)
      const failure = yield* Effect.flip(send(HttpBody.text("{}", "application/json")))
      assert.strictEqual(failure.message, "the collector answered 302")
      assert.isFalse(failure.isPassing)
      assert.deepEqual(asked, ["POST /v1/traces"])
    }).pipe(Effect.scoped, Effect.provide(Layer.merge(FetchHttpClient.layer, settingsLayer({}))))
  )
})
