/** Settings that are understood but not served: they do not stop a start, and whoever set them must learn of it. */
import type { Fault } from "./Fault.ts"
import type { SettingName, SettingValues } from "./SettingTable.ts"

interface Notice {
  readonly setting: SettingName
  readonly isDue: (values: SettingValues) => boolean
  readonly message: string
}

const notices: ReadonlyArray<Notice> = [
  {
    setting: "router_flavor",
    isDue: ({ router_flavor }) => router_flavor !== "traditional_compatible",
    message: "traditional_compatible is served; routes that need another flavour are refused with their configuration"
  },
  {
    setting: "cluster_ocsp",
    isDue: ({ role, cluster_mtls, cluster_ocsp }) =>
      role === "control_plane" && cluster_mtls === "shared" && cluster_ocsp !== "off",
    message: "nobody is asked, for nobody can revoke the one certificate of cluster_mtls=shared"
  },
  {
    setting: "config_sources",
    isDue: ({ cluster_control_plane, config_sources }) =>
      cluster_control_plane !== undefined && config_sources !== undefined && config_sources[0] !== "control_plane",
    message: "what the control plane sends is refused while a source listed before it serves"
  },
  {
    setting: "declarative_config",
    isDue: ({ declarative_config, config_sources }) =>
      declarative_config !== undefined && config_sources?.includes("declarative_file") === false,
    message: "the file is not read, for config_sources leaves declarative_file out"
  }
]

export const settingNotices = (values: SettingValues): ReadonlyArray<Fault> =>
  notices
    .filter(({ isDue }) => isDue(values))
    .map(({ setting, message }) => ({ path: [setting], message, value: values[setting] }))
