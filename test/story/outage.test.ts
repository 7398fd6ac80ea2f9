/**
 * The promise, with real processes, sockets and `kill -9`: a node joins, proxies, and survives losing its control
 * plane. Each step leans on the one before.
 */
import { rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import {
  adminReady,
  ask,
  type Cluster,
  eventually,
  hammer,
  makeCluster,
  publish,
  type Running,
  readiness
} from "../support/processes.ts"

describe("an outage, from join to return (konnect-network-resiliency.md; resilience.md §1, §3, §9)", () => {
  let cluster: Cluster
  let node: Awaited<ReturnType<Cluster["makeNode"]>>
  let controlPlane: Running
  let dataPlane: Running

  beforeAll(async () => {
    cluster = await makeCluster()
    node = await cluster.makeNode("dp")
  })
  afterAll(() => cluster.close())

  it("joins: a service and a route made by the admin API are served within 1 s", async () => {
    controlPlane = cluster.controlPlane()
    await adminReady(cluster)
    dataPlane = node.start()
    await eventually(
      "the node is connected",
      15_000,
      async () => (await ask(`${node.status}/status`)).text,
      (text) => text.includes('"state":"connected"')
    )
    await publish(cluster, "echo", "/echo", await cluster.upstream("first"))
    const pushedMs = await eventually(
      "the route is served",
      1_000,
      () => ask(`${node.proxy}/echo/hello`),
      ({ text }) => text === "first /hello"
    )
    console.info(`a new route is served ${Math.round(pushedMs)} ms after the admin API answered`)
    await eventually("the node is ready", 1_000, readiness(node), ({ status }) => status === 200)
  })

  it("loses its control plane to kill -9: 10,000 requests, 0 failures, still ready", async () => {
    await controlPlane.kill("SIGKILL")
    const { count, failures } = await hammer(
      `${node.proxy}/echo/x`,
      10_000,
      ({ status, text }) => status === 200 && text === "first /x"
    )
    console.info(`control plane killed: ${count} requests, ${failures.length} failures`)
    assert.deepEqual(failures, [])
    assert.strictEqual((await readiness(node)()).status, 200)
  })

  it("is killed and restarted while the control plane is dead: serves from its cache, ready", async () => {
    await dataPlane.kill("SIGKILL")
    dataPlane = node.start()
    const cacheMs = await eventually(
      "the cache is served",
      15_000,
      () => ask(`${node.proxy}/echo/y`),
      ({ text }) => text === "first /y"
    )
    console.info(`restarted without a control plane: serves from its cache ${Math.round(cacheMs)} ms after its start`)
    const ready = await readiness(node)()
    assert.strictEqual(ready.status, 200)
    assert.include(ready.text, '"source":"disk"')
  })

  it("starts empty when its cache is deleted: 404, not ready", async () => {
    await dataPlane.kill("SIGTERM")
    await rm(node.cache)
    dataPlane = node.start()
    await eventually("the node answers", 15_000, readiness(node), ({ status }) => status === 503)
    await eventually(
      "the proxy answers",
      5_000,
      () => ask(`${node.proxy}/echo/z`),
      () => true
    )
    const answer = await ask(`${node.proxy}/echo/z`)
    assert.strictEqual(answer.status, 404)
    assert.include(answer.text, "no Route matched with those values")
    assert.strictEqual((await readiness(node)()).status, 503)
  })

  it("starts from its declarative file when it has nothing better", async () => {
    await dataPlane.kill("SIGTERM")
    const file = join(cluster.folder, "fallback.yml")
    const port = await cluster.upstream("fallback")
    await writeFile(
      file,
      `_format_version: "3.0"\nservices:\n- name: fallback\n  url: http://127.0.0.1:${port}\n  routes:\n  - name: fallback\n    paths: [/fallback]\n`
    )
    dataPlane = node.start({ KONG_DECLARATIVE_CONFIG: file })
    await eventually(
      "the file is served",
      15_000,
      () => ask(`${node.proxy}/fallback/a`),
      ({ text }) => text === "fallback /a"
    )
    assert.strictEqual((await readiness(node)()).status, 200)
  })

  it("has the control plane's configuration within 11 s of its return, and the file's routes are gone", async () => {
    controlPlane = cluster.controlPlane()
    await adminReady(cluster)
    const returnMs = await eventually(
      "the control plane's route is served",
      11_000,
      () => ask(`${node.proxy}/echo/b`),
      ({ text }) => text === "first /b"
    )
    console.info(`control plane back: its configuration serves ${Math.round(returnMs)} ms after its admin API answered`)
    assert.strictEqual((await ask(`${node.proxy}/fallback/a`)).status, 404)
    await eventually(
      "the cache is written",
      1_000,
      async () => (await ask(`${node.status}/status`)).text,
      (text) => text.includes('"source":"control_plane"')
    )
  })

  it("drains and exits 0 on SIGTERM, both of them", async () => {
    dataPlane.child.kill("SIGTERM")
    controlPlane.child.kill("SIGTERM")
    assert.deepEqual(await dataPlane.exit, { code: 0, signal: null })
    assert.deepEqual(await controlPlane.exit, { code: 0, signal: null })
  })
})
