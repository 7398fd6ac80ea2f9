/** What a person does to a running node: reload, replace the cache by hand, drain (resilience.md §4, proxy-behaviour.md §11). */
import { mkdir, readFile, rename, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { gunzipSync, gzipSync } from "node:zlib"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import {
  adminReady,
  ask,
  type Cluster,
  eventually,
  makeCluster,
  publish,
  type Running,
  readiness,
  sleep
} from "../support/processes.ts"

const answers = (url: string, expected: string, withinMs: number) =>
  eventually(
    `${url} answers ${expected}`,
    withinMs,
    () => ask(url),
    ({ text }) => text === expected
  )

const yaml = (port: number, path: string) => `_format_version: "3.0"
services:
  - name: s
    host: 127.0.0.1
    port: ${port}
    routes:
      - name: r
        paths: [${path}]
`

describe("a node on its own (resilience.md §3, §4; proxy-behaviour.md §11)", () => {
  let cluster: Cluster
  let port: number
  beforeAll(async () => {
    cluster = await makeCluster()
    port = await cluster.upstream("up")
  })
  afterAll(() => cluster.close())

  const alone = async (name: string, env: Readonly<Record<string, string>> = {}) => {
    const node = await cluster.makeNode(name)
    const file = join(cluster.folder, `${name}.yml`)
    await writeFile(file, yaml(port, "/a"))
    const running = node.start({ KONG_DECLARATIVE_CONFIG: file, KONG_CLUSTER_CONTROL_PLANE: "", ...env })
    await answers(`${node.proxy}/a/x`, "up /x", 15_000)
    return { node, file, running }
  }

  it("reads its file again on SIGHUP; a bad one leaves the old one serving, every fault told with line and column", async () => {
    const { node, file, running } = await alone("hangup")
    await writeFile(file, yaml(port, "/b"))
    running.child.kill("SIGHUP")
    await answers(`${node.proxy}/b/x`, "up /x", 2_000)
    assert.strictEqual((await ask(`${node.proxy}/a/x`)).status, 404)
    await writeFile(file, `${yaml(0, "/c").replace("port: 0", "port: 99999")}plugs: []\n`)
    running.child.kill("SIGHUP")
    await eventually(
      "the status tells",
      2_000,
      async () => (await ask(`${node.status}/status`)).text,
      (text) => text.includes("hangup.yml:5:5") && text.includes("hangup.yml:9:1")
    )
    assert.match(running.log(), /hangup\.yml:5:5: services\[0\]\.port: expected/)
    assert.strictEqual((await ask(`${node.proxy}/b/x`)).text, "up /x")
    assert.strictEqual((await readiness(node)()).status, 200)
    await running.kill("SIGTERM")
  })

  it("follows its file when asked to, however it is replaced", async () => {
    const { node, file, running } = await alone("watch", { KONG_DECLARATIVE_CONFIG_WATCH: "on" })
    await writeFile(`${file}.new`, yaml(port, "/b"))
    await rename(`${file}.new`, file)
    await answers(`${node.proxy}/b/x`, "up /x", 2_000)
    await running.kill("SIGTERM")
  })

  it("drains when it is told to over the status API, and serves on meanwhile", async () => {
    const { node, running } = await alone("drain")
    const drain = { method: "POST", body: { status: "draining" } }
    assert.strictEqual((await ask(`${node.status}/status/ready`, drain)).status, 204)
    const { status, text } = await readiness(node)()
    assert.strictEqual(status, 503)
    assert.include(text, '"message":"draining"')
    assert.strictEqual((await ask(`${node.proxy}/a/x`)).status, 200)
    await running.kill("SIGTERM")
  })
})

describe("a node whose control plane is gone (resilience.md §4)", () => {
  let cluster: Cluster
  let node: Awaited<ReturnType<Cluster["makeNode"]>>
  let running: Running
  let controlPlane: Running
  let byHand: number
  beforeAll(async () => {
    cluster = await makeCluster()
    controlPlane = cluster.controlPlane()
    await adminReady(cluster)
    node = await cluster.makeNode("dp")
    running = node.start()
    await publish(cluster, "echo", "/echo", await cluster.upstream("up"))
    byHand = await cluster.upstream("hand")
    await answers(`${node.proxy}/echo/a`, "up /a", 15_000)
  })
  afterAll(() => cluster.close())

  const put = async (path: string) => {
    const table = {
      _format_version: "3.0",
      services: [{ id: "11111111-1111-4111-8111-111111111111", name: "h", host: "127.0.0.1", port: byHand }],
      routes: [
        {
          id: "22222222-2222-4222-8222-222222222222",
          name: "h",
          service: "11111111-1111-4111-8111-111111111111",
          paths: [path]
        }
      ]
    }
    await mkdir(node.prefix, { recursive: true })
    await writeFile(node.cache, gzipSync(JSON.stringify(table)))
  }
  const told = (pattern: RegExp) =>
    eventually(
      `${pattern}`,
      3_000,
      async () => running.log(),
      (log) => pattern.test(log)
    )

  /** The swap comes first, then the file. */
  const cached = () =>
    eventually(
      "the cache holds the control plane's configuration",
      3_000,
      async () => gunzipSync(await readFile(node.cache)).toString(),
      (text) => text.includes('"/echo"')
    )

  it("leaves the file alone while the session lives", async () => {
    await cached()
    // Its own files are not there to be reloaded; a signal that is meant for the others must not end it.
    controlPlane.child.kill("SIGHUP")
    await put("/early")
    await told(/left alone while the control plane is connected/)
    assert.strictEqual((await ask(`${node.proxy}/early/x`)).status, 404)
  })

  it("serves what a person puts in the place of the cache, within two seconds", async () => {
    assert.match(controlPlane.log(), /SIGHUP ignored/)
    await controlPlane.kill("SIGKILL")
    await told(/control plane lost/)
    await sleep(1_100)
    assert.strictEqual((await ask(`${node.proxy}/echo/x`)).text, "up /x", "being alone changes nothing")
    await put("/hand")
    await answers(`${node.proxy}/hand/x`, "hand /x", 2_000)
    assert.strictEqual((await ask(`${node.proxy}/echo/x`)).status, 404)
    assert.include((await readiness(node)()).text, '"source":"disk"')
    await writeFile(node.cache, "no gzip")
    await told(/config\.json\.gz: gzip: expected gzip/)
    assert.strictEqual((await ask(`${node.proxy}/hand/x`)).text, "hand /x")
  })

  it("serves its control plane's configuration again once that is back, and caches it", async () => {
    cluster.controlPlane()
    await adminReady(cluster)
    await answers(`${node.proxy}/echo/x`, "up /x", 11_000)
    assert.strictEqual((await ask(`${node.proxy}/hand/x`)).status, 404)
    await cached()
    await running.kill("SIGKILL")
    running = node.start({ KONG_CLUSTER_CONTROL_PLANE: "127.0.0.1:1" })
    await answers(`${node.proxy}/echo/x`, "up /x", 15_000)
  })
})
