/**
 * The parts of a data plane that reach out of its process, as a virtual machine has them: everything that a node needs to
 * run in virtual time. What is not here (the session, the ladder, the cache, validation, routing) is the node's own.
 *
 * The names are those of the parts of `DataPlane.layer`, so that a whole node is
 * `DataPlane.layer({ settings, parts: { ...virtualParts, ...mine } })`; `Machine.start` builds it.
 */
import { Context, Effect, Layer, SubscriptionRef } from "effect"
import { HttpClient, HttpClientError } from "effect/http"
import { telemetryPath } from "../model/telemetry/TelemetryWire.ts"
import { ClusterDialer } from "../services/ClusterDialer.ts"
import { type ClusterCredentials, ClusterIdentity } from "../services/ClusterIdentity.ts"
import { ClusterTransport, ClusterUnreachable } from "../services/ClusterTransport.ts"
import { Compression } from "../services/Compression.ts"
import { Disk } from "../services/Disk.ts"
import { ErrorTemplates } from "../services/ErrorTemplates.ts"
import { FileWatch } from "../services/FileWatch.ts"
import { Identity } from "../services/Identity.ts"
import { NameServers } from "../services/NameServers.ts"
import { ConfigStorage } from "../services/ObjectStore.ts"
import { PeerListener } from "../services/PeerListener.ts"
import { Proxy } from "../services/Proxy.ts"
import { ResolveFailure, Resolver } from "../services/Resolver.ts"
import { SecureRandom } from "../services/SecureRandom.ts"
import { ServerCertificate } from "../services/ServerCertificate.ts"
import { StatusListener } from "../services/StatusListener.ts"
import { TelemetryDialer } from "../services/TelemetryDialer.ts"
import { UpstreamCredentials } from "../services/UpstreamCredentials.ts"
import { CurrentProcess, type MachineProcess } from "./Machine.ts"
import { makeVirtualDialer } from "./VirtualDialer.ts"
import { makeFileWatch } from "./VirtualFileWatch.ts"

/** What the nodes of a world claim to be. */
const version = "3.9.0"

const noConnections = { active: 0, accepted: 0, requests: 0, inFlight: 0 }
const noQuestions = { names: 0, hits: 0, stale: 0, misses: 0, queries: 0, failures: 0 }

/** The same for every process: nothing listens, no traffic runs, and no certificate is asked for. */
const inert = Context.empty().pipe(
  // What a request would see is asked of `LiveConfig` itself.
  Context.add(Proxy, { addresses: [], counts: () => noConnections, drain: Effect.void }),
  Context.add(StatusListener, { addresses: [] }),
  Context.add(Resolver, {
    resolve: ({ host }, done) => done(new ResolveFailure(host, "ENOTFOUND")),
    stats: () => noQuestions
  }),
  Context.add(NameServers, {
    addresses: (host) => Effect.fail(new ResolveFailure(host, "ENOTFOUND")),
    services: (name) => Effect.fail(new ResolveFailure(name, "ENOTFOUND"))
  }),
  Context.add(PeerListener, { addresses: [] }),
  Context.add(ServerCertificate, { fallback: Effect.die(new Error("a virtual node has no TLS listener")) }),
  Context.add(UpstreamCredentials, {
    load: Effect.succeed({ clientCertificate: undefined, authorities: () => [] })
  }),
  Context.add(
    HttpClient.HttpClient,
    HttpClient.make((request) => {
      const cause = new Error("a virtual node has no real network")
      return Effect.fail(
        new HttpClientError.HttpClientError({ reason: new HttpClientError.TransportError({ request, cause }) })
      )
    })
  ),
  Context.add(ErrorTemplates, { load: Effect.succeed({}) }),
  // A bucket of the world's is given to a node as a part: `MemoryObjectStore.layerOf(bucket.client())`.
  Context.add(ConfigStorage, undefined),
  Context.add(ClusterTransport, {
    connect: () =>
      Effect.fail(new ClusterUnreachable({ reason: "failed", message: "a virtual node has no real network" }))
  })
)

/** The virtual network asks for none, and none of them ends. */
export const virtualCredentials: ClusterCredentials = {
  cert: "",
  key: "",
  fingerprint256: "",
  commonName: undefined,
  expiresAtMs: Date.UTC(2126, 0, 1),
  authorities: [],
  memberAuthorities: [],
  proxyAuthorities: [],
  former: undefined
}

const partsOf = Effect.fnUntraced(function* ({ machine, disk, random, clock, observe }: MachineProcess) {
  const { world, name, nodeId } = machine
  const { network, address, shared } = world
  const request = { node: name, nodeId, hostname: name, version }
  const secrets = random.stream("secrets")
  return inert.pipe(
    Context.add(Disk, disk.disk),
    Context.add(SecureRandom, { bytes: (count) => Effect.sync(() => secrets.bytes(count)) }),
    Context.add(Identity, { nodeId, hostname: name, version }),
    Context.add(Compression, shared.compression),
    Context.add(FileWatch, makeFileWatch(machine)),
    Context.add(ClusterIdentity, { current: yield* SubscriptionRef.make(virtualCredentials) }),
    Context.add(ClusterDialer, makeVirtualDialer({ network, address, clock, request, observe })),
    // What is observed of a node is its session.
    Context.add(
      TelemetryDialer,
      makeVirtualDialer({ network, address, clock, request: { ...request, path: telemetryPath }, observe: () => {} })
    )
  )
})

/** One layer for all of them: thousands of nodes are built of it. */
const outside = Layer.effectContext(Effect.flatMap(CurrentProcess, partsOf))

export const virtualParts = {
  disk: outside,
  secureRandom: outside,
  identity: outside,
  compression: outside,
  configStorage: outside,
  fileWatch: outside,
  statusListener: outside,
  serverCertificate: outside,
  upstreamCredentials: outside,
  errorTemplates: outside,
  resolver: outside,
  nameServers: outside,
  peerListener: outside,
  httpClient: outside,
  proxy: outside,
  clusterIdentity: outside,
  clusterTransport: outside,
  clusterDialer: outside,
  telemetryDialer: outside
}
