/** The `X-Forwarded-*` family (`proxy-behaviour.md` §1): a trusted peer's word counts, everybody else gets ours. */
import type { IncomingHttpHeaders } from "node:http"
import type { ListenerFacts } from "./exchange.ts"
import type { RequestHead } from "./requestHead.ts"

export interface Forwarded {
  readonly proto: string
  readonly host: string
  readonly port: string
  readonly path: string
}

const sent = (headers: IncomingHttpHeaders, name: string): string | undefined => {
  const value = headers[name]
  return value === undefined || value === "" ? undefined : String(value)
}

export const forwardedOf = (head: RequestHead, headers: IncomingHttpHeaders, listener: ListenerFacts): Forwarded => {
  const believed = (name: string) => (head.peer.isTrusted ? sent(headers, name) : undefined)
  return {
    proto: believed("x-forwarded-proto") ?? (listener.isTls ? "https" : "http"),
    host: believed("x-forwarded-host") ?? head.facts.host.toLowerCase(),
    port: believed("x-forwarded-port") ?? String(listener.port),
    path: believed("x-forwarded-path") ?? head.target.path
  }
}

export const forwardedPrefixOf = (
  head: RequestHead,
  headers: IncomingHttpHeaders,
  stripped: string | undefined
): string | undefined => (head.peer.isTrusted ? sent(headers, "x-forwarded-prefix") : undefined) ?? stripped

/** An address is appended to whatever the client claims, trusted or not. */
export const forwardedForOf = (head: RequestHead, headers: IncomingHttpHeaders): string => {
  const claimed = sent(headers, "x-forwarded-for")
  return claimed === undefined ? head.peer.clientAddress : `${claimed}, ${head.peer.address}`
}
