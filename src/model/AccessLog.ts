/**
 * One line for one request, in nginx's `combined` format or as JSON. A line never holds a header beyond `Referer` and
 * `User-Agent`, nor a body; and no query, in neither target nor referer, unless it is asked for: queries are where tokens travel.
 * Whatever a client sends stays inside its field and its line.
 */

export const accessLogFormats = ["combined", "json"] as const

export type AccessLogFormat = (typeof accessLogFormats)[number]

export interface AccessFacts {
  readonly atMs: number
  readonly id: string
  readonly clientAddress: string
  readonly method: string | undefined
  /** The target as it was sent. */
  readonly target: string | undefined
  readonly httpVersion: string
  readonly isTls: boolean
  readonly status: number
  readonly source: string
  readonly service: string | undefined
  readonly route: string | undefined
  readonly consumer: string | undefined
  readonly requestBodyBytes: number
  readonly responseBodyBytes: number
  readonly requestMs: number
  /** -1 when the request never was on its way to an upstream. */
  readonly proxyMs: number
  readonly upstreamMs: number
  readonly referer: string | undefined
  readonly userAgent: string | undefined
  /** Of the trace that the request belongs to, where there is one. */
  readonly traceId: string | undefined
}

// Quote, backslash, and all that is no printable ASCII: nginx's own rule.
const toEscape = /["\\]|[^\x20-\x7e]/g
const needsEscape = /["\\]|[^\x20-\x7e]/

const encoder = new TextEncoder()

const hex = (byte: number): string => `\\x${byte.toString(16).toUpperCase().padStart(2, "0")}`

/** Header values and targets come as one character a byte; what is beyond a byte goes out as UTF-8. */
const escapeOne = (character: string): string => {
  const code = character.charCodeAt(0)
  return code <= 0xff ? hex(code) : [...encoder.encode(character)].map(hex).join("")
}

const field = (text: string | undefined): string => {
  if (text === undefined || text === "") return "-"
  return needsEscape.test(text) ? text.replaceAll(toEscape, escapeOne) : text
}

const credentials = /^([a-z][a-z0-9+.-]*:\/\/)[^/]*@/i

/** Without query and fragment, and without the user and password of a whole URL. */
const bare = (target: string | undefined): string | undefined => {
  const path = target?.replace(/[?#].*$/s, "")
  return path?.includes("@") ? path.replace(credentials, "$1") : path
}

const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

const two = (value: number): string => String(value).padStart(2, "0")

/** nginx's `$time_local`, in UTC. */
const clfTime = (ms: number): string => {
  const at = new Date(ms)
  const day = `${two(at.getUTCDate())}/${months[at.getUTCMonth()]}/${at.getUTCFullYear()}`
  return `${day}:${two(at.getUTCHours())}:${two(at.getUTCMinutes())}:${two(at.getUTCSeconds())} +0000`
}

interface Shown {
  readonly target: string | undefined
  readonly referer: string | undefined
}

const combinedLine = (facts: AccessFacts, { target, referer }: Shown): string => {
  const request =
    facts.method === undefined || target === undefined
      ? "-"
      : `${field(facts.method)} ${field(target)} HTTP/${facts.httpVersion}`
  return `${field(facts.clientAddress)} - - [${clfTime(facts.atMs)}] "${request}" ${facts.status} ${facts.responseBodyBytes} "${field(referer)}" "${field(facts.userAgent)}"\n`
}

/** Microseconds are enough. */
const rounded = (ms: number): number => Math.round(ms * 1000) / 1000

const unlessNever = (ms: number): number | undefined => (ms < 0 ? undefined : rounded(ms))

// Control characters and line breaks that JSON lets pass, and terminals obey.
const controls = /[\x7f-\x9f\u2028\u2029]/
const allControls = /[\x7f-\x9f\u2028\u2029]/g

const unicodeEscape = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`

const inert = (text: string): string => (controls.test(text) ? text.replaceAll(allControls, unicodeEscape) : text)

/** Fields that have nothing to tell are left out. */
const jsonLine = (facts: AccessFacts, { target, referer }: Shown): string =>
  `${inert(
    JSON.stringify({
      time: new Date(facts.atMs).toISOString(),
      request_id: facts.id,
      client: facts.clientAddress === "" ? undefined : facts.clientAddress,
      method: facts.method,
      target,
      http_version: facts.httpVersion,
      tls: facts.isTls,
      status: facts.status,
      source: facts.source,
      service: facts.service,
      route: facts.route,
      consumer: facts.consumer,
      request_bytes: facts.requestBodyBytes,
      response_bytes: facts.responseBodyBytes,
      request_ms: rounded(facts.requestMs),
      proxy_ms: unlessNever(facts.proxyMs),
      upstream_ms: unlessNever(facts.upstreamMs),
      referer,
      user_agent: facts.userAgent,
      trace_id: facts.traceId
    })
  )}\n`

export interface AccessLogStyle {
  readonly format: AccessLogFormat
  readonly hasQuery: boolean
}

export const accessLine = (facts: AccessFacts, { format, hasQuery }: AccessLogStyle): string => {
  const shown = hasQuery ? facts : { target: bare(facts.target), referer: bare(facts.referer) }
  return format === "json" ? jsonLine(facts, shown) : combinedLine(facts, shown)
}
