/** `GET /metrics` (`proxy-behaviour.md` §12; `docs/observability.md`). */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { metricGroups } from "../../src/model/metrics/metricGroups.ts"
import { nodeSeries } from "../../src/model/metrics/nodeSeries.ts"
import type { SettingName } from "../../src/model/SettingTable.ts"
import { LiveConfig } from "../../src/services/LiveConfig.ts"
import { type MetricFacts, nodeMetricsPieces, nodeSamples } from "../../src/services/NodeMetrics.ts"
import type { NodeFacts } from "../../src/services/NodeStatus.ts"
import { namesOf, requestSampleSteps, targetSamples } from "../../src/services/RequestMetrics.ts"
import { atOnce } from "../support/atOnce.ts"
import { exportFacts } from "../support/exportFacts.ts"
import { joined, liveLayerFor } from "../support/live.ts"
import { nodeFacts } from "../support/nodeFacts.ts"
import { readPrometheus } from "../support/prometheusFormat.ts"
import { readTable } from "../support/readTable.ts"
import { requestCell } from "../support/requestCells.ts"
import { routeId, serviceId, table } from "../support/tables.ts"

const served = { raw: table(), source: "control_plane", hash: "d".repeat(32), receivedAtMs: 1_500 } as const

const process = {
  rssBytes: 1,
  heapUsedBytes: 2,
  heapTotalBytes: 3,
  externalBytes: 4,
  cpuSeconds: 5,
  startedAtMs: 6_000
}

interface Given {
  readonly node?: Partial<NodeFacts>
  readonly more?: Partial<MetricFacts>
  readonly config?: typeof served | { readonly source: "declarative_file" } | "nothing"
  readonly settings?: Partial<Record<SettingName, string>>
}

const scrape = ({ node = {}, more = {}, config = served, settings = joined }: Given = {}) =>
  Effect.gen(function* () {
    const live = yield* LiveConfig
    if (config !== "nothing") yield* live.apply({ ...served, ...config })
    const facts: MetricFacts = {
      node: yield* nodeFacts(node),
      connection: { sessions: 3, failedDials: 7 },
      process,
      apiCalls: 12,
      traffic: {},
      accessLog: undefined,
      tracing: undefined,
      ...more
    }
    return Buffer.concat(atOnce(nodeMetricsPieces(nodeSamples(facts)))).toString()
  }).pipe(Effect.provide(liveLayerFor(settings)))

const samplesOf = (text: string): Record<string, number> =>
  Object.fromEntries(
    [...readPrometheus(text).values()].flatMap(({ samples }) =>
      samples.map(({ name, labels, value }) => {
        const pairs = Object.entries(labels).map(([label, text]) => `${label}="${text}"`)
        return [pairs.length === 0 ? name : `${name}{${pairs.join(",")}}`, value] as const
      })
    )
  )

/** Apply times differ from run to run; the process's numbers have a test of their own. */
const isSteady = ([name]: readonly [string, number]) => !/^(process_|nodejs_|holdfast_config_apply_)/.test(name)

describe("metrics", () => {
  it.effect("tell of a node that serves and has lost its control plane", () =>
    Effect.gen(function* () {
      const text = yield* scrape({
        node: {
          proxy: { active: 5, accepted: 9, requests: 40, inFlight: 2 },
          clusterCertificateExpiresAtMs: 2_000_000,
          nowMs: 4_500,
          monotonicMs: 9_000
        }
      })
      const traffic = 'node_id="n",subsystem="http"'
      assert.deepStrictEqual(Object.fromEntries(Object.entries(samplesOf(text)).filter(isSteady)), {
        'kong_node_info{node_id="n",version="3.9.0"}': 1,
        holdfast_ready: 1,
        holdfast_api_calls_total: 12,
        holdfast_requests_in_flight: 2,
        [`holdfast_config_info{source="control_plane",hash="${"d".repeat(32)}"}`]: 1,
        holdfast_config_rung: 0,
        holdfast_config_routes: 1,
        holdfast_config_persisted: 1,
        holdfast_config_received_timestamp_seconds: 1.5,
        holdfast_config_age_seconds: 3,
        holdfast_config_applies_total: 1,
        holdfast_config_rejections_total: 0,
        'holdfast_connection_state{state="disabled"}': 0,
        'holdfast_connection_state{state="connecting"}': 0,
        'holdfast_connection_state{state="connected"}': 0,
        'holdfast_connection_state{state="disconnected"}': 1,
        holdfast_connection_state_seconds: 9,
        'holdfast_telemetry_delivery{state="off"}': 0,
        'holdfast_telemetry_delivery{state="local"}': 0,
        'holdfast_telemetry_delivery{state="idle"}': 1,
        'holdfast_telemetry_delivery{state="connected"}': 0,
        'holdfast_telemetry_delivery{state="disconnected"}': 0,
        holdfast_reconnects_total: 2,
        holdfast_failed_dials_total: 7,
        kong_control_plane_connected: 0,
        kong_data_plane_cluster_cert_expiry_timestamp: 2_000,
        'holdfast_license_info{state="none"}': 1,
        holdfast_clock_deviation_seconds: 0,
        [`kong_nginx_connections_total{${traffic},state="accepted"}`]: 9,
        [`kong_nginx_connections_total{${traffic},state="active"}`]: 5,
        [`kong_nginx_connections_total{${traffic},state="handled"}`]: 9,
        [`kong_nginx_connections_total{${traffic},state="reading"}`]: 0,
        [`kong_nginx_connections_total{${traffic},state="total"}`]: 40,
        [`kong_nginx_connections_total{${traffic},state="waiting"}`]: 3,
        [`kong_nginx_connections_total{${traffic},state="writing"}`]: 2,
        [`kong_nginx_requests_total{${traffic}}`]: 40
      })
    })
  )

  it.effect("mark a configuration that is not persisted, and are silent where none is to be", () =>
    Effect.gen(function* () {
      const persisted = (text: string) => samplesOf(text).holdfast_config_persisted
      assert.strictEqual(persisted(yield* scrape({ node: { cacheProblem: "ENOSPC" } })), 0)
      assert.isUndefined(persisted(yield* scrape({ config: { source: "declarative_file" } })))
      const settings = { ...joined, config_sources: "control_plane,declarative_file" }
      assert.isUndefined(persisted(yield* scrape({ settings })))
      const empty = samplesOf(yield* scrape({ config: "nothing" }))
      assert.notProperty(empty, "holdfast_config_persisted")
      assert.notProperty(empty, "holdfast_config_age_seconds")
      assert.deepInclude(empty, { holdfast_ready: 0, holdfast_config_rung: 5, holdfast_config_applies_total: 0 })
    })
  )

  it.effect("leave out what a node on its own has not, and tell a session that is open", () =>
    Effect.gen(function* () {
      const since = { sinceMs: 0, sinceMonotonicMs: 0 }
      const alone = samplesOf(yield* scrape({ node: { connection: { _tag: "disabled", ...since } } }))
      for (const name of ["kong_control_plane_connected", "kong_data_plane_cluster_cert_expiry_timestamp"])
        assert.notProperty(alone, name)
      assert.notProperty(alone, "holdfast_reconnects_total")
      const connected = samplesOf(yield* scrape({ node: { connection: { _tag: "connected", ...since } } }))
      assert.strictEqual(connected.kong_control_plane_connected, 1)
      assert.strictEqual(connected['holdfast_connection_state{state="connected"}'], 1)
    })
  )

  it.effect("have every series of the table, and no other, when there is something to tell of each", () =>
    Effect.gen(function* () {
      const config = readTable(
        table("/a", {
          upstreams: [{ id: "66666666-6666-4666-8666-666666666666", name: "pool" }],
          targets: [
            {
              id: "77777777-7777-4777-8777-777777777777",
              upstream: "66666666-6666-4666-8666-666666666666",
              target: "10.0.0.1:80"
            }
          ]
        })
      )
      const choice = { groups: new Set<string>(metricGroups), limit: 10 }
      const answered = [{ status: 200, source: "service", count: 1 }]
      const cells = [
        requestCell({ serviceId, routeId, statuses: answered, requestMs: [3], proxyMs: [1], upstreamMs: [2] }),
        requestCell({ statuses: [{ status: 404, source: "exit", count: 1 }] })
      ]
      const text = yield* scrape({
        node: {
          clusterCertificateExpiresAtMs: 2_000_000,
          configExport: exportFacts,
          peers: { addresses: [], given: 1, told: 2, nothing: 3, busy: 4, cutOff: 5, refused: 6 },
          telemetry: {
            delivery: { _tag: "idle" },
            lastAcknowledgement: undefined,
            spool: { bytes: 1, records: 1, oldestMs: 1, dropped: { records: 0, requests: 0 }, problem: "ENOSPC" }
          },
          license: { state: "valid", stops: false, source: "prefix", expiresAtMs: 5_000, refused: [] } as never
        },
        more: {
          apiCalls: 1,
          traffic: { ...atOnce(requestSampleSteps(cells, namesOf(config), choice)), ...targetSamples(config, choice) },
          accessLog: { delivered: 1, dropped: 0 },
          tracing: { delivered: 1, dropped: 0 }
        }
      })
      const read = readPrometheus(text)
      assert.deepEqual([...read.keys()], Object.keys(nodeSeries))
      for (const [name, { type }] of Object.entries(nodeSeries)) assert.strictEqual(read.get(name)?.type, type)
      assert.strictEqual(read.get("holdfast_spool_writable")?.samples[0]?.value, 0)
      const asked = read.get("holdfast_peer_requests_total")?.samples.map(({ value }) => value)
      assert.deepEqual(asked, [1, 2, 3, 4, 5, 6])
    })
  )

  it("follow the conventions: what only grows is a counter and says so, all but Kong's gauges", () => {
    const kongs = ["kong_nginx_connections_total", "kong_nginx_requests_total", "kong_bandwidth_bytes"]
    for (const [name, { type }] of Object.entries(nodeSeries).filter(([name]) => !kongs.includes(name)))
      assert.strictEqual(type === "counter", name.endsWith("_total"), name)
  })
})
