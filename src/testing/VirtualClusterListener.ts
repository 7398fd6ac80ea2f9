/**
 * The production control plane's cluster listener on the virtual network: its real sessions, of configuration and of
 * telemetry, and its real refusal log, over peers that are ends of virtual connections.
 */
import { Effect, FiberSet, Layer, Queue } from "effect"
import { type Peer, type PeerEvent, type PeerIdentity, SendFailed } from "../layers/cluster-listener/Peer.ts"
import { makeRefusalLog } from "../layers/cluster-listener/RefusalLog.ts"
import { runSession } from "../layers/cluster-listener/session.ts"
import { runTelemetry } from "../layers/cluster-listener/telemetrySession.ts"
import { telemetryPath } from "../model/telemetry/TelemetryWire.ts"
import type { Compression } from "../services/Compression.ts"
import type { ClusterHub } from "../services/control/ClusterHub.ts"
import { ClusterListener } from "../services/control/Listeners.ts"
import type { Payloads } from "../services/control/Payloads.ts"
import type { Registry } from "../services/control/Registry.ts"
import type { TelemetryStore } from "../services/control/TelemetryStore.ts"
import type { Settings } from "../services/Settings.ts"
import type { VirtualClock } from "./VirtualClock.ts"
import type { End, Message } from "./VirtualConnection.ts"
import type { Admission, DialRequest, VirtualNetwork } from "./VirtualNetwork.ts"

type SessionServices = Settings | Registry | ClusterHub | Payloads | TelemetryStore | Compression

export interface VirtualListenerOptions {
  readonly network: VirtualNetwork
  readonly address: string
  readonly clock: VirtualClock
  /** Asked for each who dials, before a session is made: what an overloaded or wedged control plane does. Default: yes. */
  readonly admits?: (request: DialRequest) => Exclude<Admission, { readonly _tag: "Accepted" }> | undefined
}

/** As many unread events as the real listener bears. */
const eventsMax = 64
const virtualIp = "192.0.2.1"

const eventOf = (message: Message): PeerEvent | undefined =>
  message._tag === "Binary" || message._tag === "Text" || message._tag === "Ping" ? message : undefined

export const makeVirtualPeer = (end: End, identity: PeerIdentity): Effect.Effect<Peer> =>
  Effect.map(Queue.dropping<PeerEvent>(eventsMax), (events): Peer => {
    const tell = (event: PeerEvent): void => {
      if (!Queue.offerUnsafe(events, event)) end.reset()
    }
    end.listen({
      onMessage: (message) => {
        const event = eventOf(message)
        if (event !== undefined) tell(event)
      },
      onEnd: (how) =>
        tell({ _tag: "Closed", reason: how._tag === "Closed" ? `closed by the data plane (${how.code})` : how.message })
    })
    return {
      identity,
      events,
      send: (bytes) =>
        Effect.callback<void, SendFailed>((resume) =>
          end.send({ _tag: "Binary", bytes }, (reason) =>
            resume(reason === undefined ? Effect.void : Effect.fail(new SendFailed({ reason })))
          )
        ),
      pong: Effect.sync(() => end.send({ _tag: "Pong" }, () => {})),
      close: (code) => Effect.sync(() => end.close(code))
    }
  })

const identityOf = ({ nodeId, hostname, version }: DialRequest): PeerIdentity => ({
  nodeId,
  hostname,
  version,
  ip: virtualIp,
  certificateExpiresAtMs: undefined
})

const make = Effect.fnUntraced(function* ({ network, address, clock, admits }: VirtualListenerOptions) {
  const logRefusal = yield* makeRefusalLog
  const fibers = yield* FiberSet.make<unknown, unknown>()
  const run = yield* FiberSet.runtime(fibers)<SessionServices>()
  const serve = (request: DialRequest) => (end: End) => {
    const session = request.path === telemetryPath ? runTelemetry : runSession
    run(
      Effect.flatMap(
        makeVirtualPeer(end, identityOf(request)),
        (peer): Effect.Effect<void, never, SessionServices> => session(peer, logRefusal)
      )
    )
  }
  const admit = (request: DialRequest): Admission => admits?.(request) ?? { _tag: "Accepted", serve: serve(request) }
  yield* Effect.acquireRelease(
    Effect.sync(() => network.listen(address, { clock, admit })),
    (close) => Effect.sync(close)
  )
  // Registered last and so run first: sessions say goodbye before their listener goes.
  yield* Effect.addFinalizer(() => FiberSet.clear(fibers))
  return ClusterListener.of({ addresses: [], telemetryAddresses: [] })
})

export const layer = (options: VirtualListenerOptions): Layer.Layer<ClusterListener, never, SessionServices> =>
  Layer.effect(ClusterListener, make(options))
