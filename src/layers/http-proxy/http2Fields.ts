/**
 * Headers and trailers as HTTP/2 takes them. Node checks some of it only while it writes, where nobody could catch what it
 * throws: whatever an upstream says, nothing may reach it that it refuses (RFC 9113 §8.2.2).
 */

/** They speak of a connection, and HTTP/2 has none of that kind. */
const connectionSpecific: ReadonlySet<string> = new Set([
  ...["connection", "http2-settings", "keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade"]
])

/** Of these Node's HTTP/2 writes one value and refuses a second. */
const singleValued: ReadonlySet<string> = new Set([
  ...["access-control-allow-credentials", "access-control-max-age", "access-control-request-method", "age"],
  ...["authorization", "content-encoding", "content-language", "content-length", "content-location", "content-md5"],
  ...["content-range", "content-type", "date", "dnt", "etag", "expires", "from", "host", "if-match"],
  ...["if-modified-since", "if-none-match", "if-range", "if-unmodified-since", "last-modified", "location"],
  ...["max-forwards", "proxy-authorization", "range", "referer", "retry-after", "tk", "upgrade-insecure-requests"],
  ...["user-agent", "x-content-type-options"]
])

/** A raw list, grouped: repeated names become arrays, the first value counts where there can be but one. */
export const http2Fields = (raw: ReadonlyArray<string>): Record<string, string | Array<string>> => {
  const grouped = new Map<string, Array<string>>()
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = (raw[at] ?? "").toLowerCase()
    const value = raw[at + 1] ?? ""
    if (name.startsWith(":") || connectionSpecific.has(name)) continue
    const values = grouped.get(name)
    if (values === undefined) grouped.set(name, [value])
    else if (!singleValued.has(name)) values.push(value)
  }
  return Object.fromEntries(
    [...grouped].map(([name, values]) => [name, values.length === 1 ? (values[0] ?? "") : values])
  )
}
