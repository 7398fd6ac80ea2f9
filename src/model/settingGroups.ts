/** The headings of the settings table, for help and documentation: a group runs from its first row to the next group's. */
import { type Setting, type SettingName, settingTable } from "./SettingTable.ts"

export interface SettingGroup {
  readonly title: string
  readonly settings: ReadonlyArray<readonly [name: SettingName, setting: Setting<unknown>]>
}

const headings: ReadonlyArray<readonly [first: SettingName, title: string]> = [
  ["role", "The process"],
  ["proxy_listen", "Listeners"],
  ["node_id", "The cluster"],
  ["cluster_mtls", "Cluster security"],
  ["cluster_max_payload", "Cluster messages and members"],
  ["telemetry", "Telemetry"],
  ["konnect_mode", "Konnect and other gateways' names"],
  ["prometheus_metrics", "Metrics, access log and traces"],
  ["declarative_config", "Configuration without a control plane"],
  ["cluster_fallback_config_export", "Object storage and peers"],
  ["config_signing_key", "Signed configurations"],
  ["license_data", "Licences"],
  ["config_cache_encryption", "Encryption of the cache"],
  ["ssl_cert", "Proxying"]
]

const rows = Object.entries(settingTable) as ReadonlyArray<readonly [SettingName, Setting<unknown>]>

const positionOf = (name: SettingName): number => rows.findIndex(([row]) => row === name)

export const settingGroups: ReadonlyArray<SettingGroup> = headings.map(([first, title], index) => {
  const next = headings[index + 1]
  return { title, settings: rows.slice(positionOf(first), next === undefined ? undefined : positionOf(next[0])) }
})
