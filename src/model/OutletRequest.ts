/** The URL with which a data plane dials: reference `hybrid-protocol-v1.md` §1. */

export interface OutletRequest {
  readonly path: string
  readonly nodeId: string | undefined
  readonly hostname: string | undefined
  readonly version: string | undefined
}

/** Open-source data planes write their values as they are, others encode them: both must be read. */
const decoded = (text: string): string => {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

export const parseOutletRequest = (url: string): OutletRequest => {
  const [path = "", ...rest] = url.split("?")
  const values = new Map(
    rest
      .join("?")
      .split("&")
      .map((pair): readonly [string, string] => {
        const at = pair.indexOf("=")
        return at === -1 ? [pair, ""] : [pair.slice(0, at), decoded(pair.slice(at + 1))]
      })
      .filter(([, value]) => value !== "")
  )
  return {
    path,
    nodeId: values.get("node_id"),
    hostname: values.get("node_hostname"),
    version: values.get("node_version")
  }
}
