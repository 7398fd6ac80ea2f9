/** The hosts file: its entries never expire, and `localhost` is always one (`proxy-behaviour.md` §9). */
import { isIP } from "node:net"

/** Names in lower case. Where a name has addresses of both families, those of IPv4 count. */
export const parseHosts = (text: string): ReadonlyMap<string, ReadonlyArray<string>> => {
  const hosts = new Map<string, Array<string>>()
  for (const line of text.split("\n")) {
    const [address = "", ...names] = line.replace(/#.*/, "").trim().split(/\s+/)
    if (isIP(address) === 0) continue
    for (const name of names.map((name) => name.toLowerCase())) hosts.set(name, [...(hosts.get(name) ?? []), address])
  }
  if (!hosts.has("localhost")) hosts.set("localhost", ["127.0.0.1"])
  for (const [name, addresses] of hosts) {
    const ofIPv4 = addresses.filter((address) => isIP(address) === 4)
    hosts.set(name, [...new Set(ofIPv4.length > 0 ? ofIPv4 : addresses)])
  }
  return hosts
}
