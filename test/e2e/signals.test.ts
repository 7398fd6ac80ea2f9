/** Ending a node: politely, at once, and with wrong settings. */
import { once } from "node:events"
import { connect } from "node:net"
import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { ask, type Cluster, eventually, makeCluster, readiness, run, sleep } from "../support/processes.ts"

describe("signals, settings and exit codes (hybrid-protocol-v1.md §13)", () => {
  let cluster: Cluster
  let node: Awaited<ReturnType<Cluster["makeNode"]>>
  let text: string
  beforeAll(async () => {
    cluster = await makeCluster()
    node = await cluster.makeNode("dp")
    const port = await cluster.upstream("slow", 1_500)
    text = JSON.stringify({
      _format_version: "3.0",
      services: [{ name: "s", host: "127.0.0.1", port, routes: [{ name: "r", paths: ["/"] }] }]
    })
  })
  afterAll(() => cluster.close())

  const startNode = async (env: Readonly<Record<string, string>> = {}) => {
    const dataPlane = node.start({ KONG_DECLARATIVE_CONFIG_STRING: text, ...env })
    await eventually("the node is ready", 15_000, readiness(node), ({ status }) => status === 200)
    return dataPlane
  }

  it("finishes what is in flight on SIGTERM, refuses what is new, exits 0", async () => {
    const dataPlane = await startNode()
    const inFlight = ask(`${node.proxy}/x`)
    await sleep(300)
    dataPlane.child.kill("SIGTERM")
    // The signal takes a moment to arrive; a request that is faster is in flight too, and rightly answered.
    await sleep(200)
    await eventually(
      "new connections are refused",
      1_000,
      () => ask(`${node.proxy}/y`).then(() => "answered", String),
      (answer) => /ECONNREFUSED/.test(answer)
    )
    assert.strictEqual((await inFlight).text, "slow /x")
    assert.deepEqual(await dataPlane.exit, { code: 0, signal: null })
    assert.notMatch(dataPlane.log(), /ERROR|Error:/)
  })

  it("ends at once at the second signal", async () => {
    const dataPlane = await startNode({ KONG_DRAIN_TIMEOUT: "60" })
    const inFlight = ask(`${node.proxy}/x`).catch(String)
    await sleep(200)
    const startedAt = performance.now()
    dataPlane.child.kill("SIGTERM")
    // Two signals at one instant are one wish: a terminal and a parent process both pass it on.
    await sleep(400)
    dataPlane.child.kill("SIGTERM")
    const { code } = await dataPlane.exit
    assert.notStrictEqual(code, 0)
    assert.isBelow(performance.now() - startedAt, 1_200)
    await inFlight
  })

  it("does not wait for idle or endless clients beyond the drain timeout", async () => {
    const dataPlane = await startNode({ KONG_DRAIN_TIMEOUT: "0.5" })
    const url = new URL(node.proxy)
    const idle = connect(Number(url.port), url.hostname)
    await once(idle, "connect")
    dataPlane.child.kill("SIGTERM")
    assert.deepEqual(await dataPlane.exit, { code: 0, signal: null })
    idle.destroy()
  })

  it("reports all bad settings together, with name, value and expectation, exit 2, no stack", async () => {
    const { code, output } = await run([], {
      KONG_ROLE: "king",
      KONG_PROXY_LISTEN: "everywhere",
      KONG_CLUSTER_MAX_PAYLOAD: "1",
      HOLDFAST_STATUS_LISTEN: "nowhere"
    })
    assert.strictEqual(code, 2)
    for (const name of ["role", "proxy_listen", "cluster_max_payload", "status_listen"]) assert.include(output, name)
    assert.include(output, '"king"')
    assert.notMatch(output, /\n\s+at /)
  })

  it("names the setting and the address when a port is taken, exit 1", async () => {
    const dataPlane = await startNode()
    const { code, output } = await run([], {
      KONG_PREFIX: join(cluster.folder, "second"),
      KONG_PROXY_LISTEN: new URL(node.proxy).host,
      KONG_STATUS_LISTEN: "127.0.0.1:0"
    })
    assert.strictEqual(code, 1)
    assert.match(output, /proxy_listen: .*in use/)
    assert.include(output, new URL(node.proxy).host)
    await dataPlane.kill("SIGTERM")
  })

  it("answers --help and --version, and refuses an unknown command with exit 2", async () => {
    assert.deepInclude(await run(["--help"]), { code: 0 })
    assert.match((await run(["--version"])).output, /\d+\.\d+\.\d+/)
    for (const command of ["data-plane", "control-plane", "quickstart", "certs"])
      assert.strictEqual((await run([command, "--help"])).code, 0)
    assert.strictEqual((await run(["dance"])).code, 2)
  })
})
