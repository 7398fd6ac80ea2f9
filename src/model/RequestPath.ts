/**
 * The path of a request: normalised for matching, and turned into the upstream's. Rules: reference `router.md` §2, §8.
 *
 * Paths here are byte strings, one character a byte, as HTTP carries them: that keeps every request, even one that is
 * no UTF-8, exactly as it was. What comes from a configuration goes through `toByteString` first.
 */

/** A text as its UTF-8 bytes, one character each. */
export const toByteString = (text: string): string =>
  /^\p{ASCII}*$/u.test(text) ? text : Buffer.from(text, "utf8").toString("latin1")

const reserved: ReadonlySet<string> = new Set("!*'();:@&=+$,/?%#[]")
const triplet = /%([0-9A-Fa-f]{2})/g
const brokenTriplet = /%(?![0-9A-Fa-f]{2})/

const decodeTriplet = (whole: string, hex: string): string => {
  const byte = String.fromCharCode(Number.parseInt(hex, 16))
  return reserved.has(byte) ? whole.toUpperCase() : byte
}

const removeDotSegments = (path: string): string => {
  const kept: Array<string> = []
  const segments = path.slice(1).split("/")
  segments.forEach((segment, index) => {
    const isDots = segment === "." || segment === ".."
    if (segment === "..") kept.pop()
    if (!isDots) kept.push(segment)
    // A path that ends in a dot segment names a folder: its slash stays.
    else if (index === segments.length - 1) kept.push("")
  })
  return `/${kept.join("/")}`
}

/** Nothing to do: the common case, and the cheap one. */
const isPlain = (path: string): boolean => !path.includes("%") && !path.includes("//") && !path.includes("/.")

/**
 * The path that routes are matched with; `undefined` for one that nobody should have sent. Broken percent triplets are
 * refused, as nginx does before a router sees them: what they would decode to changes with every pass over them. So
 * are NUL bytes.
 */
export const normalizePath = (path: string): string | undefined => {
  if (!path.startsWith("/")) return undefined
  if (isPlain(path)) return path
  if (brokenTriplet.test(path)) return undefined
  const decoded = path.replace(triplet, decodeTriplet)
  if (decoded.includes("\0")) return undefined
  return removeDotSegments(decoded).replace(/\/{2,}/g, "/")
}

const forbidden = /[^A-Za-z0-9\-_.~!#$&'()*+,/:;=?@[\]%]/g
const hasForbidden = /[^A-Za-z0-9\-_.~!#$&'()*+,/:;=?@[\]%]/

const encodeByte = (byte: string): string => `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`

/** Percent-encodes what a request line may not carry. */
export const encodePath = (path: string): string =>
  hasForbidden.test(path) ? path.replace(forbidden, encodeByte) : path

/** `/route` matched against `/route./x` leaves `./x`; upstream that would be read as a dot segment. */
const dropLeadingDots = (rest: string): string =>
  rest === "." || rest === ".."
    ? ""
    : rest.startsWith("./")
      ? rest.slice(2)
      : rest.startsWith("../")
        ? rest.slice(3)
        : rest

const joinStripped = (base: string, path: string, rest: string): string => {
  const isFolder = path.length > 1 && path.endsWith("/")
  if (base.endsWith("/")) {
    if (rest === "") return base === "/" || path.endsWith("/") ? base : base.slice(0, -1)
    return rest.startsWith("/") ? base.slice(0, -1) + rest : base + rest
  }
  if (rest === "") return isFolder ? `${base}/` : base
  return rest.startsWith("/") ? base + rest : `${base}/${rest}`
}

const joinWhole = (base: string, path: string): string =>
  base.endsWith("/") ? base + path.slice(1) : path === "/" ? base : base + path

export interface UpstreamPathInput {
  /** `service.path`; `null` means `/`. */
  readonly base: string | null
  /** Normalised path of the request. */
  readonly path: string
  /** Leading part that the route's path matched; empty when the route has no path. */
  readonly matchedPath: string
  readonly isStripped: boolean
}

/** `router.md` §8, `path_handling` v0, the only one of this flavour. Not yet percent-encoded. */
export const upstreamPath = ({ base, path, matchedPath, isStripped }: UpstreamPathInput): string => {
  const root = base ?? "/"
  if (!isStripped) return joinWhole(root, path)
  const rest = matchedPath === "" ? path.slice(1) : path.slice(matchedPath.length)
  return joinStripped(root, path, dropLeadingDots(rest))
}

/** What goes into the request line to the upstream: the query as it came, a bare `?` included. */
export const upstreamTarget = (input: UpstreamPathInput, query: string): string =>
  encodePath(upstreamPath(input)) + query

/** `X-Forwarded-Prefix`; `undefined` when nothing worth telling was stripped. */
export const forwardedPrefix = (matchedPath: string, isStripped: boolean): string | undefined =>
  isStripped && matchedPath !== "" && matchedPath !== "/" ? encodePath(matchedPath) : undefined

export interface SplitTarget {
  readonly path: string
  /** With its `?`; empty when there is none. */
  readonly query: string
}

export const splitTarget = (target: string): SplitTarget => {
  const at = target.indexOf("?")
  return at === -1 ? { path: target, query: "" } : { path: target.slice(0, at), query: target.slice(at) }
}
