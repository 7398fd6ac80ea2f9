/** A whole node that is watched in every way at once: scraped, logged, traced, exported. */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Logger } from "effect"
import * as NodeDisk from "../../src/layers/NodeDisk.ts"
import { DataPlane } from "../../src/programs/DataPlane.ts"
import { Disk } from "../../src/services/Disk.ts"
import { Proxy } from "../../src/services/Proxy.ts"
import { StatusListener } from "../../src/services/StatusListener.ts"
import { temporaryFolder } from "../support/folder.ts"
import { readPrometheus } from "../support/prometheusFormat.ts"

interface Heard {
  readonly path: string
  readonly traceparent: string | undefined
  readonly body: string
}

/** Upstream and collector in one: what it hears is what was sent. */
const server = Effect.gen(function* () {
  const heard: Array<Heard> = []
  const own = yield* Effect.acquireRelease(
    Effect.callback<ReturnType<typeof createServer>>((resume) => {
      const made = createServer((request, response) => {
        let body = ""
        request.on("data", (chunk: Buffer) => {
          body += chunk.toString()
        })
        request.on("end", () => {
          heard.push({ path: request.url ?? "", traceparent: String(request.headers.traceparent), body })
          response.end("hello")
        })
      }).listen(0, "127.0.0.1", () => resume(Effect.succeed(made)))
    }),
    (made) =>
      Effect.sync(() => {
        made.closeAllConnections()
        made.close()
      })
  )
  return { heard, port: (own.address() as AddressInfo).port }
})

describe("a node that is watched", () => {
  it.live("tells the same of a request to everybody", () =>
    Effect.gen(function* () {
      const prefix = yield* temporaryFolder
      const { heard, port } = yield* server
      const node = DataPlane.layer({
        settings: {
          prefix,
          proxy_listen: "127.0.0.1:0",
          status_listen: "127.0.0.1:0",
          proxy_access_log: "access.log",
          proxy_access_log_format: "json",
          tracing_instrumentations: "all",
          tracing_sampling_rate: "1",
          opentelemetry_traces_endpoint: `http://127.0.0.1:${port}/v1/traces`,
          opentelemetry_metrics_endpoint: `http://127.0.0.1:${port}/v1/metrics`,
          opentelemetry_protocol: "http/json",
          declarative_config_string: JSON.stringify({
            _format_version: "3.0",
            services: [{ name: "shop", host: "127.0.0.1", port, routes: [{ name: "all", paths: ["/shop"] }] }]
          })
        }
      })
      const text = yield* Effect.gen(function* () {
        const [proxy] = (yield* Proxy).addresses
        const [status] = (yield* StatusListener).addresses
        const ask = (at: number | undefined, path: string) =>
          Effect.promise(async () => (await fetch(`http://127.0.0.1:${at}${path}`)).text())
        assert.strictEqual(yield* ask(proxy?.port, "/shop/1?token=s3cret"), "hello")
        yield* ask(proxy?.port, "/nowhere")
        yield* Effect.sleep("50 millis")
        return yield* ask(status?.port, "/metrics")
      }).pipe(Effect.provide(node))
      const metrics = readPrometheus(text)
      assert.deepEqual(metrics.get("kong_http_requests_total")?.samples, [
        {
          name: "kong_http_requests_total",
          labels: { service: "shop", route: "all", code: "200", source: "service", workspace: "default", consumer: "" },
          value: 1
        }
      ])
      assert.strictEqual(metrics.get("holdfast_api_calls_total")?.samples[0]?.value, 1)
      assert.deepInclude(metrics.get("holdfast_unmatched_requests_total")?.samples[0], { value: 1 })
      const disk = yield* Disk.pipe(Effect.provide(NodeDisk.layer))
      const { bytes } = yield* disk.read(join(prefix, "access.log"), 100_000)
      const lines = new TextDecoder()
        .decode(bytes)
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as Record<string, unknown>)
      assert.deepEqual(
        lines.map(({ route, status, target }) => ({ route, status, target })),
        [
          { route: "all", status: 200, target: "/shop/1" },
          { route: undefined, status: 404, target: "/nowhere" }
        ]
      )
      const spans = heard.filter(({ path }) => path === "/v1/traces").map(({ body }) => body)
      const traceId = String(lines[0]?.trace_id)
      assert.include(spans.join(), traceId, "the access log names the trace")
      const asked = heard.find(({ path }) => path.startsWith("/1"))
      assert.match(asked?.traceparent ?? "", new RegExp(`^00-${traceId}-[0-9a-f]{16}-01$`))
      assert.isTrue(heard.some(({ path, body }) => path === "/v1/metrics" && body.includes("kong_node_info")))
      const told = [text, new TextDecoder().decode(bytes), ...spans]
      for (const all of told) assert.notInclude(all, "s3cret")
    }).pipe(Effect.scoped, Effect.provide(Logger.layer([])))
  )
})
