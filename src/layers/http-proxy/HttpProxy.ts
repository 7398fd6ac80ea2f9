/**
 * The proxy over `node:http`, `node:https` and `node:http2`. Effect opens and drains the listeners; between the two,
 * requests are plain callbacks that read the compiled config once each (`servePath.ts`).
 */
import { randomUUID } from "node:crypto"
import { Deferred, Effect, Layer, Option, Result, type Scope } from "effect"
import { errorRenderers } from "../../model/ErrorBody.ts"
import type { Fault } from "../../model/Fault.ts"
import { listenFault } from "../../model/listenFault.ts"
import type { ListenAddress } from "../../model/SettingTypes.ts"
import { codeOf } from "../../model/thrown.ts"
import { ErrorTemplates } from "../../services/ErrorTemplates.ts"
import { Identity } from "../../services/Identity.ts"
import { LicenseGuard } from "../../services/LicenseGuard.ts"
import { LiveConfig } from "../../services/LiveConfig.ts"
import { Proxy } from "../../services/Proxy.ts"
import { type RequestObserver, RequestObservers } from "../../services/RequestObservers.ts"
import { Resolver } from "../../services/Resolver.ts"
import { ServerCertificate } from "../../services/ServerCertificate.ts"
import { Settings } from "../../services/Settings.ts"
import { StartError } from "../../services/StartError.ts"
import { Tracing } from "../../services/Tracing.ts"
import { TrustedClock } from "../../services/TrustedClock.ts"
import { UpstreamCredentials } from "../../services/UpstreamCredentials.ts"
import { makeAnswerPolicy } from "./answerPolicy.ts"
import type { ProxyNode } from "./exchange.ts"
import { attach, listen, makeServer, type Server, type TlsParts } from "./listeners.ts"
import { makePeerReader } from "./peer.ts"
import { Connections } from "./plugins/Connections.ts"
import { HeaderNames } from "./plugins/HeaderNames.ts"
import { makeCertificates } from "./secureContexts.ts"
import { Traffic } from "./traffic.ts"
import { makeUpstreamHeaderPolicy } from "./upstreamHeaders.ts"
import { makeUpstreamPools } from "./upstreamPools.ts"

/** Connections that are destroyed close within a turn of the event loop. */
const closingPatience = "1 second"

const closeServer = (server: Server): Effect.Effect<void> =>
  Effect.sync(() => {
    if (server.listening) server.close()
  })

const open = (
  server: Server,
  address: ListenAddress,
  onTrouble: (error: Error) => void
): Effect.Effect<number, Fault, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.tryPromise({
      try: () => listen(server, address, onTrouble),
      catch: (cause) => listenFault("proxy_listen", address, codeOf(cause))
    }),
    () => closeServer(server)
  )

/** Files that settings name, and the default certificate: whatever is wrong with any of them is told at once. */
const loadParts = Effect.gen(function* () {
  const { proxy_listen } = yield* Settings
  const needsTls = proxy_listen.some(({ isTls }) => isTls)
  const fallback = needsTls ? (yield* ServerCertificate).fallback : Effect.succeed(undefined)
  const [certificate, templates, defaults] = [
    yield* Effect.result(fallback),
    yield* Effect.result((yield* ErrorTemplates).load),
    yield* Effect.result((yield* UpstreamCredentials).load)
  ]
  if (Result.isSuccess(certificate) && Result.isSuccess(templates) && Result.isSuccess(defaults)) {
    return { fallback: certificate.success, templates: templates.success, upstreamDefaults: defaults.success }
  }
  const failures = [Result.getFailure(certificate), Result.getFailure(templates), Result.getFailure(defaults)]
  const faults = failures.flatMap(Option.toArray).flatMap((failure) => failure.faults)
  return yield* new StartError({ faults, exitCode: 2 })
})

/** One observer that fails neither keeps the others from hearing nor stops the process. */
const observing =
  (observers: ReadonlyArray<RequestObserver>, report: (cause: unknown, requestId: string) => void): RequestObserver =>
  (request) => {
    for (const observe of observers) {
      try {
        observe(request)
      } catch (cause) {
        report(cause, request.id)
      }
    }
  }

const make = Effect.gen(function* () {
  const settings = yield* Settings
  const { current } = yield* LiveConfig
  const { refusal } = yield* LicenseGuard
  const { resolve } = yield* Resolver
  const observers = yield* RequestObservers
  const { tracer } = yield* Tracing
  const { nodeId, hostname } = yield* Identity
  const clock = yield* TrustedClock
  const parts = yield* loadParts
  const context = yield* Effect.context<never>()
  const runFork = Effect.runForkWith(context)
  const runSync = Effect.runSyncWith(context)
  const warn = (message: string, facts: Readonly<Record<string, unknown>>) =>
    runFork(Effect.logWarning(message).pipe(Effect.annotateLogs(facts)))

  const traffic = new Traffic()
  let isDraining = false
  const product = `kong/${settings.kong_version}`
  const node: ProxyNode = {
    current,
    refusal,
    product,
    pluginNode: {
      id: nodeId,
      hostname,
      processId: process.pid,
      product,
      randomUuid: randomUUID,
      nowMs: () => runSync(clock.nowMs)
    },
    connections: new Connections(),
    headerNames: new HeaderNames(),
    peerOf: makePeerReader(settings),
    errorDefaultType: settings.error_default_type,
    errorRenderers: errorRenderers(parts.templates),
    answerPolicy: makeAnswerPolicy(settings),
    upstreamHeaderPolicy: makeUpstreamHeaderPolicy(settings, tracer !== undefined),
    allowsDebug: settings.allow_debug_header,
    clientBodyTimeoutMs: settings.client_body_timeout * 1000,
    sendTimeoutMs: settings.send_timeout * 1000,
    pools: makeUpstreamPools(settings, parts.upstreamDefaults),
    resolve,
    nowMs: () => performance.now(),
    newRequestId: () => randomUUID().replaceAll("-", ""),
    isDraining: () => isDraining,
    tracer,
    observe: observing(observers, (cause, requestId) =>
      warn("an observer of requests failed", { requestId, cause: String(cause) })
    ),
    reportDefect: (cause, requestId) => warn("a request failed on a defect", { requestId, cause: String(cause) })
  }
  yield* Effect.addFinalizer(() => Effect.sync(node.pools.close))

  const certificates = makeCertificates(current, (certificateId, cause) =>
    warn("a certificate can't be used; the default one is shown instead", { certificateId, cause: String(cause) })
  )
  const tls: TlsParts | undefined =
    parts.fallback === undefined ? undefined : { fallback: parts.fallback, ...certificates }
  const outerPorts = new Map(Object.entries(settings.port_maps).map(([outer, inner]) => [inner, Number(outer)]))
  const outerPort = (port: number): number => outerPorts.get(port) ?? port

  const servers = settings.proxy_listen.map((address) => {
    const server = makeServer(address, address.isTls ? tls : undefined)
    attach({ server, node, isTls: address.isTls, outerPort, traffic })
    return { server, address }
  })
  // All are tried, so that every address that can't be had is told at once.
  const onTrouble = (error: Error) => warn("a proxy listener has trouble", { cause: error.message })
  const results = yield* Effect.forEach(servers, ({ server, address }) =>
    Effect.result(open(server, address, onTrouble))
  )
  const faults = results.flatMap((result) => (Result.isFailure(result) ? [result.failure] : []))
  if (faults.length > 0) return yield* new StartError({ faults, exitCode: 1 })

  const idle = Deferred.makeUnsafe<void>()
  const drain = yield* Effect.cached(
    Effect.gen(function* () {
      isDraining = true
      for (const { server } of servers) if (server.listening) server.close()
      traffic.whenIdle(() => Deferred.doneUnsafe(idle, Effect.void))
      // As a finalizer this runs where nothing may be interrupted; the wait itself must be.
      yield* Effect.interruptible(Deferred.await(idle)).pipe(Effect.timeoutOption(`${settings.drain_timeout} seconds`))
      traffic.closeAll()
      // What was broken off is told to the observers as soon as its connection has closed: whoever drains counts on it.
      yield* Effect.interruptible(Deferred.await(idle)).pipe(Effect.timeoutOption(closingPatience))
    })
  )
  yield* Effect.addFinalizer(() => drain)

  return {
    addresses: servers.map(({ address }, index) => {
      const result = results[index]
      const port = result !== undefined && Result.isSuccess(result) ? result.success : address.port
      return { host: address.host, port, isTls: address.isTls }
    }),
    counts: () => traffic.counts(),
    drain
  }
})

export const layer: Layer.Layer<
  Proxy,
  StartError,
  | Settings
  | LiveConfig
  | LicenseGuard
  | Resolver
  | RequestObservers
  | Tracing
  | ServerCertificate
  | ErrorTemplates
  | UpstreamCredentials
  | Identity
  | TrustedClock
> = Layer.effect(Proxy, make)
