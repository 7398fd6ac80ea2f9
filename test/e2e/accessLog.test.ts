/** The access log of a real process: to a reader, to a file that logrotate moves away, and beside a reader that stalls. */
import { readFileSync, renameSync } from "node:fs"
import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { ask, type Cluster, eventually, hammer, makeCluster, readiness } from "../support/processes.ts"

const textOf = (path: string): string => {
  try {
    return readFileSync(path, "utf8")
  } catch {
    return ""
  }
}

describe("the access log of a node", () => {
  let cluster: Cluster
  let text: string
  beforeAll(async () => {
    cluster = await makeCluster()
    const port = await cluster.upstream("up")
    text = JSON.stringify({
      _format_version: "3.0",
      services: [{ name: "s", host: "127.0.0.1", port, routes: [{ name: "r", paths: ["/"] }] }]
    })
  })
  afterAll(() => cluster.close())

  const startNode = async (name: string, env: Readonly<Record<string, string>>) => {
    const node = await cluster.makeNode(name)
    const started = node.start({ KONG_DECLARATIVE_CONFIG_STRING: text, KONG_CLUSTER_CONTROL_PLANE: "", ...env })
    await eventually("the node is ready", 15_000, readiness(node), ({ status }) => status === 200)
    return { node, started }
  }

  it("goes on in a new file on SIGUSR1, and loses no line over it", async () => {
    const { node, started } = await startNode("rotated", { KONG_PROXY_ACCESS_LOG: "logs/access.log" })
    const path = join(node.prefix, "logs/access.log")
    await ask(`${node.proxy}/before?token=secret`)
    await eventually(
      "the first line is written",
      5_000,
      async () => textOf(path),
      (found) => found.includes('"GET /before HTTP/1.1" 200')
    )
    renameSync(path, `${path}.1`)
    await ask(`${node.proxy}/between`)
    started.child.kill("SIGUSR1")
    await eventually(
      "it is heard",
      5_000,
      async () => started.log(),
      (log) => log.includes("SIGUSR1: opening the access log anew")
    )
    await ask(`${node.proxy}/after`)
    await started.kill("SIGTERM")
    const whole = `${textOf(`${path}.1`)}${textOf(path)}`
    assert.match(whole, /"GET \/before .*\n.*"GET \/between .*\n.*"GET \/after .*\n$/)
    assert.include(textOf(path), "/after")
    assert.notInclude(whole, "secret")
  })

  it("is JSON on standard output, one line for each request", async () => {
    const { node, started } = await startNode("piped", {
      KONG_PROXY_ACCESS_LOG: "/dev/stdout",
      KONG_PROXY_ACCESS_LOG_FORMAT: "json"
    })
    const { failures } = await hammer(`${node.proxy}/x`, 200, ({ status }) => status === 200)
    assert.deepEqual(failures, [])
    await started.kill("SIGTERM")
    const lines = started
      .log()
      .split("\n")
      .filter((line) => line.includes('"target":"/x"'))
      .map((line) => JSON.parse(line) as { readonly request_id: string; readonly route: string })
    assert.strictEqual(new Set(lines.map(({ request_id }) => request_id)).size, 200)
    assert.isTrue(lines.every(({ route }) => route === "r"))
  })

  it("stops no request when its reader stalls, and counts what it loses", { timeout: 60_000 }, async () => {
    const { node, started } = await startNode("stalled", { KONG_PROXY_ACCESS_LOG: "/dev/stdout" })
    started.child.stdout?.pause()
    const target = `${node.proxy}/${"x".repeat(7_000)}`
    const { failures } = await hammer(target, 1_500, ({ status }) => status === 200)
    assert.deepEqual(failures, [])
    const { text: metrics } = await ask(`${node.status}/metrics`)
    assert.isAbove(Number(/^holdfast_access_log_dropped_total (\d+)$/m.exec(metrics)?.[1]), 0)
    started.child.stdout?.resume()
    await started.kill("SIGTERM")
  })

  it("shares standard error with the log of the node: both go on when a reader that stalled reads again", {
    timeout: 60_000
  }, async () => {
    const { node, started } = await startNode("shared", { KONG_PROXY_ACCESS_LOG: "/dev/stderr" })
    started.child.stderr?.pause()
    for (let turn = 0; turn < 20; turn++) {
      await hammer(`${node.proxy}/${"x".repeat(3_000)}`, 30, ({ status }) => status === 200)
      started.child.kill("SIGUSR1")
    }
    started.child.stderr?.resume()
    await ask(`${node.proxy}/late`)
    await eventually(
      "the line of a late request",
      10_000,
      async () => started.log(),
      (log) => log.includes("GET /late ")
    )
    const told = () => started.log().split("SIGUSR1: opening the access log anew").length
    const before = told()
    started.child.kill("SIGUSR1")
    await eventually(
      "a late line of the log",
      10_000,
      async () => told(),
      (count) => count > before
    )
    await started.kill("SIGTERM")
  })
})
