/** Whether a control plane may serve a data plane: reference `hybrid-protocol-v1.md` §9.1 and §9.2. */
import type { PluginInfo } from "./Wire.ts"

/** §11. What the control plane was able to send; not whether the data plane applied it. */
export type SyncStatus =
  | "unknown"
  | "normal"
  | "kong_version_incompatible"
  | "plugin_set_incompatible"
  | "plugin_version_incompatible"
  | "filter_set_incompatible"

export type Verdict =
  | { readonly _tag: "Compatible"; readonly note?: string }
  | { readonly _tag: "Incompatible"; readonly status: SyncStatus; readonly reason: string }

const compatible: Verdict = { _tag: "Compatible" }

const incompatible = (status: SyncStatus, reason: string): Verdict => ({ _tag: "Incompatible", status, reason })

const majorMinor = (version: string): readonly [number, number] | undefined => {
  const [, major, minor] = /^(\d+)\.(\d+)\.\d+/.exec(version) ?? []
  return major === undefined || minor === undefined ? undefined : [Number(major), Number(minor)]
}

/** §9.1: the same major version, and a data plane that is not newer in its minor. */
export const checkVersions = (control: string, data: string): Verdict => {
  const cp = majorMinor(control)
  const dp = majorMinor(data)
  const reject = (why: string) =>
    incompatible("kong_version_incompatible", `data plane version ${data}, control plane version ${control}: ${why}`)
  if (cp === undefined || dp === undefined) return reject("can't be compared")
  if (cp[0] !== dp[0]) return reject("major versions differ")
  if (dp[1] > cp[1]) return reject("the data plane is newer")
  return dp[1] < cp[1] ? { _tag: "Compatible", note: "the data plane is older" } : compatible
}

const checkPlugin = (own: PluginInfo | undefined, theirs: PluginInfo | undefined, name: string): Verdict => {
  if (theirs === undefined) return incompatible("plugin_set_incompatible", `the data plane lacks the plugin ${name}`)
  if (own?.version === undefined || theirs.version === undefined) return compatible
  if (name === "opentelemetry" && theirs.version.startsWith("0.1.")) return compatible
  const cp = majorMinor(own.version)
  const dp = majorMinor(theirs.version)
  return cp === undefined || dp === undefined || (cp[0] === dp[0] && cp[1] >= dp[1])
    ? compatible
    : incompatible(
        "plugin_version_incompatible",
        `plugin ${name}: data plane ${theirs.version}, control plane ${own.version}`
      )
}

/** §9.2: every plugin that the configuration names must be there, in a version that can read it. */
export const checkPlugins = (options: {
  readonly configured: Iterable<string>
  readonly control: ReadonlyArray<PluginInfo>
  readonly data: ReadonlyArray<PluginInfo>
}): Verdict => {
  const find = (plugins: ReadonlyArray<PluginInfo>, name: string) => plugins.find((plugin) => plugin.name === name)
  for (const name of new Set(options.configured)) {
    const verdict = checkPlugin(find(options.control, name), find(options.data, name), name)
    if (verdict._tag === "Incompatible") return verdict
  }
  return compatible
}
