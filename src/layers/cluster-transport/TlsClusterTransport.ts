/**
 * ClusterTransport over `node:tls` (reference `hybrid-protocol-v1.md` §1.2, §1.4). In the shared mode the cluster
 * certificate is its own trust anchor; in the others an authority vouches for the name that is expected.
 */
import { isIP } from "node:net"
import type { Duplex } from "node:stream"
import { checkServerIdentity, createSecureContext, type PeerCertificate, type SecureContext } from "node:tls"
import { Effect, Layer, SubscriptionRef } from "effect"
import { depthProblem } from "../../model/ClusterTls.ts"
import { formatAddress } from "../../model/listenFault.ts"
import { verifiesProxy } from "../../model/settingRules.ts"
import { isVerificationFailure, verificationFailure } from "../../model/TlsFailure.ts"
import { messageOf } from "../../model/thrown.ts"
import { type ClusterCredentials, ClusterIdentity } from "../../services/ClusterIdentity.ts"
import {
  brokenOffBy,
  type ClusterEndpoint,
  ClusterTransport,
  ClusterUnreachable,
  dialLimitMs,
  type OtherEnd,
  type TransportOptions
} from "../../services/ClusterTransport.ts"
import { Settings } from "../../services/Settings.ts"
import { TrustedClock } from "../../services/TrustedClock.ts"
import { openTunnel, type ProxyRoute } from "./forwardProxy.ts"
import { type Attempt, openTcp, openTls, type StepFailure } from "./opening.ts"

/** What was written last may take this long to go out. */
const endTimeoutMs = 1_000

const failed = (message: string) => new ClusterUnreachable({ reason: "failed", message })

/** Of what OpenSSL has nothing against: the wrong name, a chain that is too long for us. */
const refusedCode = "HOLDFAST_CERTIFICATE_REFUSED"

const problem = (whom: OtherEnd, reason: string): Error =>
  Object.assign(new Error(`the ${whom}'s certificate is refused: ${reason}`), { code: refusedCode })

/**
 * Runs after the chain has been verified, for what only the peer's certificates together can tell. The name is ours, not
 * the one that Node hands over: without a name to ask for, that is always the host that was dialled.
 */
const verify =
  (whom: OtherEnd, name: string, depth: number) =>
  (_asked: string, certificate: PeerCertificate): Error | undefined => {
    const misnamed = checkServerIdentity(name, certificate)
    if (misnamed !== undefined)
      return problem(whom, `expected the name ${name} (${"reason" in misnamed ? misnamed.reason : misnamed.message})`)
    const tooDeep = depthProblem(certificate, depth, "lua_ssl_verify_depth")
    return tooDeep === undefined ? undefined : problem(whom, tooDeep)
  }

type Purpose = NonNullable<TransportOptions["as"]> | "proxy"

const contextFor = (credentials: ClusterCredentials, purpose: Purpose): SecureContext => {
  if (purpose === "proxy") return createSecureContext({ ca: [...credentials.proxyAuthorities], minVersion: "TLSv1.2" })
  const { former } = credentials
  // One after the other, never both at once: of two anchors under the same name OpenSSL looks at one only.
  const { cert, key, authorities } =
    purpose === "former" && former !== undefined ? { ...former, authorities: [former.cert] } : credentials
  return createSecureContext({ cert, key, ca: [...authorities], minVersion: "TLSv1.2" })
}

/** Each is made once for the same credentials: a machine's store of authorities is hundreds of certificates. */
const makeContexts = () => {
  let known: ClusterCredentials | undefined
  const made = new Map<Purpose, SecureContext>()
  return (credentials: ClusterCredentials, purpose: Purpose): SecureContext => {
    if (known !== credentials) made.clear()
    known = credentials
    const context = made.get(purpose) ?? contextFor(credentials, purpose)
    made.set(purpose, context)
    return context
  }
}

const handshakeFailure =
  (whom: OtherEnd) =>
  ({ code, message }: StepFailure): ClusterUnreachable => {
    if (isVerificationFailure(code))
      return new ClusterUnreachable({
        reason: "untrusted",
        message: `the ${whom}'s certificate ${verificationFailure(code)}`
      })
    if (code === refusedCode) return new ClusterUnreachable({ reason: "untrusted", message })
    if (code !== "ECONNRESET") return failed(message)
    return new ClusterUnreachable({ reason: "brokenOff", message: brokenOffBy(whom) })
  }

interface Dialled {
  readonly to: ClusterEndpoint
  readonly whom: OtherEnd
}

const withinWords = (limitMs: number): string =>
  limitMs >= dialLimitMs
    ? `within ${limitMs} ms`
    : `within the ${Math.round(limitMs)} ms that were left of ${dialLimitMs}`

/** Sends what was written, then ends; a peer that takes or answers nothing gets a second. */
const endSoon = (stream: Duplex): void => {
  if (stream.destroyed) return
  const timer = setTimeout(() => stream.destroy(), endTimeoutMs)
  timer.unref()
  stream.once("close", () => clearTimeout(timer))
  stream.end()
}

const make = Effect.gen(function* () {
  const settings = yield* Settings
  const { current } = yield* ClusterIdentity
  const { nowMs } = yield* TrustedClock
  const contexts = makeContexts()
  const proxy = settings.cluster_use_proxy ? settings.proxy_server : undefined

  /** What is in the way of a context is in the way of this dial only: the next one may find other credentials. */
  const contextOf = (credentials: ClusterCredentials, purpose: Purpose) =>
    Effect.try({
      try: () => contexts(credentials, purpose),
      catch: (error) => failed(`the cluster certificate can't be used: ${messageOf(error)}`)
    })

  const underneath = Effect.fnUntraced(function* (attempt: Attempt, { to, whom }: Dialled, known: ClusterCredentials) {
    if (proxy === undefined || whom === "neighbour") {
      attempt.missing = `no connection to ${formatAddress(to)}`
      return yield* openTcp(attempt, to).pipe(Effect.mapError(({ message }) => failed(message)))
    }
    const secureContext = yield* contextOf(known, "proxy")
    const route: ProxyRoute = { proxy, secureContext, isVerified: verifiesProxy(settings), nowMs }
    return yield* openTunnel(attempt, route, to)
  })

  const open = Effect.fnUntraced(function* (attempt: Attempt, dialled: Dialled, as: Purpose) {
    const { to, whom } = dialled
    const known = yield* SubscriptionRef.get(current)
    const secureContext = yield* contextOf(known, as)
    const socket = yield* underneath(attempt, dialled, known)
    attempt.missing = `no TLS from ${formatAddress(to)}`
    const expected = to.serverName === "" ? to.host : to.serverName
    return yield* openTls(attempt, {
      socket,
      host: to.host,
      servername: isIP(expected) === 0 ? expected : "",
      secureContext,
      checkServerIdentity: verify(whom, expected, settings.lua_ssl_verify_depth)
    }).pipe(Effect.mapError(handshakeFailure(whom)))
  })

  const openInTime = (
    to: ClusterEndpoint,
    { whom = "control plane", as = "current", limitMs = dialLimitMs }: TransportOptions
  ) =>
    Effect.suspend(() => {
      const attempt: Attempt = { opened: [], missing: "" }
      return open(attempt, { to, whom }, as).pipe(
        Effect.timeoutOrElse({
          duration: limitMs,
          orElse: () => Effect.fail(failed(`${attempt.missing} ${withinWords(limitMs)}`))
        }),
        Effect.onError(() =>
          Effect.sync(() => {
            for (const socket of attempt.opened) socket.destroy()
          })
        )
      )
    })

  return ClusterTransport.of({
    connect: (to, options = {}) =>
      Effect.acquireRelease(openInTime(to, options), (stream) => Effect.sync(() => endSoon(stream)), {
        interruptible: true
      })
  })
})

export const layer: Layer.Layer<ClusterTransport, never, Settings | ClusterIdentity | TrustedClock> = Layer.effect(
  ClusterTransport,
  make
)
