/** Both planes in one process, with everything that a real one has between a request and what is billed for it. */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { startControlPlane, startDataPlane } from "../../src/index.ts"
import { writeClusterCertificate } from "../../src/programs/Certs.ts"
import { temporaryFolder } from "../support/folder.ts"

type Json = Record<string, unknown>

const json = async (url: string): Promise<Json> => (await (await fetch(url)).json()) as Json

const post = async (url: string, body: Json): Promise<void> => {
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body)
  })
  assert.strictEqual(response.status, 201, await response.text())
}

/** The value that is waited for; what there was instead, when it does not come. */
const eventually = async <A>(ask: () => Promise<A>, expected: A): Promise<void> => {
  const endMs = performance.now() + 40_000
  for (;;) {
    const found = await ask()
    if (found === expected) return
    if (performance.now() > endMs) return assert.strictEqual(found, expected)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

it.live(
  "what was served is billed, also what was served while the control plane was down and the node restarted since",
  () =>
    Effect.gen(function* () {
      const [folder, prefix] = [yield* temporaryFolder, yield* temporaryFolder]
      const { cert, key } = yield* writeClusterCertificate(folder, 1)
      yield* Effect.promise(async () => {
        const upstream = createServer((_, response) => response.end("hello")).listen(0, "127.0.0.1")
        await new Promise((resolve) => upstream.once("listening", resolve))
        const shared = { log_level: "crit", cluster_cert: cert, cluster_cert_key: key }
        const controlPlaneAt = (cluster_listen: string) =>
          startControlPlane({ ...shared, prefix: folder, admin_listen: "127.0.0.1:0", cluster_listen })
        const first = await controlPlaneAt("127.0.0.1:0")
        const cluster = `127.0.0.1:${first.addresses.cluster[0]?.port}`
        const startNode = () =>
          startDataPlane({
            ...shared,
            prefix,
            proxy_listen: "127.0.0.1:0",
            status_listen: "127.0.0.1:0",
            cluster_control_plane: cluster,
            cluster_reconnect_policy: "backoff",
            analytics_flush_interval: "0.2"
          })
        const adminOf = (plane: typeof first) => `http://127.0.0.1:${plane.addresses.admin[0]?.port}`
        const served = async (node: Awaited<ReturnType<typeof startNode>>, requests: number) => {
          const url = `http://127.0.0.1:${node.addresses.proxy[0]?.port}/shop`
          await eventually(async () => (await fetch(`${url}/probe`, { method: "HEAD" })).status, 200)
          for (let n = 0; n < requests; n++) assert.strictEqual(await (await fetch(url)).text(), "hello")
          return requests + 1
        }
        const billedAt = async (plane: typeof first) =>
          Number((await json(`${adminOf(plane)}/billing/usage`)).api_calls)

        await post(`${adminOf(first)}/services`, {
          name: "shop",
          host: "127.0.0.1",
          port: (upstream.address() as AddressInfo).port
        })
        await post(`${adminOf(first)}/services/shop/routes`, { name: "all", paths: ["/shop"] })
        const node = await startNode()
        let count = await served(node, 10)
        await eventually(() => billedAt(first), count)
        await first.close()
        count += await served(node, 7)
        await node.close()
        const again = await startNode()
        count += await served(again, 5)
        const second = await controlPlaneAt(cluster)
        await eventually(() => billedAt(second), count)
        const asked = `${adminOf(second)}/analytics/requests?by=route&step=3600`
        await eventually(async () => {
          const data = (await json(asked)).data as ReadonlyArray<Json>
          const all = data.filter(({ name }) => name === "all")
          return all.reduce((sum, { requests }) => sum + Number(requests), 0)
        }, count)
        const status = await json(`http://127.0.0.1:${again.addresses.status[0]?.port}/status`)
        assert.strictEqual((status.telemetry as Json).state, "connected")
        const usage = await json(`${adminOf(second)}/billing/usage`)
        assert.deepInclude(usage, { services: 1, api_calls: count, dev_portals: 0 })
        await again.close()
        await second.close()
        upstream.close()
      })
    }),
  90_000
)
