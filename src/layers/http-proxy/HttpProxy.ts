/**
 * The proxy over `node:http`, `node:https` and `node:http2`. Effect opens and drains the listeners; between the two,
 * requests are plain callbacks that read the compiled config once each (`servePath.ts`).
 */
import { randomUUID } from "node:crypto"
import { Deferred, Effect, Layer, Result, type Scope } from "effect"
import type { Fault } from "../../model/Fault.ts"
import { listenFault } from "../../model/listenFault.ts"
import type { ListenAddress } from "../../model/SettingTypes.ts"
import { LiveConfig } from "../../services/LiveConfig.ts"
import { Proxy } from "../../services/Proxy.ts"
import { ServerCertificate } from "../../services/ServerCertificate.ts"
import { Settings } from "../../services/Settings.ts"
import { StartError } from "../../services/StartError.ts"
import type { ProxyNode } from "./exchange.ts"
import { attach, listen, makeServer, type Server, type TlsParts } from "./listeners.ts"
import { makeTrust } from "./peer.ts"
import { makeSniCallback } from "./secureContexts.ts"
import { Traffic } from "./traffic.ts"
import { makeUpstreamPools } from "./upstreamPools.ts"

const codeOf = (cause: unknown): string | undefined =>
  cause instanceof Error && "code" in cause ? String(cause.code) : undefined

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

const make = Effect.gen(function* () {
  const settings = yield* Settings
  const { current } = yield* LiveConfig
  const certificate = yield* ServerCertificate
  const runFork = Effect.runForkWith(yield* Effect.context<never>())
  const warn = (message: string, facts: Readonly<Record<string, unknown>>) =>
    runFork(Effect.logWarning(message).pipe(Effect.annotateLogs(facts)))

  const traffic = new Traffic()
  let isDraining = false
  const node: ProxyNode = {
    current,
    product: `kong/${settings.kong_version}`,
    isTrusted: makeTrust(settings.trusted_ips),
    errorDefaultType: settings.error_default_type,
    pools: makeUpstreamPools(settings),
    nowMs: () => performance.now(),
    newRequestId: () => randomUUID().replaceAll("-", ""),
    isDraining: () => isDraining,
    reportDefect: (cause, requestId) => warn("a request failed on a defect", { requestId, cause: String(cause) })
  }
  yield* Effect.addFinalizer(() => Effect.sync(node.pools.close))

  const needsTls = settings.proxy_listen.some(({ isTls }) => isTls)
  const tls: TlsParts | undefined = needsTls
    ? {
        fallback: yield* certificate.fallback,
        sniCallback: makeSniCallback(current, (certificateId, cause) =>
          warn("a certificate can't be used; the default one is shown instead", { certificateId, cause: String(cause) })
        )
      }
    : undefined

  const servers = settings.proxy_listen.map((address) => {
    const server = makeServer(address, address.isTls ? tls : undefined)
    attach(server, node, address.isTls, traffic)
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

export const layer: Layer.Layer<Proxy, StartError, Settings | LiveConfig | ServerCertificate> = Layer.effect(
  Proxy,
  make
)
