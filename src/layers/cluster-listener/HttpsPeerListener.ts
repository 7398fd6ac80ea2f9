/**
 * PeerListener by `node:https` and the mutual TLS of the cluster: `GET /v1/config` gives a neighbour what serves here, HEAD
 * says where it stands among others. Off by default.
 *
 * It judges who dials in as a control plane does, and is bounded in every direction: connections, transfers at once,
 * bytes a second, transfers to each neighbour, and the time of each step. The request path knows nothing of it.
 */
import type { IncomingMessage, ServerResponse } from "node:http"
import type { TLSSocket } from "node:tls"
import { Effect, FiberSet, Layer, MutableRef, SubscriptionRef } from "effect"
import { commonNameFaults } from "../../model/ClusterTls.ts"
import { peerConfigPath, peerHeaders } from "../../model/PeerStanding.ts"
import type { SettingValues } from "../../model/SettingTable.ts"
import { makeTransferBudget, type TransferLimits } from "../../model/TransferBudget.ts"
import { messageOf } from "../../model/thrown.ts"
import { ClusterIdentity } from "../../services/ClusterIdentity.ts"
import type { ConfigEncoding } from "../../services/ConfigEncoding.ts"
import { Identity } from "../../services/Identity.ts"
import type { LiveConfig } from "../../services/LiveConfig.ts"
import { monotonicMs } from "../../services/monotonic.ts"
import { NodeHealth } from "../../services/NodeHealth.ts"
import { type PeerCounts, PeerListener } from "../../services/PeerListener.ts"
import { Settings } from "../../services/Settings.ts"
import { StartError } from "../../services/StartError.ts"
import { supervise } from "../../services/supervise.ts"
import { type ConnectionBounds, plainIp } from "./boundConnections.ts"
import { type Admission, admissionBy, createMutualTlsServer, followCredentials, openServer } from "./mutualTls.ts"
import { makeRememberVerdicts } from "./ocsp/rememberVerdicts.ts"
import { answerBytes, answerHead, answerReason } from "./peers/answer.ts"
import { makeGivenConfig } from "./peers/givenConfig.ts"
import { makeRefusalLogOf, type Refusal } from "./RefusalLog.ts"

export interface PeerListenerLimits extends TransferLimits, ConnectionBounds {
  /** For the handshake, for the headers, and for nothing going either way. */
  readonly silenceMs: number
  /** For the whole of a transfer, however slowly it goes on. */
  readonly transferMs: number
}

const mebibyte = 1_048_576

export const peerListenerLimits: PeerListenerLimits = {
  atOnce: 4,
  atOnceEach: 2,
  burstBytes: 32 * mebibyte,
  bytesPerSecond: 8 * mebibyte,
  burstTransfers: 4,
  secondsPerTransfer: 5,
  neighboursMax: 1_000,
  connectionsMax: 64,
  connectionsPerAddressMax: 8,
  silenceMs: 5_000,
  transferMs: 30_000
}

/** What can't be written down now: want of memory may be over in the next round of whoever asks. */
const troubleRetrySeconds = "10"

/** How often Node looks for connections that are late. */
const lateCheckMs = 1_000

const mediaType = { "content-type": "application/gzip" }

const namesEtag = (header: string | undefined, etag: string): boolean =>
  header?.split(",").some((each) => each.trim() === "*" || each.trim().replace(/^W\//, "") === etag) === true

/**
 * Whom the budget counts as one. Behind one address translation there may be many, told apart by their certificates where each
 * has its own; and many may show one, told apart by their addresses.
 */
const neighbourBy =
  ({ cluster_mtls }: SettingValues) =>
  (socket: TLSSocket): string => {
    const ip = plainIp(socket)
    return cluster_mtls === "shared" ? ip : `${ip} ${socket.getPeerX509Certificate()?.fingerprint256}`
  }

type Counted = Exclude<keyof PeerCounts, "addresses">

const makeAnswer = Effect.fnUntraced(function* (limits: PeerListenerLimits, count: (what: Counted) => void) {
  const { nodeId } = yield* Identity
  const givenConfig = yield* makeGivenConfig
  const budget = makeTransferBudget(limits)
  const neighbourOf = neighbourBy(yield* Settings)
  let toldOf: string | undefined

  const tellOnce = (hash: string) =>
    Effect.suspend(() => {
      if (toldOf === hash) return Effect.void
      toldOf = hash
      return Effect.logInfo("a neighbour takes the configuration from this node").pipe(Effect.annotateLogs({ hash }))
    })

  const transfer = Effect.fnUntraced(function* (
    request: IncomingMessage,
    response: ServerResponse,
    hash: string,
    headers: Readonly<Record<string, string>>,
    bytes: Uint8Array
  ) {
    const neighbour = neighbourOf(request.socket as TLSSocket)
    const admission = budget.begin(neighbour, bytes.length, yield* monotonicMs)
    if (admission._tag === "Busy") {
      count("busy")
      answerReason(response, 503, admission.reason, { "retry-after": String(admission.retryAfterSeconds), ...headers })
      return
    }
    const isWhole = yield* Effect.ensuring(
      Effect.andThen(tellOnce(hash), answerBytes(response, { ...headers, ...mediaType }, bytes, limits.transferMs)),
      Effect.sync(() => budget.end(neighbour))
    )
    count(isWhole ? "given" : "cutOff")
  })

  return Effect.fnUntraced(function* (request: IncomingMessage, response: ServerResponse) {
    const own = { [peerHeaders.node]: nodeId }
    const [path] = (request.url ?? "").split("?")
    if (path !== peerConfigPath) return answerReason(response, 404, `only ${peerConfigPath} is here`, own)
    if (request.method !== "GET" && request.method !== "HEAD")
      return answerReason(response, 405, "it is read by GET and HEAD", { allow: "GET, HEAD", ...own })
    const given = yield* givenConfig
    if (given._tag !== "Given") {
      count("nothing")
      return given._tag === "Nothing"
        ? answerReason(response, 404, given.reason, own)
        : answerReason(response, 503, given.reason, { "retry-after": troubleRetrySeconds, ...own })
    }
    const headers = { ...own, ...given.headers, etag: given.etag }
    const isKnown = namesEtag(request.headers["if-none-match"], given.etag)
    if (isKnown || request.method === "HEAD") {
      count("told")
      return isKnown
        ? answerHead(response, 304, headers)
        : answerHead(response, 200, { ...headers, ...mediaType }, given.bytes.length)
    }
    return yield* transfer(request, response, given.hash, headers, given.bytes)
  })
})

type ListenerServices = Settings | Identity | ClusterIdentity | LiveConfig | ConfigEncoding | NodeHealth

const listenOn = Effect.fnUntraced(function* (limits: PeerListenerLimits) {
  const settings = yield* Settings
  const health = yield* NodeHealth
  const { current } = yield* ClusterIdentity
  const own = yield* SubscriptionRef.get(current)
  const faults = commonNameFaults(settings, own.commonName)
  if (faults.length > 0) return yield* new StartError({ faults, exitCode: 2 })

  const counts = { given: 0, told: 0, nothing: 0, busy: 0, cutOff: 0, refused: 0 }
  const count = (what: Counted): void => {
    counts[what]++
  }
  const fibers = yield* FiberSet.make<unknown, unknown>()
  const run = yield* FiberSet.runtime(fibers)<never>()
  const admission = MutableRef.make<Admission>(admissionBy(settings, own))
  const logRefusal = yield* makeRefusalLogOf(Effect.logWarning("neighbour refused"))
  const answer = yield* makeAnswer(limits, count)
  const remembered = makeRememberVerdicts()

  const refused = (refusal: Refusal): void => {
    count("refused")
    run(logRefusal(refusal))
  }

  const answerUnlessRevoked = Effect.fnUntraced(function* (request: IncomingMessage, response: ServerResponse) {
    const ip = plainIp(request.socket)
    const { checkRevocation: check } = MutableRef.get(admission)
    const reason = check === undefined ? undefined : yield* remembered(check, request.socket as TLSSocket)
    if (reason === undefined) return yield* answer(request, response)
    refused({ ip, reason })
    request.socket.destroy()
  })

  const serve = (request: IncomingMessage, response: ServerResponse) =>
    answerUnlessRevoked(request, response).pipe(
      Effect.catchDefect((defect) =>
        Effect.logError("answering a neighbour failed").pipe(
          Effect.annotateLogs({ cause: messageOf(defect) }),
          Effect.andThen(Effect.sync(() => request.socket.destroy()))
        )
      ),
      Effect.annotateLogs({ ip: plainIp(request.socket) })
    )

  const makeServer = () => {
    const server = createMutualTlsServer(
      {
        admission,
        refused,
        counterRefusal: "the neighbour refused this node's certificate or TLS",
        bounds: limits,
        handshakeMs: limits.silenceMs
      },
      {
        headersTimeout: limits.silenceMs,
        requestTimeout: limits.silenceMs,
        connectionsCheckingInterval: lateCheckMs
      }
    )
    server.maxRequestsPerSocket = 1
    // Destroys what neither says nor takes anything, in the middle of a transfer as well.
    server.timeout = limits.silenceMs
    server.on("request", (request, response) => {
      // Whoever asked may be gone by now, and nobody else listens for that.
      response.on("error", () => {})
      run(serve(request, response))
    })
    return server
  }

  const listeners = yield* Effect.forEach(settings.config_peer_listen, (address) =>
    Effect.gen(function* () {
      const server = makeServer()
      return { server, bound: yield* openServer(server, address, "config_peer_listen") }
    })
  )
  const addresses = listeners.map(({ bound }) => bound)
  const servers = listeners.map(({ server }) => server)
  yield* supervise("cluster credentials of the peer listener", followCredentials(servers, admission))
  // Registered last and so run first: nobody is waited for.
  yield* Effect.addFinalizer(() => FiberSet.clear(fibers))
  MutableRef.set(health.peers, () => ({ addresses, ...counts }))
  return PeerListener.of({ addresses })
})

export const layerWith = (limits: PeerListenerLimits): Layer.Layer<PeerListener, StartError, ListenerServices> =>
  Layer.effect(PeerListener, listenOn(limits))

export const layer = layerWith(peerListenerLimits)
