/** Who sent the request, and who is believed: trusted peers and real-ip (`proxy-behaviour.md` §1). */
import type { IncomingMessage } from "node:http"
import { BlockList, isIP } from "node:net"

export interface Peer {
  /** The other end of the connection. */
  readonly address: string
  readonly isTrusted: boolean
  /** The client as a trusted peer names it; otherwise the peer. */
  readonly clientAddress: string
}

const familyOf = (address: string): "ipv4" | "ipv6" => (isIP(address) === 6 ? "ipv6" : "ipv4")

/** `unix:` is accepted as a setting and trusts nobody: no listener is a Unix socket. */
export const makeTrust = (blocks: ReadonlyArray<string>): ((address: string) => boolean) => {
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

const realIp = (request: IncomingMessage): string | undefined => {
  const value = request.headers["x-real-ip"]
  return typeof value === "string" && isIP(value) !== 0 ? value : undefined
}

export const peerOf = (request: IncomingMessage, isTrustedAddress: (address: string) => boolean): Peer => {
  const address = plainAddress(request.socket.remoteAddress ?? "")
  const isTrusted = isTrustedAddress(address)
  return { address, isTrusted, clientAddress: (isTrusted ? realIp(request) : undefined) ?? address }
}
