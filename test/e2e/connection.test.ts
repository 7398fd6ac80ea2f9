/** Connections that end in ugly ways. */
import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import {
  adminReady,
  ask,
  type Cluster,
  eventually,
  makeCluster,
  publish,
  type Running,
  run,
  sleep
} from "../support/processes.ts"

describe("the connection (hybrid-protocol-v1.md §1.2, §6; resilience.md §1, §7)", () => {
  let cluster: Cluster
  let controlPlane: Running
  let node: Awaited<ReturnType<Cluster["makeNode"]>>
  let dataPlane: Running
  beforeAll(async () => {
    cluster = await makeCluster()
    node = await cluster.makeNode("dp")
    controlPlane = cluster.controlPlane()
    await adminReady(cluster)
    await publish(cluster, "echo", "/echo", await cluster.upstream("up"))
    dataPlane = node.start()
    await eventually(
      "the route is served",
      20_000,
      () => ask(`${node.proxy}/echo`),
      ({ status }) => status === 200
    )
  })
  afterAll(() => cluster.close())

  const state = async () =>
    (
      (await ask(`${node.status}/status`)).json() as {
        readonly control_plane: { readonly state: string; readonly reason?: string }
      }
    ).control_plane

  it("notices a control plane that is there but silent, within 45 s and a little, and serves meanwhile", {
    timeout: 120_000
  }, async () => {
    controlPlane.child.kill("SIGSTOP")
    const stoppedAt = performance.now()
    const tookMs = await eventually(
      "the node gives up the session",
      60_000,
      state,
      ({ state }) => state === "disconnected"
    )
    // Its last frame was at most one ping interval old when the silence began.
    assert.isAbove(performance.now() - stoppedAt, 14_000, `gave up after ${tookMs} ms`)
    assert.match((await state()).reason ?? "", /nothing received for 45 s/)
    assert.strictEqual((await ask(`${node.proxy}/echo`)).status, 200)
    controlPlane.child.kill("SIGCONT")
    await eventually("the node is back", 17_000, state, ({ state }) => state === "connected")
  })

  it("says once that the control plane is gone, not at every attempt", { timeout: 60_000 }, async () => {
    const before = dataPlane.log().length
    await controlPlane.kill("SIGKILL")
    await sleep(25_000)
    const lines = dataPlane
      .log()
      .slice(before)
      .split("\n")
      .filter((line) => line.includes("control plane"))
    // Its two connections are two states: the configuration's and, where something waits, telemetry's.
    const [telemetry, session] = [true, false].map((isTelemetry) =>
      lines.filter((line) => line.includes("telemetry can't be delivered") === isTelemetry)
    )
    assert.lengthOf(session ?? [], 1, lines.join("\n"))
    assert.isAtMost(telemetry?.length ?? 0, 1, lines.join("\n"))
  })

  it("does not start with another cluster's certificate beside the wrong key, and names both settings' faults", async () => {
    const elsewhere = join(cluster.folder, "elsewhere")
    assert.strictEqual((await run(["certs", "--out", elsewhere])).code, 0)
    const wrong = await run([], {
      KONG_ROLE: "data_plane",
      KONG_PREFIX: join(cluster.folder, "wrong"),
      KONG_PROXY_LISTEN: "127.0.0.1:0",
      KONG_STATUS_LISTEN: "127.0.0.1:0",
      KONG_CLUSTER_CONTROL_PLANE: `127.0.0.1:${cluster.clusterPort}`,
      KONG_CLUSTER_CERT: join(elsewhere, "cluster.crt"),
      KONG_CLUSTER_CERT_KEY: join(cluster.folder, "certificates", "cluster.key")
    })
    assert.strictEqual(wrong.code, 2)
    assert.match(wrong.output, /cluster_cert_key/)
  })

  it("goes on serving, refused, when it comes with another cluster's certificate", { timeout: 60_000 }, async () => {
    await dataPlane.kill("SIGKILL")
    controlPlane = cluster.controlPlane()
    await adminReady(cluster)
    const elsewhere = join(cluster.folder, "elsewhere")
    dataPlane = node.start({
      KONG_CLUSTER_CERT: join(elsewhere, "cluster.crt"),
      KONG_CLUSTER_CERT_KEY: join(elsewhere, "cluster.key")
    })
    await eventually(
      "the cache is served",
      15_000,
      () => ask(`${node.proxy}/echo`),
      ({ status }) => status === 200
    )
    await eventually("the refusal is told", 10_000, state, ({ state }) => state === "disconnected")
    assert.match((await state()).reason ?? "", /certificate|signed/)
  })
})
