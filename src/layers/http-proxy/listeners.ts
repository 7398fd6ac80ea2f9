/** The servers of `proxy_listen`: each accepts connections, wraps what arrives on them into exchanges, and hands those on. */
import http, { type IncomingMessage, ServerResponse } from "node:http"
import http2 from "node:http2"
import https from "node:https"
import type { AddressInfo } from "node:net"
import type { Duplex } from "node:stream"
import type { ListenAddress } from "../../model/SettingTypes.ts"
import type { CertificatePair } from "../../services/ServerCertificate.ts"
import { refuseBroken, refuseConnect } from "./brokenRequest.ts"
import type { Exchange, ListenerFacts, ProxyNode, Upgrade } from "./exchange.ts"
import { readAgain } from "./readAgain.ts"
import { isWebSocket } from "./requestHead.ts"
import type { CertificateOptions, SniCallback } from "./secureContexts.ts"
import { refuseExpectation, refuseTunnel, serve } from "./servePath.ts"
import { endSessions } from "./slowClients.ts"
import type { Traffic } from "./traffic.ts"

export type Server = http.Server

export interface TlsParts {
  readonly fallback: CertificatePair
  readonly sniCallback: SniCallback
  /** The certificate for clients that name no server; `undefined` means the fallback. */
  readonly nameless: () => CertificateOptions | undefined
}

const maxHeaderBytes = 32_768
const headersTimeoutMs = 60_000
/** nginx's `keepalive_timeout`. */
const keepAliveTimeoutMs = 75_000
const keepAliveBufferMs = 1000
/** Kong's. */
const backlog = 16_384

/** Missing and doubled Host headers are refused by us: with a body that says so. */
const httpOptions = {
  noDelay: true,
  // A client that vanished without a word is found out some day.
  keepAlive: true,
  requireHostHeader: false,
  maxHeaderSize: maxHeaderBytes
}

/** Node asks nobody when a client names no server: what it is shown then is brought up to date before it can ask. */
const showNameless = (server: https.Server, { fallback, nameless }: TlsParts): void => {
  let shown: CertificateOptions = fallback
  server.prependListener("connection", () => {
    const wanted = nameless() ?? fallback
    if (wanted === shown) return
    shown = wanted
    server.setSecureContext(wanted)
  })
}

const createSecureServer = ({ isHttp2 }: ListenAddress, tls: TlsParts): Server => {
  const { cert, key } = tls.fallback
  const options = { ...httpOptions, cert, key, SNICallback: tls.sniCallback }
  const server = isHttp2
    ? (http2.createSecureServer({ ...options, allowHTTP1: true }) as unknown as https.Server)
    : https.createServer(options)
  showNameless(server, tls)
  return server
}

const none: ReadonlyArray<string> = []

const exchangeMaker =
  (node: ProxyNode, listener: ListenerFacts) =>
  (request: IncomingMessage, response: ServerResponse, more?: Partial<Exchange>): Exchange => ({
    node,
    listener,
    request,
    response,
    upgrade: undefined,
    expectsContinue: false,
    id: node.newRequestId(),
    startedAtMs: node.nowMs(),
    extraHeaders: none,
    clientAddress: "",
    compiled: undefined,
    consumer: undefined,
    trace: undefined,
    plugins: undefined,
    status: 0,
    source: "error",
    endedAtMs: 0,
    proxyMs: -1,
    upstreamMs: -1,
    requestBodyBytes: 0,
    responseBodyBytes: 0,
    ...more
  })

/** nginx's status of a client that left before it was answered. */
const clientLeft = 499

const observeEnd = (exchange: Exchange): void => {
  exchange.endedAtMs = exchange.node.nowMs()
  if (exchange.status === 0) exchange.status = clientLeft
  exchange.node.observe(exchange)
  exchange.plugins?.log()
}

/** Errors of a request's own stream are told by its `close` as well; unheard they would end the process. */
const ignore = (): void => undefined

/** A response object for a connection that Node has given away, so that a refused upgrade is answered like any request. */
const responseFor = (request: IncomingMessage, upgrade: Upgrade): ServerResponse => {
  const response = new ServerResponse(request)
  response.shouldKeepAlive = false
  response.assignSocket(upgrade.socket as never)
  // Only a refusal that the client does not take has a limit here.
  upgrade.socket.on("timeout", () => upgrade.socket.destroy())
  response.once("finish", () => upgrade.socket.end(() => upgrade.socket.destroy()))
  return response
}

export interface AttachOptions {
  readonly server: Server
  readonly node: ProxyNode
  readonly isTls: boolean
  /** The port that clients know the listener by (`port_maps`). */
  readonly outerPort: (port: number) => number
  readonly traffic: Traffic
}

export const attach = ({ server, node, isTls, outerPort, traffic }: AttachOptions): void => {
  const listener = (): ListenerFacts => ({
    port: outerPort((server.address() as AddressInfo | null)?.port ?? 0),
    isTls
  })
  let make: ReturnType<typeof exchangeMaker> | undefined
  server.once("listening", () => {
    make = exchangeMaker(node, listener())
  })

  const begin = (request: IncomingMessage, response: ServerResponse, more?: Partial<Exchange>): Exchange => {
    make ??= exchangeMaker(node, listener())
    request.on("error", ignore)
    response.on("error", ignore)
    const exchange = make(request, response, more)
    traffic.began(request.socket, response, more?.upgrade?.socket ?? response, () => observeEnd(exchange))
    return exchange
  }

  server.on("connection", (socket: Duplex) => traffic.opened(socket))
  endSessions(server, keepAliveTimeoutMs)
  server.on("request", (request, response) => serve(begin(request, response)))
  server.on("checkContinue", (request, response) => serve(begin(request, response, { expectsContinue: true })))
  server.on("checkExpectation", (request, response) => refuseExpectation(begin(request, response)))
  // Over HTTP/2 that is a stream like any other, and comes with a response.
  server.on("connect", (request: IncomingMessage, to: Duplex) =>
    request.httpVersionMajor >= 2
      ? refuseTunnel(begin(request, to as unknown as ServerResponse))
      : refuseConnect(node, to)
  )
  server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    traffic.afterAnswers(socket, () => {
      // The limit of an idle connection, which an earlier answer left behind.
      request.socket.setTimeout(0)
      if (!isWebSocket(request)) return readAgain(server, request, socket, head, isTls)
      socket.on("error", () => socket.destroy())
      const upgrade = { socket, head }
      serve(begin(request, responseFor(request, upgrade), { upgrade }))
    })
  })
  server.on("clientError", (cause, socket) => refuseBroken(node, socket, cause, traffic.isAnswering(socket)))
}

export const makeServer = (address: ListenAddress, tls: TlsParts | undefined): Server => {
  const server = tls === undefined ? http.createServer(httpOptions) : createSecureServer(address, tls)
  // Uploads take as long as they take.
  server.requestTimeout = 0
  server.headersTimeout = headersTimeoutMs
  server.keepAliveTimeout = keepAliveTimeoutMs
  // Node's own value; 22.19 gives its HTTP/2 servers none, and falls over it when a client speaks HTTP/1.1 to them.
  server.keepAliveTimeoutBuffer = keepAliveBufferMs
  return server
}

/**
 * Resolves with the port, which the system chose when the setting says 0. `onTrouble` hears of what goes wrong later, such
 * as a connection that can't be accepted for want of file descriptors: unheard, it would end the process.
 */
export const listen = (
  server: Server,
  { host, port }: ListenAddress,
  onTrouble: (error: Error) => void
): Promise<number> =>
  new Promise((resolve, reject) => {
    server.once("error", reject)
    server.listen({ host, port, backlog }, () => {
      server.removeListener("error", reject)
      server.on("error", onTrouble)
      resolve((server.address() as AddressInfo).port)
    })
  })
