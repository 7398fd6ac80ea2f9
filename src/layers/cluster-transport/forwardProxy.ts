/** A tunnel through a forward proxy: reference `hybrid-protocol-v1.md` §1.4. */
import { isIP, type Socket } from "node:net"
import type { SecureContext } from "node:tls"
import { Effect } from "effect"
import type { ForwardProxy } from "../../model/ForwardProxy.ts"
import { formatAddress } from "../../model/listenFault.ts"
import { readRetryAfter } from "../../model/RetryAfter.ts"
import type { HostPort } from "../../model/SettingTypes.ts"
import { isVerificationFailure, verificationFailure } from "../../model/TlsFailure.ts"
import { tunnelRefusal } from "../../model/TunnelRefusal.ts"
import { ClusterUnreachable } from "../../services/ClusterTransport.ts"
import {
  type Attempt,
  answerHeadMaxBytes,
  askForTunnel,
  openTcp,
  openTls,
  type StepFailure,
  type TunnelAnswer
} from "./opening.ts"

export interface ProxyRoute {
  readonly proxy: ForwardProxy
  /** How an https:// proxy is judged. */
  readonly secureContext: SecureContext
  readonly isVerified: boolean
  /** What time the node believes it is. */
  readonly nowMs: Effect.Effect<number>
}

const nameOf = (proxy: ForwardProxy): string => `the forward proxy ${formatAddress(proxy)}`

const failed = (message: string) => new ClusterUnreachable({ reason: "failed", message })

const tlsProblem = (proxy: ForwardProxy, { code, message }: StepFailure): string => {
  if (isVerificationFailure(code)) return `the certificate of ${nameOf(proxy)} ${verificationFailure(code)}`
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID") return `the certificate of ${nameOf(proxy)} is refused: ${message}`
  if (code === "ERR_SSL_WRONG_VERSION_NUMBER" || code === "ERR_SSL_PACKET_LENGTH_TOO_LONG")
    return `${nameOf(proxy)} speaks no TLS, as https:// in proxy_server says`
  return `${nameOf(proxy)} can't be spoken to by TLS: ${message}`
}

const connectProblem = (proxy: ForwardProxy, { code, message }: StepFailure): string => {
  const name = nameOf(proxy)
  if (code === "HPE_HEADER_OVERFLOW")
    return `${name} answers CONNECT with more than ${answerHeadMaxBytes} bytes of headers`
  if (code.startsWith("HPE_"))
    return `${name} answers CONNECT with something other than HTTP${proxy.isTls ? "" : "; if it speaks TLS, proxy_server begins with https://"}`
  if (code === "ECONNRESET" || code === "EPIPE") return `${name} closed the connection instead of answering CONNECT`
  return `${name} can't be asked for a tunnel: ${message}`
}

const openToProxy = Effect.fnUntraced(function* (attempt: Attempt, { proxy, secureContext, isVerified }: ProxyRoute) {
  attempt.missing = `no connection to ${nameOf(proxy)}`
  const tcp = yield* openTcp(attempt, proxy).pipe(
    Effect.mapError(({ message }) => failed(`${nameOf(proxy)} can't be reached: ${message}`))
  )
  if (!proxy.isTls) return tcp
  attempt.missing = `no TLS from ${nameOf(proxy)}`
  return yield* openTls(attempt, {
    socket: tcp,
    host: proxy.host,
    secureContext,
    rejectUnauthorized: isVerified,
    // TLS knows no server name that is an address.
    ...(isIP(proxy.host) === 0 ? { servername: proxy.host } : {})
  }).pipe(Effect.mapError((failure) => failed(tlsProblem(proxy, failure))))
})

const refused = Effect.fnUntraced(function* ({ proxy, nowMs }: ProxyRoute, { status, headers }: TunnelAnswer) {
  const refusal = {
    status,
    challenge: headers["proxy-authenticate"]?.toString(),
    hasCredentials: proxy.authorization !== undefined
  }
  const retryAfterMs = readRetryAfter(headers["retry-after"], {
    date: headers.date,
    nowMs: yield* nowMs
  })
  return yield* new ClusterUnreachable({
    reason: "refused",
    message: `${nameOf(proxy)} ${tunnelRefusal(refusal)}`,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs })
  })
})

/** A socket behind which the endpoint's own TLS begins. */
export const openTunnel = Effect.fnUntraced(function* (
  attempt: Attempt,
  route: ProxyRoute,
  to: HostPort
): Effect.fn.Return<Socket, ClusterUnreachable> {
  const { proxy } = route
  const socket = yield* openToProxy(attempt, route)
  attempt.missing = `no answer to CONNECT from ${nameOf(proxy)}`
  const answer = yield* askForTunnel(socket, to, proxy.authorization).pipe(
    Effect.mapError((failure) => failed(connectProblem(proxy, failure)))
  )
  if (answer.status < 200 || answer.status > 299) return yield* refused(route, answer)
  // In TLS the client speaks first: what is there already can't come from the other end of a tunnel.
  if (answer.rest.length > 0)
    return yield* failed(`${nameOf(proxy)} sent ${answer.rest.length} bytes behind its answer to CONNECT: no tunnel`)
  return socket
})
