/** The control plane as its users meet it: durable, prompt, and shut to strangers. */
import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { connect } from "node:tls"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import {
  adminReady,
  ask,
  type Cluster,
  eventually,
  makeCluster,
  publish,
  type Running,
  run
} from "../support/processes.ts"

describe("the control plane (hybrid-protocol-v1.md §1.3, §8, §11)", () => {
  let cluster: Cluster
  let controlPlane: Running
  let nodes: ReadonlyArray<Awaited<ReturnType<Cluster["makeNode"]>>>
  beforeAll(async () => {
    cluster = await makeCluster()
    controlPlane = cluster.controlPlane()
    await adminReady(cluster)
    nodes = [await cluster.makeNode("one"), await cluster.makeNode("two")]
    for (const node of nodes) node.start()
    await publish(cluster, "echo", "/echo", await cluster.upstream("up"))
  })
  afterAll(() => cluster.close())

  const everywhere = (path: string, withinMs: number) =>
    Promise.all(
      nodes.map((node) =>
        eventually(
          `${path} is served`,
          withinMs,
          () => ask(`${node.proxy}${path}`),
          ({ status }) => status === 200
        )
      )
    )

  it("pushes every change to every node", async () => {
    await everywhere("/echo", 20_000)
    await publish(cluster, "other", "/other", await cluster.upstream("other"))
    await everywhere("/other", 1_000)
  })

  it("lists its nodes: connected, and running what they should", async () => {
    await eventually(
      "both nodes run the newest configuration",
      5_000,
      async () =>
        (await ask(`${cluster.admin}/clustering/data-planes`)).json() as {
          readonly data: ReadonlyArray<Record<string, unknown>>
        },
      ({ data }) =>
        data.length === 2 &&
        data.every((node) => node.connected === true && node.config_hash === node.expected_config_hash)
    )
  })

  it("delivers the last of a burst of 200 changes, everywhere", async () => {
    for (let i = 0; i < 200; i++) {
      const { status } = await ask(`${cluster.admin}/routes/echo`, {
        method: "PATCH",
        body: { paths: [`/burst-${i}`] }
      })
      assert.strictEqual(status, 200)
    }
    await everywhere("/burst-199", 2_000)
    for (const node of nodes) assert.strictEqual((await ask(`${node.proxy}/burst-198`)).status, 404)
  })

  it("keeps every change that it has acknowledged through kill -9", async () => {
    const names = Array.from({ length: 30 }, (_, i) => `kept-${i}`)
    for (const name of names) {
      const { status } = await ask(`${cluster.admin}/services`, { method: "POST", body: { name, host: "127.0.0.1" } })
      assert.strictEqual(status, 201)
    }
    await controlPlane.kill("SIGKILL")
    controlPlane = cluster.controlPlane()
    await adminReady(cluster)
    for (const name of names) assert.strictEqual((await ask(`${cluster.admin}/services/${name}`)).status, 200)
    assert.notInclude(controlPlane.log(), "ExperimentalWarning")
  })

  it("hangs up on a stranger without a word of HTTP", async () => {
    const socket = connect({
      host: "127.0.0.1",
      port: cluster.clusterPort,
      servername: "kong_clustering",
      rejectUnauthorized: false
    })
    const heard = await new Promise<string>((done) => {
      let text = ""
      socket.on("data", (chunk) => (text += chunk.toString()))
      socket.on("close", () => done(text))
      socket.on("error", () => {})
      socket.write(
        "GET /v1/outlet?node_id=a&node_hostname=b&node_version=3.9.0 HTTP/1.1\r\nHost: cp\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
      )
    })
    assert.strictEqual(heard, "")
    assert.match(controlPlane.log(), /certificate/)
  })

  it("refuses an admin listener that strangers could reach, without a token", async () => {
    const key = await readFile(join(cluster.folder, "certificates", "cluster.key"), "utf8")
    const refused = await run([], {
      ...cluster.shared,
      KONG_CLUSTER_CERT_KEY: key,
      KONG_ROLE: "control_plane",
      KONG_PREFIX: join(cluster.folder, "open"),
      KONG_ADMIN_LISTEN: "0.0.0.0:0",
      KONG_CLUSTER_LISTEN: "127.0.0.1:0"
    })
    assert.strictEqual(refused.code, 2)
    assert.match(refused.output, /admin_token/)
    assert.notInclude(refused.output, "PRIVATE KEY")
  })
})
