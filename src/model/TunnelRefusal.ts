/** What a forward proxy that opens no tunnel means by its answer to CONNECT: reference `hybrid-protocol-v1.md` §1.4. */
import { STATUS_CODES } from "node:http"

export interface TunnelRefusal {
  readonly status: number
  /** `Proxy-Authenticate`, its lines joined by commas. */
  readonly challenge: string | undefined
  readonly hasCredentials: boolean
}

/** Names of the schemes, without their parameters: `Negotiate, Basic realm="a, b"` gives Negotiate and Basic. */
const schemesOf = (challenge: string): ReadonlyArray<string> =>
  challenge
    .replaceAll(/"(?:[^"\\]|\\.)*"/g, '""')
    .split(",")
    .flatMap((part) => /^\s*([A-Za-z][A-Za-z0-9-]{0,30})(?!\s*=|[\w-])/.exec(part)?.[1] ?? [])

const authenticationRefused = ({ challenge = "", hasCredentials }: TunnelRefusal): string => {
  const schemes = schemesOf(challenge)
  const takesBasic = schemes.length === 0 || schemes.some((scheme) => scheme.toLowerCase() === "basic")
  if (!takesBasic) return `asks for authentication by ${schemes.join(", ")}, and only Basic is served`
  return hasCredentials
    ? "refuses the user name or the password of proxy_server"
    : "asks for a user name and a password, and proxy_server has none"
}

/** Finishes the sentence "the forward proxy …". The proxy's own words are left out: nobody vouches for them. */
export const tunnelRefusal = (refusal: TunnelRefusal): string => {
  const { status } = refusal
  if (status === 407) return `${authenticationRefused(refusal)} (HTTP 407)`
  const words = STATUS_CODES[status]
  return `opened no tunnel: HTTP ${status}${words === undefined ? "" : ` ${words}`}`
}
