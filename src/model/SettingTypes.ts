/**
 * How the text of a setting becomes a value. Each type says what it expects in words that finish the sentence
 * "expected …"; a parser that returns `undefined` refused the text.
 */
import { isIP } from "node:net"
import { type CacheKey, cacheKeyShape, readCacheKeys } from "./CacheKey.ts"
import { parseRecord, type Row } from "./Entity.ts"
import { splitHostPort } from "./Field.ts"
import { type ForwardProxy, readForwardProxy } from "./ForwardProxy.ts"
import { type RungSource, rungSources } from "./Snapshot.ts"
import { readStorageLocation, type StorageLocation } from "./StorageLocation.ts"

export interface SettingType<A> {
  readonly expected: string
  readonly parse: (text: string) => A | undefined
  /** What a refused text has instead, in words that give nothing of it away: for values that can't be shown, and aren't then. */
  readonly found?: (text: string) => string | undefined
}

const make = <A>(expected: string, parse: (text: string) => A | undefined): SettingType<A> => ({ expected, parse })

export const text: SettingType<string> = make("text", (value) => value)

export const integer = (minimum: number, maximum: number): SettingType<number> =>
  make(`an integer between ${minimum} and ${maximum}`, (value) => {
    const number = /^-?\d+$/.test(value) ? Number(value) : Number.NaN
    return number >= minimum && number <= maximum ? number : undefined
  })

export const number = (minimum: number, maximum: number): SettingType<number> =>
  make(`a number between ${minimum} and ${maximum}`, (value) => {
    const number = /^-?\d+(\.\d+)?$/.test(value) ? Number(value) : Number.NaN
    return number >= minimum && number <= maximum ? number : undefined
  })

const switches: Readonly<Record<string, boolean>> = {
  on: true,
  true: true,
  yes: true,
  off: false,
  false: false,
  no: false
}
export const onOff: SettingType<boolean> = make("on or off", (value) => switches[value.toLowerCase()])

/** Where nginx would log to something else, a file of that name would be made here. */
export const logPath: SettingType<string> = make("off, /dev/stdout, /dev/stderr, or the path of a file", (value) => {
  if (value.toLowerCase() === "off") return "off"
  return /^(?:syslog|memory):|\0|\/$/.test(value) ? undefined : value
})

export const oneOf = <const L extends ReadonlyArray<string>>(literals: L): SettingType<L[number]> =>
  make(`one of ${literals.join(", ")}`, (value) => literals.find((literal) => literal === value.toLowerCase()))

export const uuid: SettingType<string> = make("a UUID", (value) =>
  /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(value) ? value.toLowerCase() : undefined
)

export const version: SettingType<string> = make("a version such as 3.9.0", (value) =>
  /^\d+\.\d+\.\d+(\.\d+)?(-[\w.]+)?$/.test(value) ? value : undefined
)

export interface HostPort {
  readonly host: string
  readonly port: number
}

/** Where neighbours are: at every address of a host, or where a record of DNS says. */
export type PeerAddress = HostPort | { readonly srv: string }

export const hostPort: SettingType<HostPort> = make("host:port", (value) => {
  const parts = splitHostPort(value)
  return parts?.port === undefined || /[\s/]/.test(parts.host) ? undefined : { host: parts.host, port: parts.port }
})

const proxyOrProblem = (value: string): ForwardProxy | string => {
  const read = readForwardProxy(value)
  return "problem" in read ? read.problem : read
}

/** `hybrid-protocol-v1.md` §1.4. */
export const forwardProxy: SettingType<ForwardProxy> = {
  expected: "http://[user:password@]host:port, or the same with https://",
  parse: (value) => {
    const read = proxyOrProblem(value)
    return typeof read === "string" ? undefined : read
  },
  found: (value) => {
    const read = proxyOrProblem(value)
    return typeof read === "string" ? read : undefined
  }
}

export interface ListenAddress {
  readonly host: string
  readonly port: number
  readonly isTls: boolean
  readonly isHttp2: boolean
}

/** Flags of nginx that change nothing here, accepted so that a Kong configuration starts unchanged. */
const ignoredListenFlags =
  /^(reuseport|deferred|bind|http2|ssl|default_server|so_keepalive=\S+|ipv6only=\S+|backlog=\d+)$/

const listenAddress = (entry: string): ListenAddress | undefined => {
  const [address = "", ...flags] = entry.trim().split(/\s+/)
  const parts = splitHostPort(address)
  if (parts?.port === undefined || (isIP(parts.host) === 0 && parts.host !== "localhost")) return undefined
  if (!flags.every((flag) => ignoredListenFlags.test(flag))) return undefined
  return { host: parts.host, port: parts.port, isTls: flags.includes("ssl"), isHttp2: flags.includes("http2") }
}

export const listenAddresses: SettingType<ReadonlyArray<ListenAddress>> = make(
  "off, or a comma-separated list of ip:port [ssl] [http2] [reuseport] [backlog=N]; proxy_protocol is not served",
  (value) => {
    if (value === "off") return []
    const addresses = value.split(",").map(listenAddress)
    return addresses.every((address) => address !== undefined) ? addresses : undefined
  }
)

const labelPart = /^[a-z0-9](?:[\w.:-]*[a-z0-9])?$/i
const reservedLabel = /^(kong|konnect|insomnia|mesh|kic)/i

/** `hybrid-protocol-v1.md` §12. */
export const labels: SettingType<Readonly<Record<string, string>>> = make(
  "at most 10 labels as key:value, each part 1 to 63 letters, digits, '.', '_', ':', '-'; no key starting with kong, konnect, insomnia, mesh, kic",
  (value) => {
    const pairs = splitList(value).map((label): readonly [string, string] => {
      const at = label.indexOf(":")
      return [label.slice(0, at), label.slice(at + 1)]
    })
    const isGood = ([key, label]: readonly [string, string]) =>
      [key, label].every((part) => part.length <= 63 && labelPart.test(part)) && !reservedLabel.test(key)
    return pairs.length <= 10 && pairs.every(isGood) ? Object.fromEntries(pairs) : undefined
  }
)

/** As `node:dns` takes them. */
export const nameServers: SettingType<ReadonlyArray<string>> = make(
  "a comma-separated list of ip or ip:port",
  (value) => {
    const servers = splitList(value).map((entry) => {
      const { host = entry, port = 53 } = isIP(entry) === 0 ? (splitHostPort(entry) ?? {}) : {}
      if (isIP(host) === 0) return undefined
      return isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`
    })
    return servers.every((server) => server !== undefined) ? servers : undefined
  }
)

const recordTypes = ["LAST", "SRV", "A", "AAAA", "CNAME"] as const

export const recordOrder: SettingType<ReadonlyArray<(typeof recordTypes)[number]>> = make(
  `a comma-separated list of ${recordTypes.join(", ")}, with at least one of SRV, A, AAAA`,
  (value) => {
    const types = splitList(value).map((entry) => recordTypes.find((type) => type === entry.toUpperCase()))
    const isGood = types.some((type) => type === "SRV" || type === "A" || type === "AAAA")
    return isGood && types.every((type) => type !== undefined) ? types : undefined
  }
)

export const list: SettingType<ReadonlyArray<string>> = make("a comma-separated list", (value) => splitList(value))

/** Of a collector. What authenticates there is a header, which is a secret; a URL is shown, but for one that has a password. */
export const httpUrl: SettingType<string> = {
  ...make("an http:// or https:// URL without user name and password", (value) => {
    if (!URL.canParse(value)) return undefined
    const { protocol, username, password, href } = new URL(value)
    return /^https?:$/.test(protocol) && username === "" && password === "" ? href : undefined
  }),
  found: (value) => (value.includes("@") ? "an @ in it" : undefined)
}

const decoded = (text: string): string | undefined => {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

/** As OpenTelemetry's own variables are written. */
export const pairs = (expected: string, isGood: (name: string, value: string) => boolean) =>
  make<Readonly<Record<string, string>>>(expected, (value) => {
    const found = splitList(value).map((entry): readonly [string, string | undefined] => {
      const at = entry.indexOf("=")
      return [entry.slice(0, Math.max(0, at)).trim(), at < 1 ? undefined : decoded(entry.slice(at + 1).trim())]
    })
    const areGood = found.every(([name, text]) => text !== undefined && isGood(name, text))
    return areGood ? Object.fromEntries(found.map(([name, text = ""]) => [name, text])) : undefined
  })

const token = /^[\w!#$%&'*+.^`|~-]+$/

export const headerPairs = pairs(
  "a comma-separated list of header=value, values percent-encoded where they need it",
  (name, value) => token.test(name) && /^[\t\x20-\x7e]*$/.test(value)
)

export const attributePairs = pairs(
  "a comma-separated list of attribute=value, values percent-encoded where they need it",
  (name) => name !== ""
)

/** Keys of the cache, the one to write with first. */
export const cacheKeys: SettingType<ReadonlyArray<CacheKey>> = make(
  `a comma-separated list of keys, each ${cacheKeyShape}`,
  readCacheKeys
)

const splitList = (value: string): ReadonlyArray<string> =>
  value
    .split(",")
    .map((entry) => entry.trim())
    .filter((entry) => entry !== "")

/** One or more of these names, in any case, or `off` alone for none. */
export const offOrSome = (names: ReadonlyArray<string>): SettingType<ReadonlyArray<string>> =>
  make(`off, or a comma-separated list of ${names.join(", ")}`, (value) => {
    if (value.toLowerCase() === "off") return []
    const found = splitList(value).map((entry) => names.find((name) => name.toLowerCase() === entry.toLowerCase()))
    return found.every((name) => name !== undefined) ? found : undefined
  })

/** As Kong's own plugins are called: lower case, digits, and hyphens or underscores between. */
export const isPluginName = (value: string): boolean => /^[a-z0-9]+(?:[-_][a-z0-9]+)*$/.test(value)

/** `off` alone is none. */
export const pluginNames: SettingType<ReadonlyArray<string>> = make(
  "off, or a comma-separated list of bundled and names of plugins in lower case",
  (value) => {
    if (value.toLowerCase() === "off") return []
    const names = splitList(value)
    return names.length > 0 && names.every((name) => isPluginName(name) && name !== "off") ? names : undefined
  }
)

/** A header by its name, in lower case. */
export const headerName: SettingType<string> = make("the name of a header (proxy_protocol is not served)", (value) =>
  /^[\w!#$%&'*+.^`|~-]+$/.test(value) && value !== "proxy_protocol" ? value.toLowerCase() : undefined
)

const portOf = (value: string | undefined): number => {
  const port = value !== undefined && /^\d{1,5}$/.test(value) ? Number(value) : 0
  return port >= 1 && port <= 65_535 ? port : 0
}

/** As a container engine writes it: the port outside, then the port inside. Keyed by the port outside. */
export const portMaps: SettingType<Readonly<Record<number, number>>> = make(
  "a comma-separated list of outer-port:inner-port, such as 80:8000",
  (value) => {
    const pairs = splitList(value).map((entry) => entry.split(":"))
    const isGood = (pair: ReadonlyArray<string>) => pair.length === 2 && pair.every((port) => portOf(port) > 0)
    return pairs.every(isGood)
      ? Object.fromEntries(pairs.map(([outer, inner]) => [portOf(outer), portOf(inner)]))
      : undefined
  }
)

const isCidr = (value: string): boolean => {
  const [address = "", bits, ...rest] = value.split("/")
  const family = isIP(address)
  return (
    value === "unix:" ||
    (family !== 0 &&
      rest.length === 0 &&
      (bits === undefined || (/^\d+$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128))))
  )
}

export const cidrs: SettingType<ReadonlyArray<string>> = make(
  "a comma-separated list of IP addresses or CIDR blocks",
  (value) => {
    const blocks = splitList(value)
    return blocks.every(isCidr) ? blocks : undefined
  }
)

/** Rungs of the ladder, best first. */
export const sources: SettingType<ReadonlyArray<RungSource>> = make(
  `a comma-separated list of ${rungSources.join(", ")}, each at most once`,
  (value) => {
    const found = splitList(value).map((entry) => rungSources.find((source) => source === entry.toLowerCase()))
    const isGood = found.length > 0 && new Set(found).size === found.length
    return isGood && found.every((source) => source !== undefined) ? found : undefined
  }
)

export const storageLocation: SettingType<StorageLocation> = make(
  "s3://bucket/prefix, gcs://bucket/prefix (or gs://), azure://account/container/prefix, or file:///folder",
  readStorageLocation
)

/** What is merged into a request of a vendor's: its own names, and values of any kind. */
export const jsonObject: SettingType<Row> = make("a JSON object", parseRecord)

/** Neighbours: `host:port`, where each address of the name is one, or the name of an SRV record, which begins with `_`. */
export const peers: SettingType<ReadonlyArray<PeerAddress>> = make(
  "a comma-separated list of host:port and of names of SRV records, such as _holdfast._tcp.example.com",
  (value) => {
    const found = splitList(value).map((entry): PeerAddress | undefined => {
      if (/^_[\w-]+\._tcp\.[\w.-]+$/i.test(entry)) return { srv: entry }
      const parts = hostPort.parse(entry)
      return parts === undefined ? undefined : parts
    })
    return found.length > 0 && found.every((peer) => peer !== undefined) ? found : undefined
  }
)

/** As the age format writes keys that anybody may encrypt to. */
export const ageRecipients: SettingType<ReadonlyArray<string>> = make(
  "a comma-separated list of age recipients, such as age1… (`holdfast config keygen --encryption` makes a pair)",
  (value) => {
    const found = splitList(value)
    return found.length > 0 && found.every((entry) => /^age1[02-9ac-hj-np-z]{58}$/.test(entry)) ? found : undefined
  }
)
