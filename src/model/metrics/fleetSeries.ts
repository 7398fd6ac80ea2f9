/**
 * Every series of a control plane. `kong_*` are those of Kong's prometheus plugin (reference `proxy-behaviour.md` §12);
 * `docs/metrics.md` is made from this table.
 */
import { exportSeries } from "./exportSeries.ts"
import { processSeries } from "./ProcessUse.ts"
import { counter, gauge } from "./Series.ts"

const ofNode = ["node_id", "hostname", "ip"]

export const fleetSeries = {
  kong_node_info: gauge("Kong Node metadata information", ["node_id", "version"]),
  kong_datastore_reachable: gauge("Datastore reachable from Kong, 0 is unreachable"),
  kong_data_plane_last_seen: gauge("Last time data plane contacted control plane", ofNode),
  kong_data_plane_config_hash: gauge("Config hash numeric value of the data plane", ofNode),
  kong_data_plane_version_compatible: gauge("Version compatible status of the data plane, 0 is incompatible", [
    ...ofNode,
    "kong_version"
  ]),

  holdfast_data_planes: gauge("Data planes that are known, by what is to be said of their configuration", ["state"]),
  holdfast_data_planes_connected: gauge("Data planes with an open session"),
  holdfast_data_planes_out_of_sync: gauge("Data planes with an open session that run another configuration"),
  holdfast_data_plane_connected: gauge("Whether the data plane has an open session", ofNode),
  holdfast_data_plane_in_sync: gauge(
    "Whether the data plane runs the configuration that it should; of one that is away, the last that was heard",
    ofNode
  ),
  holdfast_data_plane_cert_expiry_timestamp_seconds: gauge(
    "When the certificate ends that the data plane showed, in seconds since the epoch",
    ofNode
  ),

  holdfast_config_info: gauge("Which configuration data planes should run", ["hash"]),
  holdfast_payload_bytes: gauge("Size of that configuration on the wire"),
  holdfast_payload_limit_bytes: gauge("Largest size that may be sent: cluster_max_payload"),
  holdfast_pushes_total: counter("Configurations that were sent, to each data plane"),
  holdfast_push_bytes_total: counter("What they took on the wire"),

  ...exportSeries,

  holdfast_telemetry_records_total: counter("Telemetry records of the data plane that were committed", ["node_id"]),
  holdfast_telemetry_last_received_timestamp_seconds: gauge(
    "When telemetry of the data plane was committed last, in seconds since the epoch",
    ["node_id"]
  ),
  holdfast_telemetry_spooled_records: gauge("Records that the data plane said were still with it", ["node_id"]),
  holdfast_telemetry_spooled_bytes: gauge("The same in bytes on its disk", ["node_id"]),
  holdfast_telemetry_dropped_requests: gauge(
    "Requests of which the data plane dropped the analytics, in all of its lives that are known; they are billed all the same",
    ["node_id"]
  ),

  ...processSeries
}
