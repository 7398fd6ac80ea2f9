/** The metrics of a control plane, from facts (proxy-behaviour.md §12). */
import { assert, describe, it } from "vitest"
import { type DataPlaneRecord, newRecord } from "../../../src/model/Fleet.ts"
import { fleetSeries } from "../../../src/model/metrics/fleetSeries.ts"
import { type FleetFacts, fleetMetricsText } from "../../../src/services/control/FleetMetrics.ts"
import { exportFacts } from "../../support/exportFacts.ts"
import { readPrometheus } from "../../support/prometheusFormat.ts"

const wanted = "a".repeat(32)
const other = "b".repeat(32)

const node = (id: string, more: Partial<DataPlaneRecord> = {}): DataPlaneRecord => ({
  ...newRecord(
    { id, hostname: `h-${id}`, ip: "10.0.0.1", version: "3.9.0", labels: {}, certificateExpiresAtMs: 9_500 },
    1_700
  ),
  configHash: wanted,
  syncStatus: "normal",
  ...more
})

const facts = (given: Partial<FleetFacts>): FleetFacts => ({
  version: "3.9.0",
  nodes: [],
  connected: new Set(),
  payload: { hash: wanted, bytes: 700 },
  payloadLimitBytes: 16_000,
  pushes: { count: 4, bytes: 2_800 },
  telemetry: new Map(),
  configExport: undefined,
  process: {
    rssBytes: 1,
    heapUsedBytes: 2,
    heapTotalBytes: 3,
    externalBytes: 4,
    cpuSeconds: 5,
    startedAtMs: 6_000
  },
  ...given
})

const read = (given: Partial<FleetFacts>) => readPrometheus(fleetMetricsText(facts(given)))

const values = (given: Partial<FleetFacts>, name: string) =>
  Object.fromEntries(
    (read(given).get(name)?.samples ?? []).map(({ labels, value }) => [labels.state ?? labels.node_id ?? "", value])
  )

describe("metrics of a fleet", () => {
  const fleet = {
    nodes: [
      node("runs"),
      node("lags", { configHash: other }),
      node("old", { configHash: other, syncStatus: "kong_version_incompatible" as DataPlaneRecord["syncStatus"] }),
      node("gone")
    ],
    connected: new Set(["runs", "lags", "old"])
  }

  it("tell of each node, by Kong's names", () => {
    const labels = { node_id: "runs", hostname: "h-runs", ip: "10.0.0.1" }
    const of = (name: string) => read({ nodes: [node("runs")] }).get(name)?.samples[0]
    assert.deepInclude(of("kong_data_plane_last_seen"), { labels, value: 1 })
    assert.deepInclude(of("kong_data_plane_version_compatible"), { labels: { ...labels, kong_version: "3.9.0" } })
    const hash = of("kong_data_plane_config_hash")?.value ?? 0
    assert.strictEqual(hash, Number(`0x${wanted}`))
    assert.deepEqual(values(fleet, "kong_data_plane_version_compatible"), { runs: 1, lags: 1, old: 0, gone: 1 })
    assert.strictEqual(of("holdfast_data_plane_cert_expiry_timestamp_seconds")?.value, 9.5)
  })

  it("tell which nodes are there, and which of those run another configuration", () => {
    assert.deepEqual(values(fleet, "holdfast_data_planes_connected"), { "": 3 })
    assert.deepEqual(values(fleet, "holdfast_data_planes_out_of_sync"), { "": 2 })
    assert.deepEqual(values(fleet, "holdfast_data_plane_connected"), { runs: 1, lags: 1, old: 1, gone: 0 })
    assert.deepEqual(values(fleet, "holdfast_data_plane_in_sync"), { runs: 1, lags: 0, old: 0, gone: 1 })
    assert.deepEqual(values(fleet, "holdfast_data_planes"), {
      disconnected: 1,
      in_sync: 1,
      incompatible: 1,
      not_sent: 0,
      applying: 1,
      refused_by_node: 0
    })
  })

  it("are honest about a store that can't be read: what should run is then not known", () => {
    const broken = { ...fleet, payload: undefined }
    assert.deepEqual(values(broken, "kong_datastore_reachable"), { "": 0 })
    assert.deepEqual(values(fleet, "kong_datastore_reachable"), { "": 1 })
    for (const name of ["holdfast_data_planes_out_of_sync", "holdfast_data_plane_in_sync", "holdfast_payload_bytes"])
      assert.isUndefined(read(broken).get(name), name)
  })

  const known = {
    receivedMs: 5_000,
    committed: 4,
    epoch: undefined,
    acknowledged: { billing: 3, analytics: 1 },
    spooled: { bytes: 400, records: 2, oldestMs: undefined },
    dropped: { records: 1, requests: 70 }
  }

  it("forget the telemetry of a node with the node, for pods come and go for years", () => {
    const telemetry = new Map([
      ["runs", known],
      ["purged", known]
    ])
    assert.deepEqual(values({ ...fleet, telemetry }, "holdfast_telemetry_records_total"), { runs: 4 })
  })

  it("have every series of the table, and no other", () => {
    const telemetry = new Map([["runs", known]])
    const found = read({ ...fleet, telemetry, configExport: exportFacts })
    assert.deepEqual([...found.keys()], Object.keys(fleetSeries))
    for (const [name, { type }] of Object.entries(fleetSeries)) assert.strictEqual(found.get(name)?.type, type)
  })
})
