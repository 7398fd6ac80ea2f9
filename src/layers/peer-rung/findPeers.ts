/** Who the neighbours are now: `config_peers`, resolved anew each time it is asked. */
import { Effect } from "effect"
import { peerServerNameOf } from "../../model/ClusterTls.ts"
import { formatAddress } from "../../model/listenFault.ts"
import type { HostPort, PeerAddress } from "../../model/SettingTypes.ts"
import type { ClusterEndpoint } from "../../services/ClusterTransport.ts"
import { NameServers } from "../../services/NameServers.ts"
import { Settings } from "../../services/Settings.ts"

export interface FoundPeer extends ClusterEndpoint {
  /** For people, and to know it again: its address and port. */
  readonly name: string
}

export interface FoundPeers {
  readonly peers: ReadonlyArray<FoundPeer>
  /** What could not be resolved, one line each. */
  readonly problems: ReadonlyArray<string>
}

const lookupLimitMs = 5_000

const none: FoundPeers = { peers: [], problems: [] }

const merged = (found: ReadonlyArray<FoundPeers>): FoundPeers => ({
  peers: [...new Map(found.flatMap(({ peers }) => peers).map((peer) => [peer.name, peer])).values()],
  problems: found.flatMap(({ problems }) => problems)
})

export const makeFindPeers = Effect.gen(function* () {
  const settings = yield* Settings
  const { addresses, services } = yield* NameServers
  const problem = ({ message }: { readonly message: string }): FoundPeers => ({ peers: [], problems: [message] })

  const atHost = ({ host, port }: HostPort): Effect.Effect<FoundPeers> =>
    addresses(host).pipe(
      Effect.map((found) => ({
        peers: found.map((address) => ({
          host: address,
          port,
          serverName: peerServerNameOf(settings, host),
          name: formatAddress({ host: address, port })
        })),
        problems: []
      })),
      Effect.catch((failure) => Effect.succeed(problem(failure)))
    )

  const atAll = (hosts: ReadonlyArray<HostPort>) =>
    Effect.map(Effect.forEach(hosts, atHost, { concurrency: "unbounded" }), merged)

  const find = (peer: PeerAddress): Effect.Effect<FoundPeers> => {
    const found = "srv" in peer ? Effect.flatMap(services(peer.srv), atAll) : atHost(peer)
    const name = "srv" in peer ? peer.srv : peer.host
    return found.pipe(
      Effect.catch((failure) => Effect.succeed(problem(failure))),
      Effect.timeoutOrElse({
        duration: lookupLimitMs,
        orElse: () =>
          Effect.succeed(problem({ message: `${name} can't be resolved: no answer in ${lookupLimitMs / 1000} s` }))
      })
    )
  }

  return settings.config_peers === undefined
    ? Effect.succeed(none)
    : Effect.map(Effect.forEach(settings.config_peers, find, { concurrency: "unbounded" }), merged)
})
