/** What `/etc/resolv.conf` says beyond the servers, which Node reads itself. */

export interface ResolvConf {
  readonly search: ReadonlyArray<string>
  /** A name with at least so many dots is asked for as it is first. */
  readonly ndots: number
  readonly timeoutMs: number
  readonly attempts: number
}

const numberOf = (options: ReadonlyArray<string>, name: string, fallback: number): number => {
  const found = options.find((option) => option.startsWith(`${name}:`))?.slice(name.length + 1)
  return found !== undefined && /^\d+$/.test(found) ? Number(found) : fallback
}

/** The last of several `search` lines counts, as for the system's own resolver. */
export const parseResolvConf = (text: string): ResolvConf => {
  const lines = text.split("\n").map((line) =>
    line
      .replace(/[#;].*/, "")
      .trim()
      .split(/\s+/)
  )
  const search = lines.findLast(([word]) => word === "search" || word === "domain")?.slice(1) ?? []
  const options = lines.filter(([word]) => word === "options").flatMap(([, ...rest]) => rest)
  return {
    search: search.map((domain) => domain.replace(/\.$/, "")).filter((domain) => domain !== ""),
    ndots: Math.min(15, numberOf(options, "ndots", 1)),
    timeoutMs: Math.min(30, Math.max(1, numberOf(options, "timeout", 2))) * 1000,
    attempts: Math.min(5, Math.max(1, numberOf(options, "attempts", 2)))
  }
}

/** The names to ask for in turn; one that ends in a dot is whole. */
export const candidatesFor =
  ({ search, ndots }: ResolvConf) =>
  (name: string): ReadonlyArray<string> => {
    if (name.endsWith(".")) return [name.slice(0, -1)]
    const longer = search.map((domain) => `${name}.${domain}`)
    return name.split(".").length - 1 >= ndots ? [name, ...longer] : [...longer, name]
  }
