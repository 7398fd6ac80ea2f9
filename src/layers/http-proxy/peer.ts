/** Who sent the request, and who is believed: trusted peers and real-ip (`proxy-behaviour.md` §1). */
import type { IncomingMessage } from "node:http"
import { BlockList, isIP } from "node:net"
import type { SettingValues } from "../../model/SettingTable.ts"

export interface Peer {
  /** The other end of the connection. */
  readonly address: string
  readonly isTrusted: boolean
  /** The client as a trusted peer names it; otherwise the peer. */
  readonly clientAddress: string
}

const familyOf = (address: string): "ipv4" | "ipv6" => (isIP(address) === 6 ? "ipv6" : "ipv4")

/** `unix:` is accepted as a setting and trusts nobody: no listener is a Unix socket. */
const makeTrust = (blocks: ReadonlyArray<string>): ((address: string) => boolean) => {
  const list = new BlockList()
  for (const block of blocks) {
    const [address = "", bits] = block.split("/")
    if (isIP(address) === 0) continue
    if (bits === undefined) list.addAddress(address, familyOf(address))
    else list.addSubnet(address, Number(bits), familyOf(address))
  }
  if (list.rules.length === 0) return () => false
  return (address) => isIP(address) !== 0 && list.check(address, familyOf(address))
}

/** A socket that listens on `::` sees IPv4 peers in IPv6 clothes. */
const plainAddress = (address: string): string =>
  address.startsWith("::ffff:") && isIP(address.slice(7)) === 4 ? address.slice(7) : address

/** nginx takes addresses with a port too. */
const addressIn = (entry: string): string | undefined => {
  const text = entry.trim()
  if (isIP(text) !== 0) return text
  const [, bracketed, plain] = /^(?:\[([^\]]+)\]|([^:]+))(?::\d{1,5})?$/.exec(text) ?? []
  const address = bracketed ?? plain ?? ""
  return isIP(address) === 0 ? undefined : address
}

/** From right to left, as far as each address is one and, when recursive, trusted: nginx's realip module. */
const clientIn = (
  list: string,
  isRecursive: boolean,
  isTrustedAddress: (address: string) => boolean
): string | undefined => {
  let found: string | undefined
  for (const entry of list.split(",").reverse()) {
    const address = addressIn(entry)
    if (address === undefined) return found
    found = plainAddress(address)
    if (!isRecursive || !isTrustedAddress(found)) return found
  }
  return found
}

type PeerSettings = Pick<SettingValues, "trusted_ips" | "real_ip_header" | "real_ip_recursive">

export const makePeerReader = (settings: PeerSettings): ((request: IncomingMessage) => Peer) => {
  const isTrustedAddress = makeTrust(settings.trusted_ips)
  const { real_ip_header: header, real_ip_recursive: isRecursive } = settings
  const named = (request: IncomingMessage): string | undefined => {
    const value = request.headers[header]
    return value === undefined ? undefined : clientIn(String(value), isRecursive, isTrustedAddress)
  }
  return (request) => {
    const address = plainAddress(request.socket.remoteAddress ?? "")
    const isTrusted = isTrustedAddress(address)
    return { address, isTrusted, clientAddress: (isTrusted ? named(request) : undefined) ?? address }
  }
}
