/**
 * A forward proxy as `proxy_server` names it, `http(s)://[user:password@]host:port`: reference `hybrid-protocol-v1.md`
 * §1.4. The text holds a password, so nothing that is said of a wrong one quotes any of it.
 *
 * What is special may be percent-encoded and need not be: the user's part ends at the last `@`, the user name at the
 * first `:`, and a `%` without two hexadecimal digits stands for itself. So `#`, `@`, `:`, `/` in a password work as
 * they are.
 */
import { isIPv6 } from "node:net"
import { splitHostPort } from "./Field.ts"

export interface ForwardProxy {
  /** Whether the connection to the proxy itself is TLS. */
  readonly isTls: boolean
  readonly host: string
  readonly port: number
  /** The value of `Proxy-Authorization`, when there are credentials. Never to be shown. */
  readonly authorization: string | undefined
}

const scheme = /^(https?):\/\//i
const hostName = /^[^\s/?#\\@:[\]%]+$/

/** Bytes, for a percent-encoded byte need not be part of UTF-8. */
const percentDecoded = (text: string): Buffer => {
  const bytes = Buffer.from(text, "utf8").toString("latin1")
  const decoded = bytes.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
  return Buffer.from(decoded, "latin1")
}

/** Basic authentication ends the user name at the first colon, so that one with a colon can't be said (RFC 7617 §2). */
const basicAuthorization = (userInfo: string): string | { readonly problem: string } => {
  const at = userInfo.indexOf(":")
  const user = percentDecoded(at === -1 ? userInfo : userInfo.slice(0, at))
  const password = percentDecoded(at === -1 ? "" : userInfo.slice(at + 1))
  if (user.includes(":")) return { problem: "a user name with a colon, which Basic authentication can't carry" }
  return `Basic ${Buffer.concat([user, Buffer.from(":"), password]).toString("base64")}`
}

const readAddress = (text: string): Pick<ForwardProxy, "host" | "port"> | { readonly problem: string } => {
  const address = text.replace(/\/$/, "")
  const parts = splitHostPort(address)
  if (parts?.port === undefined) {
    return { problem: "no port, or something that is none, where the port belongs" }
  }
  const { host, port } = parts
  const isHost = address.startsWith("[") ? isIPv6(host) : hostName.test(host)
  if (!isHost) return { problem: "no host, or something that is none, where the host belongs" }
  return port === 0 ? { problem: "port 0" } : { host, port }
}

/** The proxy, or what was found instead, in words that finish the sentence "expected …, found …". */
export const readForwardProxy = (text: string): ForwardProxy | { readonly problem: string } => {
  const [start, name = ""] = scheme.exec(text) ?? []
  if (start === undefined) return { problem: "another scheme, or none" }
  const rest = text.slice(start.length)
  const at = rest.lastIndexOf("@")
  const address = readAddress(rest.slice(at + 1))
  if ("problem" in address) return address
  const authorization = at === -1 ? undefined : basicAuthorization(rest.slice(0, at))
  if (typeof authorization === "object") return authorization
  return { isTls: name.toLowerCase() === "https", ...address, authorization }
}
