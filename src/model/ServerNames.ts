/** The certificate for a TLS server name. Rules: reference `config-model.md` §3, "certificates / snis". */

import type { ConfigTable } from "./ConfigTable.ts"
import type { Certificate } from "./Entities.ts"

/** The first hit of: the name itself, `*.rest`, `first.*`, `*`. */
const candidates = (name: string): ReadonlyArray<string> => {
  const first = name.indexOf(".")
  const last = name.lastIndexOf(".")
  return first === -1 ? [name, "*"] : [name, `*${name.slice(first)}`, `${name.slice(0, last)}.*`, "*"]
}

const canonical = (name: string): string => name.toLowerCase().replace(/(?<=.)\.$/, "")

export const certificateLookup = (
  table: Pick<ConfigTable, "certificates" | "snis">
): ((serverName: string) => Certificate | undefined) => {
  const byId = new Map(table.certificates.map((certificate) => [certificate.id, certificate]))
  const byName = new Map(table.snis.map((sni) => [canonical(sni.name), byId.get(sni.certificate)]))
  return (serverName) => {
    for (const name of candidates(canonical(serverName))) {
      const found = byName.get(name)
      if (found !== undefined) return found
    }
    return undefined
  }
}
