/** Node's keep-alive pools, as upstreams need them (`proxy-behaviour.md` §5). */
import http from "node:http"
import https from "node:https"
import type { Duplex } from "node:stream"
import type { ConnectionOptions, SecureContext } from "node:tls"
import type { SettingValues } from "../../model/SettingTable.ts"

export type PoolSettings = Pick<
  SettingValues,
  "upstream_keepalive_pool_size" | "upstream_keepalive_idle_timeout" | "upstream_keepalive_max_requests"
>

/** Node reads a pool of size 0 as "the default size". */
const agentOptions = (settings: PoolSettings): http.AgentOptions => ({
  keepAlive: settings.upstream_keepalive_pool_size > 0,
  maxFreeSockets: Math.max(1, settings.upstream_keepalive_pool_size),
  timeout: settings.upstream_keepalive_idle_timeout * 1000,
  scheduling: "lifo"
})

/** Node's own verdict heeds what the upstream said of its patience; its type says that there is none. */
const isKeptByNode = (verdict: unknown): boolean => verdict !== false

/** Counts the requests of each connection; false once one has had its share. */
const makeLimit = (maxRequests: number): ((socket: Duplex) => boolean) => {
  if (maxRequests === 0) return () => true
  const counts = new WeakMap<Duplex, number>()
  return (socket) => {
    const count = (counts.get(socket) ?? 0) + 1
    counts.set(socket, count)
    return count < maxRequests
  }
}

export class PlainAgent extends http.Agent {
  readonly #mayGoOn: (socket: Duplex) => boolean

  constructor(settings: PoolSettings) {
    super(agentOptions(settings))
    this.#mayGoOn = makeLimit(settings.upstream_keepalive_max_requests)
  }

  override keepSocketAlive(socket: Duplex): boolean {
    return isKeptByNode(super.keepSocketAlive(socket)) && this.#mayGoOn(socket)
  }
}

export interface SecureOptions extends https.RequestOptions {
  readonly secureContext: SecureContext
  readonly identityKey: string
}

export class SecureAgent extends https.Agent {
  readonly #mayGoOn: (socket: Duplex) => boolean

  /** Node keeps no connection whose check came with its request: the check is the pool's. */
  constructor(settings: PoolSettings, checkServerIdentity: NonNullable<ConnectionOptions["checkServerIdentity"]>) {
    super({ ...agentOptions(settings), checkServerIdentity })
    this.#mayGoOn = makeLimit(settings.upstream_keepalive_max_requests)
  }

  override keepSocketAlive(socket: Duplex): boolean {
    return isKeptByNode(super.keepSocketAlive(socket)) && this.#mayGoOn(socket)
  }

  /** Node's own name of a pool spells out every certificate, for each request anew. */
  override getName(options: Partial<SecureOptions> = {}): string {
    return `${options.host}:${options.port}:${options.servername}:${options.identityKey}`
  }
}
