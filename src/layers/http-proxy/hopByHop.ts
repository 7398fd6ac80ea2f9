/** Headers that belong to one connection and go no further (RFC 9110 §7.6.1, `proxy-behaviour.md` §1, §2). */

const none: ReadonlySet<string> = new Set()
const harmless: ReadonlySet<string> = new Set(["keep-alive", "close", "upgrade"])

/** Names that the other side's `Connection` header lists. */
export const connectionNames = (connection: string | undefined): ReadonlySet<string> => {
  if (connection === undefined) return none
  const names = connection
    .split(",")
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== "")
  return names.every((name) => harmless.has(name)) ? none : new Set(names)
}

/** Copies raw headers, name after value, with the casing and the repetitions in which they came. */
export const copyHeaders = (
  raw: ReadonlyArray<string>,
  isKept: (lowerName: string) => boolean,
  into: Array<string>
): void => {
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = raw[at] ?? ""
    // HTTP/2 carries the request line as headers whose names begin with a colon.
    if (!name.startsWith(":") && isKept(name.toLowerCase())) into.push(name, raw[at + 1] ?? "")
  }
}

/** Raw headers or trailers as pairs. */
export const pairsOf = (raw: ReadonlyArray<string>): Array<[string, string]> => {
  const pairs: Array<[string, string]> = []
  for (let at = 0; at + 1 < raw.length; at += 2) pairs.push([raw[at] ?? "", raw[at + 1] ?? ""])
  return pairs
}
