/** Connections to upstreams: keep-alive pools for each address, and for https for each identity (`proxy-behaviour.md` §5). */
import http from "node:http"
import https from "node:https"
import { isIP } from "node:net"
import type { Address, CompiledRoute } from "../../model/CompiledConfig.ts"
import type { SettingValues } from "../../model/SettingTable.ts"

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

type PoolSettings = Pick<SettingValues, "upstream_keepalive_pool_size" | "upstream_keepalive_idle_timeout">

/** Node reads a pool of size 0 as "the default size". */
const agentOptions = (settings: PoolSettings): http.AgentOptions => ({
  keepAlive: settings.upstream_keepalive_pool_size > 0,
  maxFreeSockets: Math.max(1, settings.upstream_keepalive_pool_size),
  timeout: settings.upstream_keepalive_idle_timeout * 1000,
  scheduling: "lifo"
})

/** The upstream's Host without its port; an address is no server name. */
const serverNameOf = (host: string): string => {
  const name = host.replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1")
  return isIP(name) === 0 ? name : ""
}

const tlsOptions = ({ compiled, host }: UpstreamRequest): https.RequestOptions => {
  const { service, clientCertificate, caCertificates } = compiled
  return {
    servername: serverNameOf(host),
    rejectUnauthorized: service?.tls_verify === true,
    ...(caCertificates.length === 0 ? {} : { ca: caCertificates.map(({ cert }) => cert) }),
    ...(clientCertificate === undefined ? {} : { cert: clientCertificate.cert, key: clientCertificate.key })
  }
}

export const makeUpstreamPools = (settings: PoolSettings): UpstreamPools => {
  const options = agentOptions(settings)
  const plain = new http.Agent(options)
  const secure = new https.Agent(options)
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
        ? https.request({ ...common, ...tlsOptions(wanted), agent: wanted.isFresh ? false : secure })
        : http.request({ ...common, agent: wanted.isFresh ? false : plain })
    },
    close: () => {
      plain.destroy()
      secure.destroy()
    }
  }
}
