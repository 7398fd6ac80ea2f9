/**
 * The same facts for Prometheus, in its text format 0.0.4: Kong's series by their names (reference `proxy-behaviour.md`
 * §12), and Holdfast's own for what Kong has none. Pure, as `NodeStatus.ts` is.
 */
import { cacheView, type NodeFacts, serverCounts, unreadyReason } from "./NodeStatus.ts"

type Labels = Readonly<Record<string, string>>

/** All are gauges: what Kong counts is a gauge with it, too. */
interface Series {
  readonly name: string
  readonly help: string
  readonly samples: ReadonlyArray<readonly [labels: Labels, value: number]>
}

export const metricsContentType = "text/plain; version=0.0.4; charset=utf-8"

const asNumber = (holds: boolean): number => (holds ? 1 : 0)

/** One sample, or none where there is nothing to tell. */
const instant = (ms: number | undefined): Series["samples"] => (ms === undefined ? [] : [[{}, ms / 1000]])

const traffic = ({ nodeId, proxy }: NodeFacts): ReadonlyArray<Series> => {
  const counts = serverCounts(proxy)
  const labels = { node_id: nodeId, subsystem: "http" }
  const states = {
    accepted: counts.connections_accepted,
    active: counts.connections_active,
    handled: counts.connections_handled,
    reading: counts.connections_reading,
    waiting: counts.connections_waiting,
    writing: counts.connections_writing
  }
  return [
    {
      name: "kong_nginx_connections_total",
      help: "Client connections by state",
      samples: Object.entries(states).map(([state, value]) => [{ ...labels, state }, value])
    },
    {
      name: "kong_nginx_requests_total",
      help: "Client requests since the start",
      samples: [[labels, counts.total_requests]]
    }
  ]
}

const cluster = ({ connection, clusterCertificateExpiresAtMs }: NodeFacts): ReadonlyArray<Series> => [
  {
    name: "kong_control_plane_connected",
    help: "Whether the session to the control plane is open; absent on a node on its own",
    samples: connection._tag === "disabled" ? [] : [[{}, asNumber(connection._tag === "connected")]]
  },
  {
    name: "kong_data_plane_cluster_cert_expiry_timestamp",
    help: "When the certificate ends that the node shows its control plane, in seconds since the epoch",
    samples: instant(clusterCertificateExpiresAtMs)
  }
]

const configuration = (facts: NodeFacts): ReadonlyArray<Series> => {
  const { live } = facts
  const { isCached } = cacheView(facts)
  return [
    {
      name: "holdfast_config_info",
      help: "Which configuration serves, and where it came from",
      samples: [[{ source: live.source, hash: live.hash }, 1]]
    },
    {
      name: "holdfast_config_persisted",
      help: "Whether the configuration that serves is in the cache on disk; absent where it is not to be",
      samples: isCached === undefined ? [] : [[{}, asNumber(isCached)]]
    },
    {
      name: "holdfast_config_received_timestamp_seconds",
      help: "When a control plane (or the file) gave the configuration that serves, in seconds since the epoch",
      samples: instant(live.receivedAtMs)
    }
  ]
}

const license = ({ license: { state, expiresAtMs } }: NodeFacts): ReadonlyArray<Series> => [
  {
    name: "holdfast_license_info",
    help: "How the licence stands",
    samples: [[{ state }, 1]]
  },
  {
    name: "holdfast_license_expiry_timestamp_seconds",
    help: "When the licence expires, in seconds since the epoch; absent where there is none",
    samples: instant(expiresAtMs)
  }
]

const seriesOf = (facts: NodeFacts): ReadonlyArray<Series> => [
  {
    name: "kong_node_info",
    help: "Which node this is",
    samples: [[{ node_id: facts.nodeId, version: facts.version }, 1]]
  },
  {
    name: "holdfast_ready",
    help: "Whether the node is ready for traffic",
    samples: [[{}, asNumber(unreadyReason(facts) === undefined)]]
  },
  ...configuration(facts),
  ...cluster(facts),
  ...license(facts),
  ...traffic(facts)
]

const escaped = (value: string): string => value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n")

const labelText = (labels: Labels): string => {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`)
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`
}

const seriesText = ({ name, help, samples }: Series): string =>
  samples.length === 0
    ? ""
    : [
        `# HELP ${name} ${help}`,
        `# TYPE ${name} gauge`,
        ...samples.map(([labels, value]) => `${name}${labelText(labels)} ${value}`),
        ""
      ].join("\n")

export const metricsText = (facts: NodeFacts): string => seriesOf(facts).map(seriesText).join("")
