/** Two nodes in one process, from settings alone. */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { StartError, startControlPlane, startDataPlane } from "../../src/index.ts"
import { writeClusterCertificate } from "../../src/programs/Certs.ts"
import { temporaryFolder } from "../support/folder.ts"

describe("the library without Effect", () => {
  it.live("serves a declarative file, and closes", () =>
    Effect.gen(function* () {
      const prefix = yield* temporaryFolder
      yield* Effect.promise(async () => {
        const upstream = createServer((_, response) => response.end("hello")).listen(0, "127.0.0.1")
        await new Promise((resolve) => upstream.once("listening", resolve))
        const { port } = upstream.address() as AddressInfo
        const node = await startDataPlane({
          prefix,
          log_level: "crit",
          proxy_listen: "127.0.0.1:0",
          status_listen: "127.0.0.1:0",
          declarative_config_string: JSON.stringify({
            _format_version: "3.0",
            services: [{ name: "s", host: "127.0.0.1", port, routes: [{ name: "r", paths: ["/"] }] }]
          })
        })
        const url = `http://127.0.0.1:${node.addresses.proxy[0]?.port}/`
        assert.strictEqual(await (await fetch(url)).text(), "hello")
        await node.close()
        upstream.close()
        const after = await fetch(url).then(
          () => "answered",
          () => "refused"
        )
        assert.strictEqual(after, "refused")
      })
    })
  )

  it.live("runs both planes in one process", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const { cert, key } = yield* writeClusterCertificate(folder, 1)
      yield* Effect.promise(async () => {
        const shared = { prefix: folder, log_level: "crit", cluster_cert: cert, cluster_cert_key: key }
        const controlPlane = await startControlPlane({
          ...shared,
          admin_listen: "127.0.0.1:0",
          cluster_listen: "127.0.0.1:0"
        })
        const dataPlane = await startDataPlane({
          ...shared,
          proxy_listen: "127.0.0.1:0",
          status_listen: "127.0.0.1:0",
          cluster_control_plane: `127.0.0.1:${controlPlane.addresses.cluster[0]?.port}`
        })
        assert.isAbove(dataPlane.addresses.status[0]?.port ?? 0, 0)
        await dataPlane.close()
        await controlPlane.close()
      })
    })
  )

  it.live("that can't start leaves nothing behind, and says why", () =>
    Effect.gen(function* () {
      const prefix = yield* temporaryFolder
      yield* Effect.promise(async () => {
        const occupant = createServer().listen(0, "127.0.0.1")
        const other = createServer().listen(0, "127.0.0.1")
        await Promise.all(
          [occupant, other].map((server) => new Promise((resolve) => server.once("listening", resolve)))
        )
        const taken = (occupant.address() as AddressInfo).port
        const free = (other.address() as AddressInfo).port
        await new Promise((resolve) => other.close(resolve))
        const settings = {
          prefix,
          log_level: "crit",
          proxy_listen: `127.0.0.1:${taken}`,
          status_listen: `127.0.0.1:${free}`
        }
        const refused = await startDataPlane(settings).catch((error: unknown) => error)
        occupant.close()
        assert.instanceOf(refused, StartError)
        assert.deepStrictEqual(refused instanceof StartError && refused.faults.map(({ path }) => path), [
          ["proxy_listen"]
        ])
        const listening = await fetch(`http://127.0.0.1:${free}/status`).then(
          () => true,
          () => false
        )
        assert.isFalse(listening, "the status listener, which had opened already, is closed")
      })
    })
  )

  it.live("touches nothing of its host process, and closes as often as asked", () =>
    Effect.gen(function* () {
      const prefix = yield* temporaryFolder
      yield* Effect.promise(async () => {
        const handlers = () => process.eventNames().map((name) => [name, process.listenerCount(name)])
        const before = handlers()
        const node = await startDataPlane({
          prefix,
          log_level: "crit",
          proxy_listen: "127.0.0.1:0",
          status_listen: "127.0.0.1:0"
        })
        assert.deepStrictEqual(handlers(), before)
        await Promise.all([node.close(), node.close()])
        await node.close()
        assert.deepStrictEqual(handlers(), before)
      })
    })
  )

  it("rejects with every fault", async () => {
    const refused = await startDataPlane({ proxy_listen: "x", log_level: "loud" }).catch(
      (error: Error) => error.message
    )
    assert.match(String(refused), /^log_level: .*\nproxy_listen: /)
  })
})
