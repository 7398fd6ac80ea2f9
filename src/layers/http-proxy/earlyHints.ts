/** `103 Early Hints` of an upstream (RFC 8297). Node writes them with links or not at all; other hints are dropped. */
import type { Exchange } from "./exchange.ts"

const linksOf = (rawHeaders: ReadonlyArray<string>): Array<string> => {
  const links: Array<string> = []
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    if (rawHeaders[at]?.toLowerCase() === "link") links.push(rawHeaders[at + 1] ?? "")
  }
  return links
}

/** Nothing, for a client whose HTTP knows no interim answers, or for links that Node refuses to write. */
export const writeHints = ({ request, response, upgrade }: Exchange, rawHeaders: ReadonlyArray<string>): void => {
  const link = linksOf(rawHeaders)
  if (link.length === 0 || request.httpVersion === "1.0" || upgrade !== undefined || response.headersSent) return
  try {
    response.writeEarlyHints({ link })
  } catch {
    // Not a link: a hint is no reason to fail a request.
  }
}
