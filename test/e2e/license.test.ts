/**
 * The licence on real nodes: `DESIGN.md` "The life of a node", 7; reference `resilience.md` §6. The time is the real one:
 * licences expire on days that are over, or not yet there.
 */
import { readFile, writeFile } from "node:fs/promises"
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
  readiness,
  run,
  sleep
} from "../support/processes.ts"

const dayMs = 86_400_000
const dayFromNow = (days: number): string => new Date(Date.now() + days * dayMs).toISOString().slice(0, 10)

type Node = Awaited<ReturnType<Cluster["makeNode"]>>

interface License {
  readonly state: string
  readonly serving: boolean
  readonly source: string
  readonly signature: string
}

const statusOf = async (node: Node) => {
  const status = (await ask(`${node.status}/status`)).json() as {
    readonly license: License
    readonly configuration_hash: string
    readonly control_plane: { readonly state: string; readonly since: string }
  }
  return status
}

describe("a licence that the control plane hands out", () => {
  let cluster: Cluster
  let node: Node
  let warning: Node
  let graceful: Node
  let running: Running
  let key: string
  const id = "30f06b7f-4bbd-4f2f-9d9d-9c7d1a0a1111"

  /** A licence until this day, by the commands that a person would use. */
  const issue = async (expires: string): Promise<string> => {
    const out = join(cluster.folder, `license-${expires}-${Math.random()}.json`)
    const issued = await run(["license", "issue", "--key", key, "--out", out, "--expires", expires, "--customer", "Us"])
    assert.strictEqual(issued.code, 0, issued.output)
    return out
  }

  const putLicense = async (expires: string) => {
    const payload = await readFile(await issue(expires), "utf8")
    const put = await ask(`${cluster.admin}/licenses/${id}`, { method: "PUT", body: { payload } })
    assert.strictEqual(put.status, 200, put.text)
  }

  const answers = (which: Node, status: number, withinMs: number) =>
    eventually(
      `answers ${status}`,
      withinMs,
      () => ask(`${which.proxy}/echo/a`),
      (answer) => answer.status === status
    )

  const restart = async (env: Readonly<Record<string, string>> = {}) => {
    await running.kill("SIGTERM")
    running = node.start({ ...checks(), ...env })
  }
  const checks = () => ({ KONG_LICENSE_PUBLIC_KEY: `${key}.pub`, KONG_LICENSE_REQUIRE_SIGNATURE: "on" })

  beforeAll(async () => {
    cluster = await makeCluster()
    key = join(cluster.folder, "signing.key")
    assert.strictEqual((await run(["license", "keygen", "--out", key])).code, 0)
    node = await cluster.makeNode("stop")
    warning = await cluster.makeNode("warn")
    graceful = await cluster.makeNode("grace")
    cluster.controlPlane()
    await adminReady(cluster)
    await publish(cluster, "echo", "/echo", await cluster.upstream("up"))
    running = node.start(checks())
    warning.start({ KONG_LICENSE_ON_EXPIRY: "warn" })
    graceful.start({ KONG_LICENSE_GRACE_DAYS: "10" })
    await Promise.all([node, warning, graceful].map((which) => answers(which, 200, 20_000)))
  })
  afterAll(() => cluster.close())

  it("restricts nothing while there is none", async () => {
    assert.deepInclude((await statusOf(node)).license, { state: "none", serving: true })
  })

  it("expired, answers 503 in the format that is asked for, before routing, and is not ready; the session stays", async () => {
    const before = (await statusOf(node)).control_plane
    await putLicense(dayFromNow(-5))
    await answers(node, 503, 5_000)
    const answer = await ask(`${node.proxy}/no/such/route`)
    assert.strictEqual(answer.status, 503)
    assert.match(answer.text, /^\{\n {2}"message":"license expired",\n {2}"request_id":"[0-9a-f]{32}"\n\}$/)
    const ready = await readiness(node)()
    assert.strictEqual(ready.status, 503)
    assert.include(ready.text, `license expired (${dayFromNow(-5)}T00:00:00.000Z)`)
    const { license, control_plane: after } = await statusOf(node)
    assert.deepInclude(license, { state: "expired", serving: false, source: "configuration", signature: "verified" })
    assert.deepEqual([after.state, after.since], ["connected", before.since])
  })

  it("with license_on_expiry=warn serves on, and within its days of grace too", async () => {
    await eventually(
      "both have it",
      5_000,
      async () => [(await statusOf(warning)).license.state, (await statusOf(graceful)).license.state].join(),
      (states) => states === "expired,grace"
    )
    for (const which of [warning, graceful]) {
      assert.strictEqual((await ask(`${which.proxy}/echo/a`)).status, 200)
      assert.strictEqual((await readiness(which)()).status, 200)
    }
  })

  it("never serves a first request after a restart, with or without its control plane", async () => {
    await running.kill("SIGTERM")
    running = node.start({ ...checks(), KONG_CLUSTER_CONTROL_PLANE: "127.0.0.1:1" })
    const seen: Array<number> = []
    await eventually(
      "the proxy answers",
      10_000,
      async () => {
        const { status } = await ask(`${node.proxy}/echo/a`)
        seen.push(status)
        return status
      },
      () => seen.length >= 20
    )
    assert.deepEqual([...new Set(seen)], [503])
    assert.strictEqual((await statusOf(node)).license.source, "configuration")
    await restart()
    await eventually(
      "connected again",
      20_000,
      async () => (await statusOf(node)).control_plane.state,
      (state) => state === "connected"
    )
  })

  it("renewed, serves again within a second, over the same session", async () => {
    const before = (await statusOf(node)).control_plane
    await putLicense(dayFromNow(200))
    const tookMs = await answers(node, 200, 1_000)
    assert.isBelow(tookMs, 1_000)
    const { license, control_plane: after } = await statusOf(node)
    assert.deepInclude(license, { state: "valid", serving: true })
    assert.strictEqual(after.since, before.since)
    assert.strictEqual((await readiness(node)()).status, 200)
    assert.match(running.log(), /licence renewed/)
    assert.match(running.log(), /requests are served again/)
  })

  it("malformed or of another's making, changes nothing but the status", async () => {
    const forged = (await readFile(await issue(dayFromNow(-1)), "utf8")).replaceAll(dayFromNow(-1), dayFromNow(4000))
    const { configuration_hash: hash } = await statusOf(node)
    const put = await ask(`${cluster.admin}/licenses/${id}`, { method: "PUT", body: { payload: forged } })
    assert.strictEqual(put.status, 200)
    await eventually(
      "the configuration serves",
      5_000,
      async () => (await statusOf(node)).configuration_hash,
      (now) => now !== hash
    )
    await eventually(
      "it is told",
      2_000,
      async () => JSON.stringify((await statusOf(node)).license),
      (text) => text.includes("it was changed since")
    )
    assert.deepInclude((await statusOf(node)).license, { state: "valid", serving: true })
    const refused = await ask(`${cluster.admin}/licenses/${id}`, { method: "PUT", body: { payload: "{}" } })
    assert.strictEqual(refused.status, 400)
    await putLicense(dayFromNow(200))
  })

  it("in a file under the prefix counts where the configuration has none, and a renewed file within a second", async () => {
    assert.strictEqual((await ask(`${cluster.admin}/licenses/${id}`, { method: "DELETE" })).status, 204)
    const file = join(node.prefix, "license.json")
    await writeFile(file, await readFile(await issue(dayFromNow(-1))))
    await answers(node, 503, 5_000)
    assert.strictEqual((await statusOf(node)).license.source, "prefix")
    await sleep(100)
    await writeFile(file, await readFile(await issue(dayFromNow(30))))
    const tookMs = await answers(node, 200, 1_000)
    assert.isBelow(tookMs, 1_000)
    const secret = JSON.parse(await readFile(file, "utf8")).license.payload.license_key
    for (const text of [running.log(), (await ask(`${node.status}/status`)).text]) assert.notInclude(text, secret)
  })
})

describe("days of grace", () => {
  it("hold through a restart, and end for a node that starts after them", async () => {
    const cluster = await makeCluster()
    try {
      const key = join(cluster.folder, "signing.key")
      await run(["license", "keygen", "--out", key])
      const out = join(cluster.folder, "license.json")
      await run(["license", "issue", "--key", key, "--out", out, "--expires", dayFromNow(-5)])
      const node = await cluster.makeNode("own")
      const document = JSON.stringify({
        _format_version: "3.0",
        services: [
          {
            name: "s",
            host: "127.0.0.1",
            port: await cluster.upstream("up"),
            routes: [{ name: "r", paths: ["/echo"] }]
          }
        ]
      })
      const seen: Array<number> = []
      for (const days of ["10", "10", "2", "10"]) {
        const process = node.start({
          KONG_CLUSTER_CONTROL_PLANE: "",
          KONG_DECLARATIVE_CONFIG_STRING: document,
          KONG_LICENSE_PATH: out,
          KONG_LICENSE_GRACE_DAYS: days
        })
        await eventually(
          "the proxy answers",
          10_000,
          async () => seen.push((await ask(`${node.proxy}/echo/a`)).status),
          () => true
        )
        await process.kill("SIGTERM")
      }
      assert.deepEqual(seen, [200, 200, 503, 200])
    } finally {
      await cluster.close()
    }
  })
})
