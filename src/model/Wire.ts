/**
 * The messages of the hybrid protocol v1, as values: reference `hybrid-protocol-v1.md` §2, §3, §4 and §7. Encoding and
 * decoding only; who compresses, sends and waits is somebody else's concern. Unknown fields are ignored, for newer and
 * commercial peers add some.
 */
import type { ConfigHashes } from "./ConfigHash.ts"
import { type Attestation, attestationRow, readAttestation } from "./ConfigStatement.ts"
import { isRecord, type Row } from "./Entity.ts"
import type { Fault } from "./Fault.ts"
import { zeroHash } from "./Snapshot.ts"
import { syntaxTrouble } from "./thrown.ts"

export const outletPath = "/v1/outlet"

/** The server name of the shared mode: no DNS name, always the same (§1.2). */
export const sharedServerName = "kong_clustering"

/** A data plane pings this often, and either side gives up after the silence (§2, §6, §8). */
export const pingIntervalMs = 30_000
export const silenceLimitMs = 45_000

export const configHashLength = 32

/** A hash is any 32 characters: control planes differ in how they make one (§4). */
export const isConfigHash = (value: unknown): value is string =>
  typeof value === "string" && value.length === configHashLength

export interface PluginInfo {
  readonly name: string
  readonly version?: string
}

/** What a data plane says of itself, once, first (§3). */
export interface BasicInfo {
  readonly plugins: ReadonlyArray<PluginInfo>
  readonly process_conf?: Row
  readonly filters?: Row
  readonly labels?: Readonly<Record<string, string>>
}

/** A whole configuration, as a control plane pushes it (§4). */
export interface Reconfigure {
  /** Seconds since the epoch; for logs only. */
  readonly timestamp?: number
  readonly config_table: Row
  /** Trusted verbatim. Absent: the receiver computes it (§5). */
  readonly config_hash?: string
  /** Granular hashes; absent unless all of them are well-formed, for then everything is rebuilt, which is always right. */
  readonly hashes?: ConfigHashes
  /** What the control plane vouches for: ours alone send it, and others' data planes ignore it (§14). */
  readonly attestation?: Attestation
}

/** What was wrong with one row of a refused configuration (§7). */
export interface EntityErrors {
  /** Singular. */
  readonly entity_type: string
  readonly errors: ReadonlyArray<{
    readonly type: "field" | "entity"
    readonly field?: string
    readonly message: string
  }>
}

/** Why a data plane refused a configuration (§7). */
export interface ErrorReport {
  readonly name: string
  readonly source?: string
  readonly message?: string
  readonly config_hash?: string
  readonly code?: number
  readonly fields?: Row
  readonly flattened_errors?: ReadonlyArray<EntityErrors>
}

interface Wrong {
  readonly _tag: "Wrong"
  readonly faults: ReadonlyArray<Fault>
}

export type DecodedBasicInfo = { readonly _tag: "Right"; readonly message: BasicInfo } | Wrong
export type DecodedErrorReport = { readonly _tag: "Right"; readonly message: ErrorReport } | Wrong
export type DecodedReconfigure =
  | { readonly _tag: "Right"; readonly message: Reconfigure }
  /** A message of another type: to be ignored (§4). */
  | { readonly _tag: "Other"; readonly type: string }
  | Wrong

const wrong = (...faults: ReadonlyArray<Fault>): Wrong => ({ _tag: "Wrong", faults })

const encode = (message: Row): Uint8Array => new TextEncoder().encode(JSON.stringify(message))

const parse = (bytes: Uint8Array): { readonly _tag: "Object"; readonly value: Row } | Wrong => {
  let value: unknown
  try {
    // Lossy decoding would change a configuration silently.
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes))
  } catch (error) {
    return wrong({ path: [], message: `expected JSON (${syntaxTrouble(error)})` })
  }
  return isRecord(value) ? { _tag: "Object", value } : wrong({ path: [], message: "expected a JSON object" })
}

// --- basic_info ---

export const encodeBasicInfo = (info: BasicInfo): Uint8Array => encode({ type: "basic_info", ...info })

/** An empty Lua table is `{}` even where a list belongs (§14.6). */
const listOf = (value: unknown): ReadonlyArray<unknown> | undefined =>
  Array.isArray(value) ? value : isRecord(value) && Object.keys(value).length === 0 ? [] : undefined

const textMap = (value: unknown): Readonly<Record<string, string>> =>
  isRecord(value)
    ? Object.fromEntries(Object.entries(value).filter((pair): pair is [string, string] => typeof pair[1] === "string"))
    : {}

const pluginInfo = (value: unknown): ReadonlyArray<PluginInfo> => {
  if (!isRecord(value) || typeof value.name !== "string") return []
  const version = value.version
  return [typeof version === "string" ? { name: value.name, version } : { name: value.name }]
}

/** The first frame of a session; anything that is no `basic_info` with a list of plugins ends the session (§3). */
export const decodeBasicInfo = (bytes: Uint8Array): DecodedBasicInfo => {
  const parsed = parse(bytes)
  if (parsed._tag === "Wrong") return parsed
  const { type, plugins, process_conf, filters, labels } = parsed.value
  if (type !== "basic_info") return wrong({ path: ["type"], message: `expected "basic_info"`, value: type ?? null })
  const list = listOf(plugins)
  if (list === undefined) return wrong({ path: ["plugins"], message: "expected an array of plugins" })
  return {
    _tag: "Right",
    message: {
      plugins: list.flatMap(pluginInfo),
      ...(isRecord(process_conf) ? { process_conf } : {}),
      ...(isRecord(filters) ? { filters } : {}),
      ...(labels === undefined ? {} : { labels: textMap(labels) })
    }
  }
}

// --- reconfigure ---

/** A name that no other product gives to something else. */
const attestationField = "holdfast"

/** The JSON text of a push, to be compressed as gzip before it is sent (§4). */
export const reconfigureJson = ({ attestation, ...message }: Reconfigure): string =>
  JSON.stringify({
    type: "reconfigure",
    ...message,
    ...(attestation === undefined ? {} : { [attestationField]: attestationRow(attestation) })
  })

const hashNames = ["config", "routes", "services", "plugins", "upstreams", "targets"] as const

/** Missing sub-keys count as zeros (§4). A malformed one makes the whole unusable. */
const granularHashes = (value: unknown): ConfigHashes | undefined => {
  if (!isRecord(value)) return undefined
  const found = hashNames.map((name) => [name, value[name] ?? zeroHash] as const)
  return found.every(([, hash]) => isConfigHash(hash))
    ? (Object.fromEntries(found) as unknown as ConfigHashes)
    : undefined
}

/** Reads the JSON of a push, decompressed. `null` for a hash is a fault: only its absence asks for a computation (§4). */
export const decodeReconfigure = (json: Uint8Array): DecodedReconfigure => {
  const parsed = parse(json)
  if (parsed._tag === "Wrong") return parsed
  const { type, timestamp, config_table, config_hash, hashes } = parsed.value
  if (type !== "reconfigure") return { _tag: "Other", type: String(type) }
  const faults: Array<Fault> = []
  if (!isRecord(config_table)) faults.push({ path: ["config_table"], message: "expected a config table object" })
  if (config_hash !== undefined && !isConfigHash(config_hash)) {
    faults.push({ path: ["config_hash"], message: `expected ${configHashLength} characters`, value: config_hash })
  }
  if (faults.length > 0) return wrong(...faults)
  const granular = granularHashes(hashes)
  const attestation = readAttestation(parsed.value[attestationField])
  return {
    _tag: "Right",
    message: {
      ...(typeof timestamp === "number" ? { timestamp } : {}),
      config_table: config_table as Row,
      ...(isConfigHash(config_hash) ? { config_hash } : {}),
      ...(granular === undefined ? {} : { hashes: granular }),
      ...(attestation === undefined ? {} : { attestation })
    }
  }
}

// --- error ---

/** Sent only to control planes that ask for reports: others end the session over it (§2, §7). */
export const encodeErrorReport = (error: ErrorReport): Uint8Array => encode({ type: "error", error })

/** A data plane does not decide how much of a log it fills. */
const reportTextMax = 2_000

export const decodeErrorReport = (bytes: Uint8Array): DecodedErrorReport => {
  const parsed = parse(bytes)
  if (parsed._tag === "Wrong") return parsed
  const { type, error } = parsed.value
  if (type !== "error" || !isRecord(error))
    return wrong({ path: ["type"], message: `expected "error" with its report`, value: type ?? null })
  const text = (key: "source" | "message" | "config_hash") =>
    typeof error[key] === "string" ? { [key]: error[key].slice(0, reportTextMax) } : {}
  return {
    _tag: "Right",
    message: {
      name: typeof error.name === "string" ? error.name.slice(0, reportTextMax) : "generic or unknown error",
      ...text("source"),
      ...text("message"),
      ...text("config_hash")
    }
  }
}
