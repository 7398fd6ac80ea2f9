/** `GET /metrics` (`proxy-behaviour.md` §12; `docs/status.md`, "Metrics"). */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { SettingName } from "../../src/model/SettingTable.ts"
import { LiveConfig } from "../../src/services/LiveConfig.ts"
import { metricsText } from "../../src/services/NodeMetrics.ts"
import type { NodeFacts } from "../../src/services/NodeStatus.ts"
import { joined, liveLayerFor } from "../support/live.ts"
import { nodeFacts } from "../support/nodeFacts.ts"
import { table } from "../support/tables.ts"

const served = { raw: table(), source: "control_plane", hash: "d".repeat(32), receivedAtMs: 1_500 } as const

const scrape = (
  given: Partial<NodeFacts> = {},
  config: typeof served | { readonly source: "declarative_file" } | "nothing" = served,
  settings: Partial<Record<SettingName, string>> = joined
) =>
  Effect.gen(function* () {
    const live = yield* LiveConfig
    if (config !== "nothing") yield* live.apply({ ...served, ...config })
    return metricsText(yield* nodeFacts(given))
  }).pipe(Effect.provide(liveLayerFor(settings)))

const samplesOf = (text: string): Record<string, number> =>
  Object.fromEntries(
    text
      .split("\n")
      .filter((line) => line !== "" && !line.startsWith("#"))
      .map((line) => {
        const at = line.lastIndexOf(" ")
        return [line.slice(0, at), Number(line.slice(at + 1))]
      })
  )

describe("metrics", () => {
  it.effect("tell of a node that serves and has lost its control plane", () =>
    Effect.gen(function* () {
      const text = yield* scrape({
        proxy: { active: 5, accepted: 9, requests: 40, inFlight: 2 },
        clusterCertificateExpiresAtMs: 2_000_000
      })
      const traffic = 'node_id="n",subsystem="http"'
      assert.deepStrictEqual(samplesOf(text), {
        'kong_node_info{node_id="n",version="3.9.0"}': 1,
        holdfast_ready: 1,
        [`holdfast_config_info{source="control_plane",hash="${"d".repeat(32)}"}`]: 1,
        holdfast_config_persisted: 1,
        holdfast_config_received_timestamp_seconds: 1.5,
        kong_control_plane_connected: 0,
        kong_data_plane_cluster_cert_expiry_timestamp: 2_000,
        'holdfast_license_info{state="none"}': 1,
        [`kong_nginx_connections_total{${traffic},state="accepted"}`]: 9,
        [`kong_nginx_connections_total{${traffic},state="active"}`]: 5,
        [`kong_nginx_connections_total{${traffic},state="handled"}`]: 9,
        [`kong_nginx_connections_total{${traffic},state="reading"}`]: 0,
        [`kong_nginx_connections_total{${traffic},state="waiting"}`]: 3,
        [`kong_nginx_connections_total{${traffic},state="writing"}`]: 2,
        [`kong_nginx_requests_total{${traffic}}`]: 40
      })
    })
  )

  it.effect("mark a configuration that is not persisted, and are silent where none is to be", () =>
    Effect.gen(function* () {
      const persisted = (text: string) => samplesOf(text).holdfast_config_persisted
      assert.strictEqual(persisted(yield* scrape({ cacheProblem: "ENOSPC" })), 0)
      assert.isUndefined(persisted(yield* scrape({}, { source: "declarative_file" })))
      const withoutDisk = { ...joined, config_sources: "control_plane,declarative_file" }
      assert.isUndefined(persisted(yield* scrape({}, served, withoutDisk)))
      const empty = samplesOf(yield* scrape({}, "nothing"))
      assert.isUndefined(empty.holdfast_config_persisted)
      assert.strictEqual(empty.holdfast_ready, 0)
    })
  )

  it.effect("leave out what a node on its own has not, and tell a session that is open", () =>
    Effect.gen(function* () {
      const since = { sinceMs: 0, sinceMonotonicMs: 0 }
      const alone = samplesOf(yield* scrape({ connection: { _tag: "disabled", ...since } }))
      assert.notProperty(alone, "kong_control_plane_connected")
      assert.notProperty(alone, "kong_data_plane_cluster_cert_expiry_timestamp")
      const connected = samplesOf(yield* scrape({ connection: { _tag: "connected", ...since } }))
      assert.strictEqual(connected.kong_control_plane_connected, 1)
    })
  )

  it.effect(
    "are lines that Prometheus reads: help and type before the samples, labels escaped, a newline at the end",
    () =>
      Effect.gen(function* () {
        const text = yield* scrape({ nodeId: 'a"b\\c\nd' })
        assert.include(text, 'kong_node_info{node_id="a\\"b\\\\c\\nd",version="3.9.0"} 1\n')
        assert.match(text, /^# HELP kong_node_info [^\n]+\n# TYPE kong_node_info gauge\nkong_node_info\{/)
        for (const line of text.trimEnd().split("\n"))
          assert.match(line, /^(# (HELP|TYPE) \w+ .+|\w+(\{.+\})? -?[\d.e+]+)$/)
        assert.isTrue(text.endsWith("\n"))
      })
  )
})
