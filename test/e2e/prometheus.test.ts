/**
 * A real Prometheus (Debian's package `prometheus`) scrapes both planes as they are run, with the alerts that we ship.
 * Skipped aloud where there is none.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { mkdirSync, writeFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import {
  adminReady,
  ask,
  type Cluster,
  eventually,
  freePort,
  hammer,
  makeCluster,
  publish
} from "../support/processes.ts"

const isThere = spawnSync("prometheus", ["--version"]).error === undefined
if (!isThere)
  console.log("SKIPPED: no Prometheus scrapes anything, for there is none on this machine (Debian: prometheus)")

interface Sample {
  readonly metric: Readonly<Record<string, string>>
  readonly value: readonly [at: number, value: string]
}

describe.skipIf(!isThere)("a real Prometheus (proxy-behaviour.md §12)", () => {
  let cluster: Cluster
  let prometheus: ChildProcess | undefined
  let base: string
  let log = ""
  let node: Awaited<ReturnType<Cluster["makeNode"]>>

  const query = async (text: string): Promise<ReadonlyArray<Sample>> => {
    const answer = await ask(`${base}/api/v1/query?query=${encodeURIComponent(text)}`)
    return (answer.json() as { readonly data: { readonly result: ReadonlyArray<Sample> } }).data.result
  }
  const valuesOf = async (text: string) => (await query(text)).map(({ value }) => Number(value[1]))

  beforeAll(async () => {
    cluster = await makeCluster()
    node = await cluster.makeNode("dp")
    const controlPlaneStatus = await freePort()
    cluster.controlPlane({ KONG_STATUS_LISTEN: `127.0.0.1:${controlPlaneStatus}` })
    await adminReady(cluster)
    await publish(cluster, "shop", "/shop", await cluster.upstream("up"))
    node.start()
    await eventually(
      "the route is served",
      20_000,
      () => ask(`${node.proxy}/shop`),
      ({ status }) => status === 200
    )
    const folder = join(cluster.folder, "prometheus")
    mkdirSync(folder)
    const job = (name: string, target: string) => ({ job_name: name, static_configs: [{ targets: [target] }] })
    writeFileSync(
      join(folder, "prometheus.yml"),
      // YAML reads JSON.
      JSON.stringify({
        global: { scrape_interval: "1s", evaluation_interval: "1s" },
        rule_files: [resolve("deploy/monitoring/holdfast.rules.yml")],
        scrape_configs: [
          job("holdfast-data-plane", node.status.replace("http://", "")),
          job("holdfast-control-plane", `127.0.0.1:${controlPlaneStatus}`)
        ]
      })
    )
    const port = await freePort()
    base = `http://127.0.0.1:${port}`
    prometheus = spawn(
      "prometheus",
      [
        `--config.file=${join(folder, "prometheus.yml")}`,
        `--storage.tsdb.path=${join(folder, "data")}`,
        `--web.listen-address=127.0.0.1:${port}`
      ],
      { stdio: ["ignore", "ignore", "pipe"] }
    )
    prometheus.stderr?.on("data", (chunk: Buffer) => {
      log += chunk.toString()
    })
    await eventually(
      "Prometheus is ready",
      30_000,
      () => ask(`${base}/-/ready`),
      ({ status }) => status === 200
    )
  }, 90_000)

  afterAll(async () => {
    if (prometheus !== undefined && prometheus.exitCode === null) {
      const ended = new Promise((done) => prometheus?.once("close", done))
      prometheus.kill("SIGTERM")
      await ended
    }
    await cluster?.close()
  })

  it("scrapes both planes", { timeout: 60_000 }, async () => {
    await eventually(
      "both are up",
      30_000,
      () => valuesOf('up{job=~"holdfast-.*"} == 1'),
      (values) => values.length === 2
    )
    const targets = (await ask(`${base}/api/v1/targets`)).json() as {
      readonly data: { readonly activeTargets: ReadonlyArray<{ readonly lastError: string }> }
    }
    assert.deepEqual(
      targets.data.activeTargets.map(({ lastError }) => lastError),
      ["", ""]
    )
    assert.notMatch(log, /level=warn.*scrape/)
  })

  it("counts every request, by the names that the configuration has", { timeout: 60_000 }, async () => {
    const before = (await valuesOf("sum(kong_http_requests_total)"))[0] ?? 0
    const { failures } = await hammer(`${node.proxy}/shop`, 300, ({ status }) => status === 200)
    assert.deepEqual(failures, [])
    await ask(`${node.proxy}/nowhere`)
    const labels = 'service="shop",route="shop",code="200",source="service",workspace="default"'
    await eventually(
      "all are counted",
      20_000,
      () => valuesOf(`kong_http_requests_total{${labels}}`),
      ([value = 0]) => value >= before + 300
    )
    const [count = 0] = await valuesOf("kong_request_latency_ms_count")
    const [infinite = 0] = await valuesOf('kong_request_latency_ms_bucket{le="+Inf"}')
    assert.isAtLeast(count, 300)
    assert.strictEqual(count, infinite)
    const [median = Number.NaN] = await valuesOf(
      "histogram_quantile(0.5, sum by (le) (kong_request_latency_ms_bucket))"
    )
    assert.isTrue(median > 0 && median < 60_000)
    assert.isAtLeast((await valuesOf('holdfast_unmatched_requests_total{code="404"}'))[0] ?? 0, 1)
  })

  it("sees the fleet from the control plane, and the session from the node", { timeout: 60_000 }, async () => {
    await eventually(
      "the node has told what it runs",
      45_000,
      () => valuesOf("holdfast_data_plane_in_sync == 1 and holdfast_data_plane_connected == 1"),
      (values) => values.length === 1
    )
    assert.deepEqual(await valuesOf("holdfast_data_planes_connected"), [1])
    assert.deepEqual(await valuesOf("kong_control_plane_connected"), [1])
    assert.deepEqual(await valuesOf("kong_datastore_reachable"), [1])
    assert.deepEqual(await valuesOf('holdfast_config_info{source="control_plane"}'), [1])
    assert.lengthOf(
      await query("kong_data_plane_last_seen and on (node_id) kong_data_plane_version_compatible == 1"),
      1
    )
  })

  it("evaluates every alert that we ship, and none fires over a cluster that is well", {
    timeout: 60_000
  }, async () => {
    interface Rules {
      readonly data: {
        readonly groups: ReadonlyArray<{
          readonly rules: ReadonlyArray<{ readonly name: string; readonly health: string; readonly lastError?: string }>
        }>
      }
    }
    const rules = async () =>
      ((await ask(`${base}/api/v1/rules`)).json() as Rules).data.groups.flatMap((group) => group.rules)
    await eventually("all were evaluated", 20_000, rules, (all) => all.every(({ health }) => health === "ok"))
    assert.isAbove((await rules()).length, 20)
    const firing = (await query('ALERTS{alertstate="firing"}')).map(({ metric }) => metric.alertname)
    assert.deepEqual(firing, [])
  })
})
