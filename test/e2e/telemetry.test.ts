/**
 * What is billed is what was served, through everything that may befall either side: `faults.md` on telemetry,
 * `konnect-network-resiliency.md` on what travels. Real processes, sockets and files.
 */
import { Agent } from "node:http"
import { afterEach, assert, beforeEach, describe, it } from "vitest"
import {
  type Answer,
  adminReady,
  ask,
  type Cluster,
  eventually,
  hammer,
  makeCluster,
  publish,
  type Running,
  sleep
} from "../support/processes.ts"

interface Usage {
  readonly services: number
  readonly api_calls: number
  readonly dev_portals: number
  readonly nodes: Readonly<Record<string, { readonly api_calls: number }>>
}

/** Windows of a second, so that stories are short. */
const quick = { KONG_ANALYTICS_FLUSH_INTERVAL: "1" }
/** A window, the delay before a telemetry connection is tried again, and the delivery. */
const deliveredWithinMs = 25_000

/** A node that is killed loses what it counted since its last write: every 100 ms. */
const writeIntervalMs = 100
const requestsPerSecond = 100

type Node = Awaited<ReturnType<Cluster["makeNode"]>>

describe("telemetry", () => {
  let cluster: Cluster
  let controlPlane: Running
  let node: Node
  let running: Running
  /** Requests so far that were answered by the route: each is one API call. */
  let calls = 0
  /** Those that no route took: analytics tells of them, too. */
  let unmatched = 0
  beforeEach(async () => {
    calls = 0
    unmatched = 0
    cluster = await makeCluster()
    controlPlane = cluster.controlPlane()
    await adminReady(cluster)
    node = await cluster.makeNode("node")
    running = node.start(quick)
    await publish(cluster, "echo", "/echo", await cluster.upstream("up"))
    await served()
  })
  afterEach(() => cluster.close())

  async function served() {
    await eventually("the route is served", 20_000, () => ask(`${node.proxy}/echo`), isServed)
  }

  function isServed({ status }: Answer): boolean {
    if (status === 200) calls++
    else unmatched++
    return status === 200
  }

  const traffic = async (count: number) => {
    const { failures } = await hammer(`${node.proxy}/echo`, count, ({ status }) => status === 200)
    assert.deepStrictEqual(failures, [])
    calls += count
  }

  const usage = async () => (await ask(`${cluster.admin}/billing/usage`)).json() as Usage

  const billed = (expected: number) =>
    eventually("what is billed is what was served", deliveredWithinMs, usage, ({ api_calls }) => api_calls === expected)

  it("bills what was served through loss of the control plane, restarts of both, and once for all", async () => {
    await traffic(500)
    await ask(`${node.proxy}/nowhere`)
    await billed(calls)
    await controlPlane.kill("SIGKILL")
    await traffic(700)
    await running.kill("SIGTERM")
    running = node.start(quick)
    await served()
    await traffic(300)
    controlPlane = cluster.controlPlane()
    await adminReady(cluster)
    await traffic(200)
    await billed(calls)
    // Both are told to end while a batch may be under way; nothing is billed twice for it.
    await traffic(100)
    await controlPlane.kill("SIGKILL")
    controlPlane = cluster.controlPlane()
    await adminReady(cluster)
    await billed(calls)
    await sleep(3_000)
    const final = await usage()
    assert.strictEqual(final.api_calls, calls)
    assert.strictEqual(final.services, 1)
    assert.strictEqual(final.dev_portals, 0)
    assert.deepStrictEqual(
      Object.values(final.nodes).map(({ api_calls }) => api_calls),
      [calls]
    )
    const answer = (await ask(`${cluster.admin}/analytics/requests?by=route`)).json() as {
      readonly data: ReadonlyArray<{ readonly name: string | null; readonly requests: number }>
    }
    const named = answer.data.filter(({ name }) => name === "echo")
    assert.strictEqual(
      named.reduce((sum, { requests }) => sum + requests, 0),
      calls
    )
  }, 120_000)

  it("loses at most one write interval when the node is killed with -9 under traffic", async () => {
    await controlPlane.kill("SIGKILL")
    let sent = 0
    let answered = 0
    const timer = setInterval(() => {
      sent++
      ask(`${node.proxy}/echo`).then(
        () => answered++,
        () => undefined
      )
    }, 1000 / requestsPerSecond)
    await sleep(4_000)
    clearInterval(timer)
    await running.kill("SIGKILL")
    running = node.start(quick)
    await served()
    controlPlane = cluster.controlPlane()
    await adminReady(cluster)
    // A loaded machine writes late: five intervals' worth is allowed where one is promised.
    const least = calls + answered - 1 - 5 * Math.ceil((writeIntervalMs * requestsPerSecond) / 1000)
    await eventually("what was counted is billed", deliveredWithinMs, usage, ({ api_calls }) => api_calls >= least)
    await sleep(3_000)
    assert.isAtMost((await usage()).api_calls, calls + sent)
  }, 90_000)

  it("a spool that is full drops analytics, says how much, and bills on to the last request", async () => {
    // A window tells of each route that was asked in it: many routes and short windows fill a small spool soon.
    const paths = Array.from({ length: 200 }, (_, i) => `/many-${i}/`)
    for (const path of paths) {
      const { status } = await ask(`${cluster.admin}/services/echo/routes`, { method: "POST", body: { paths: [path] } })
      assert.strictEqual(status, 201)
    }
    const small = { KONG_ANALYTICS_FLUSH_INTERVAL: "0.1", KONG_TELEMETRY_SPOOL_MAX_BYTES: String(2 ** 20) }
    await running.kill("SIGTERM")
    running = node.start(small)
    const last = `${node.proxy}${paths.at(-1)}`
    await eventually("all routes are served", 20_000, () => ask(last), isServed)
    await controlPlane.kill("SIGKILL")
    const dropped = async () => {
      const { telemetry } = (await ask(`${node.status}/status`)).json() as {
        readonly telemetry: { readonly dropped: { readonly requests: number } | null }
      }
      return telemetry.dropped?.requests ?? 0
    }
    const agent = new Agent({ keepAlive: true, maxSockets: 20 })
    const endsAt = performance.now() + 120_000
    while ((await dropped()) === 0 && performance.now() < endsAt) {
      const answers = await Promise.all(paths.map((path) => ask(`${node.proxy}${path}`, { agent })))
      assert.isTrue(answers.every(isServed))
    }
    agent.destroy()
    assert.isAbove(await dropped(), 0)
    controlPlane = cluster.controlPlane()
    await adminReady(cluster)
    await billed(calls)
    // What analytics lacks is what it says that it lacks; both are delivered behind billing.
    const told = async () => {
      const { data } = (await ask(`${cluster.admin}/clustering/data-planes`)).json() as {
        readonly data: ReadonlyArray<{ readonly telemetry: { readonly dropped: { readonly requests: number } } }>
      }
      return data[0]?.telemetry.dropped.requests ?? 0
    }
    const counted = async () => {
      const { data } = (await ask(`${cluster.admin}/analytics/requests?by=service`)).json() as {
        readonly data: ReadonlyArray<{ readonly name: string | null; readonly requests: number }>
      }
      return data.reduce((sum, { requests }) => sum + requests, 0)
    }
    await eventually(
      `analytics and drops are all of the ${calls + unmatched} that were answered`,
      deliveredWithinMs,
      async () => ({ counted: await counted(), told: await told(), node: await dropped() }),
      (sums) => sums.counted + sums.told === calls + unmatched
    )
    assert.isAbove(await told(), 0)
  }, 240_000)
})
