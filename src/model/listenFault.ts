/** Why an address could not be listened on, in words for the person who starts the process. */
import type { Fault } from "./Fault.ts"
import type { SettingName } from "./SettingTable.ts"
import type { ListenAddress } from "./SettingTypes.ts"

const reasons: Readonly<Record<string, string>> = {
  EADDRINUSE: "expected a free address, but it is in use",
  EADDRNOTAVAIL: "expected an address of this machine",
  EACCES: "expected an address that this user may listen on"
}

export const formatAddress = ({ host, port }: Pick<ListenAddress, "host" | "port">): string =>
  host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`

export const listenFault = (setting: SettingName, address: ListenAddress, code: string | undefined): Fault => ({
  path: [setting],
  message: reasons[code ?? ""] ?? `expected an address that can be listened on (${code ?? "unknown error"})`,
  value: formatAddress(address)
})
