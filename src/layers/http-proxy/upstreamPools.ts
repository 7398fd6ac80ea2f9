/** Connections to upstreams: keep-alive pools for each address, and for https for each identity (`proxy-behaviour.md` §5). */
import http from "node:http"
import https from "node:https"
import { isIP } from "node:net"
import type { Address, CompiledRoute } from "../../model/CompiledConfig.ts"
import type { SettingValues } from "../../model/SettingTable.ts"
import type { UpstreamDefaults } from "../../services/UpstreamCredentials.ts"
import { PlainAgent, SecureAgent, type SecureOptions } from "./upstreamAgents.ts"
import { makeChecker, makeIdentityFinder } from "./upstreamIdentity.ts"

export interface UpstreamRequest {
  readonly address: Address
  readonly compiled: CompiledRoute
  readonly isTls: boolean
  readonly method: string
  readonly target: string
  readonly host: string
  readonly headers: ReadonlyArray<string>
  /** Past the pool: for a try after an idle connection turned out to be dead. */
  readonly isFresh: boolean
}

export interface UpstreamPools {
  readonly request: (request: UpstreamRequest) => http.ClientRequest
  readonly close: () => void
}

/** The upstream's Host without its port; an address is no server name. */
const serverNameOf = (host: string): string => {
  const name = host.replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1")
  return isIP(name) === 0 ? name : ""
}

export const makeUpstreamPools = (settings: SettingValues, defaults: UpstreamDefaults): UpstreamPools => {
  const plain = new PlainAgent(settings)
  const secure = new Map<number, SecureAgent>()
  const agentFor = (depth: number): SecureAgent => {
    const agent = secure.get(depth) ?? new SecureAgent(settings, makeChecker(depth))
    secure.set(depth, agent)
    return agent
  }
  const identityFor = makeIdentityFinder(settings, defaults)
  const tlsOptions = ({ compiled, host, isFresh }: UpstreamRequest): SecureOptions => {
    const { key, isVerified, depth, secureContext } = identityFor(compiled)
    return {
      servername: serverNameOf(host),
      rejectUnauthorized: isVerified,
      identityKey: key,
      secureContext,
      ...(isFresh ? { agent: false, checkServerIdentity: makeChecker(depth) } : { agent: agentFor(depth) })
    }
  }
  return {
    request: (wanted) => {
      const common = {
        host: wanted.address.host,
        port: wanted.address.port,
        method: wanted.method,
        path: wanted.target,
        headers: ["Host", wanted.host, ...wanted.headers]
      }
      return wanted.isTls
        ? https.request({ ...common, ...tlsOptions(wanted) })
        : http.request({ ...common, agent: wanted.isFresh ? false : plain })
    },
    close: () => {
      plain.destroy()
      for (const agent of secure.values()) agent.destroy()
    }
  }
}
