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
import type { SniCallback } from "./secureContexts.ts"
import { refuseExpectation, serve } from "./servePath.ts"
import type { Traffic } from "./traffic.ts"

export type Server = http.Server

export interface TlsParts {
  readonly fallback: CertificatePair
  readonly sniCallback: SniCallback
}

const maxHeaderBytes = 32_768
const headersTimeoutMs = 60_000
/** nginx's `keepalive_timeout`. */
const keepAliveTimeoutMs = 75_000
/** Kong's. */
const backlog = 16_384

/** Missing and doubled Host headers are refused by us: with a body that says so. */
const httpOptions = {
  noDelay: true,
  requireHostHeader: false,
  maxHeaderSize: maxHeaderBytes,
  // Everything but a WebSocket stays a request; its `Upgrade` header ends here.
  shouldUpgradeCallback: (request: IncomingMessage) => request.headers.upgrade?.toLowerCase() === "websocket"
}

const createServer = (address: ListenAddress, tls: TlsParts | undefined): Server => {
  if (tls === undefined) return http.createServer(httpOptions)
  const { cert, key } = tls.fallback
  const options = { ...httpOptions, cert, key, SNICallback: tls.sniCallback }
  return address.isHttp2
    ? (http2.createSecureServer({ ...options, allowHTTP1: true }) as unknown as Server)
    : https.createServer(options)
}

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
    ...more
  })

/** Errors of a request's own stream are told by its `close` as well; unheard they would end the process. */
const ignore = (): void => undefined

/** A response object for a connection that Node has given away, so that a refused upgrade is answered like any request. */
const responseFor = (request: IncomingMessage, upgrade: Upgrade): ServerResponse => {
  const response = new ServerResponse(request)
  response.shouldKeepAlive = false
  response.assignSocket(upgrade.socket as never)
  response.once("finish", () => upgrade.socket.end(() => upgrade.socket.destroy()))
  return response
}

export const attach = (server: Server, node: ProxyNode, isTls: boolean, traffic: Traffic): void => {
  const listener = (): ListenerFacts => ({ port: (server.address() as AddressInfo | null)?.port ?? 0, isTls })
  let make: ReturnType<typeof exchangeMaker> | undefined
  server.once("listening", () => {
    make = exchangeMaker(node, listener())
  })

  const begin = (request: IncomingMessage, response: ServerResponse, more?: Partial<Exchange>): Exchange => {
    make ??= exchangeMaker(node, listener())
    request.on("error", ignore)
    response.on("error", ignore)
    traffic.began(request.socket, response, more?.upgrade?.socket ?? response)
    return make(request, response, more)
  }

  server.on("connection", (socket: Duplex) => traffic.opened(socket))
  server.on("request", (request, response) => serve(begin(request, response)))
  server.on("checkContinue", (request, response) => serve(begin(request, response, { expectsContinue: true })))
  server.on("checkExpectation", (request, response) => refuseExpectation(begin(request, response)))
  server.on("connect", (_request: IncomingMessage, socket: Duplex) => refuseConnect(node, socket))
  server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on("error", () => socket.destroy())
    const upgrade = { socket, head }
    serve(begin(request, responseFor(request, upgrade), { upgrade }))
  })
  server.on("clientError", (cause, socket) => refuseBroken(node, socket, cause, traffic.isAnswering(socket)))
}

export const makeServer = (address: ListenAddress, tls: TlsParts | undefined): Server => {
  const server = createServer(address, tls)
  // Uploads take as long as they take.
  server.requestTimeout = 0
  server.headersTimeout = headersTimeoutMs
  server.keepAliveTimeout = keepAliveTimeoutMs
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
