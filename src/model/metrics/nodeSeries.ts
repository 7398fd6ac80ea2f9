/**
 * Every series of a data plane. Names, labels, types and help of `kong_*` are those of Kong's prometheus plugin (reference
 * `proxy-behaviour.md` §12), gauges that count included; `docs/observability.md` is held to this table by a test.
 */
import { exportSeries } from "./exportSeries.ts"
import { processSeries } from "./ProcessUse.ts"
import { counter, gauge, histogram } from "./Series.ts"

const ofRoute = ["service", "route", "workspace"]

export const nodeSeries = {
  kong_node_info: gauge("Kong Node metadata information", ["node_id", "version"]),
  kong_nginx_connections_total: gauge("Number of connections by subsystem", ["node_id", "subsystem", "state"]),
  kong_nginx_requests_total: gauge("Number of requests total", ["node_id", "subsystem"]),
  kong_control_plane_connected: gauge("Kong connected to control plane, 0 is unconnected"),
  kong_data_plane_cluster_cert_expiry_timestamp: gauge("Unix timestamp of Data Plane's cluster_cert expiry time"),
  kong_upstream_target_health: gauge(
    "Health status of targets of upstream. States = healthchecks_off|healthy|unhealthy|dns_error, value is 1 when state is populated.",
    ["upstream", "target", "address", "state", "subsystem"]
  ),
  kong_http_requests_total: counter("HTTP status codes per consumer/service/route in Kong", [
    "service",
    "route",
    "code",
    "source",
    "workspace",
    "consumer"
  ]),
  kong_kong_latency_ms: histogram("Latency added by Kong and enabled plugins for each service/route in Kong", ofRoute),
  kong_upstream_latency_ms: histogram("Latency added by upstream response for each service/route in Kong", ofRoute),
  kong_request_latency_ms: histogram("Total latency incurred during requests for each service/route in Kong", ofRoute),
  kong_bandwidth_bytes: counter("Total bandwidth (ingress/egress) throughput in bytes", [
    "service",
    "route",
    "direction",
    "workspace",
    "consumer"
  ]),

  holdfast_ready: gauge("Whether the node is ready for traffic"),
  holdfast_requests_in_flight: gauge("Requests that are being answered now"),
  holdfast_api_calls_total: counter("Requests that matched a route, as they are billed"),
  holdfast_unmatched_requests_total: counter("Requests that matched no route, by the status they were answered", [
    "code"
  ]),
  holdfast_metrics_left_out: gauge("Combinations of service, route and consumer without series: prometheus_limit"),

  holdfast_config_info: gauge("Which configuration serves, and where it came from", ["source", "hash"]),
  holdfast_config_rung: gauge("How many better sources this node has than the one that serves; 0 for the best one"),
  holdfast_config_routes: gauge("Routes of the configuration that serves"),
  holdfast_config_persisted: gauge(
    "Whether the configuration that serves is in the cache on disk; absent where it is not to be"
  ),
  holdfast_config_received_timestamp_seconds: gauge(
    "When a control plane (or the file) gave the configuration that serves, in seconds since the epoch"
  ),
  holdfast_config_age_seconds: gauge("The same as an age, by the time that the node trusts"),
  holdfast_config_applies_total: counter("Configurations that came to serve since the start"),
  holdfast_config_apply_seconds_total: counter("What validating, compiling and swapping them took, in seconds"),
  holdfast_config_apply_last_seconds: gauge("What the last one took"),
  holdfast_config_rejections_total: counter("Configurations that were refused since the start"),

  ...exportSeries,
  holdfast_peer_requests_total: counter(
    "What neighbours asked of this node: given, told, nothing, busy, cut_off, refused; absent where they can't ask",
    ["outcome"]
  ),

  holdfast_connection_state: gauge("1 for the state that the connection to the control plane is in", ["state"]),
  holdfast_connection_state_seconds: gauge("How long it has been in that state"),
  holdfast_reconnects_total: counter("Sessions with the control plane after the first one since the start"),
  holdfast_failed_dials_total: counter("Attempts to reach the control plane that led to no session"),

  holdfast_telemetry_delivery: gauge("1 for the state that the delivery of telemetry to the control plane is in", [
    "state"
  ]),
  holdfast_spool_bytes: gauge("Telemetry that no control plane has acknowledged yet"),
  holdfast_spool_records: gauge("The same in records"),
  holdfast_spool_oldest_timestamp_seconds: gauge("End of the oldest window that waits, in seconds since the epoch"),
  holdfast_spool_writable: gauge("Whether the spool can be written"),
  holdfast_spool_dropped_records_total: counter("Records that were dropped for want of room or for their age"),
  holdfast_spool_dropped_requests_total: counter("Requests that those records told of"),

  holdfast_license_info: gauge("How the licence stands", ["state"]),
  holdfast_license_expiry_timestamp_seconds: gauge(
    "When the licence expires, in seconds since the epoch; absent where there is none"
  ),
  holdfast_clock_deviation_seconds: gauge("How far the machine's clock is ahead of the time that the node trusts"),

  holdfast_access_log_lines_total: counter("Lines that went into the access log"),
  holdfast_access_log_dropped_total: counter("Lines that could not be written, or not fast enough"),
  holdfast_spans_exported_total: counter("Spans that a collector took"),
  holdfast_spans_dropped_total: counter("Spans that were not delivered, for want of room or of a collector"),

  ...processSeries
}
