/** A little forward proxy on loopback: CONNECT over plain HTTP or TLS, with or without credentials, or as wrong as a test wants it. */
import { createServer as createHttpServer, type IncomingMessage } from "node:http"
import { createServer as createHttpsServer } from "node:https"
import { type AddressInfo, connect, createServer as createTcpServer, type Server, type Socket } from "node:net"
import type { Duplex } from "node:stream"
import { Effect, type Scope } from "effect"
import type { CertificatePair } from "../../src/services/ServerCertificate.ts"

export interface ForwardProxyOptions {
  /** TLS towards whoever comes. */
  readonly tls?: CertificatePair
  /** Who may pass; anybody when absent. */
  readonly credentials?: { readonly user: string; readonly password: string }
  /** Where names lead that only the proxy knows. */
  readonly hosts?: Readonly<Record<string, string>>
  /** Where every tunnel leads, whatever port was asked for. */
  readonly toPort?: number
  /** What it says when a tunnel stands, byte by byte; nothing at all when empty. */
  readonly answer?: string
}

export interface TestProxy {
  readonly scheme: "http" | "https"
  readonly port: number
  readonly asked: Array<{
    /** What stood in the request line. */
    readonly target: string
    readonly host: string | undefined
    readonly authorization: string | undefined
    /** Names of all headers that came. */
    readonly headers: ReadonlyArray<string>
  }>
  /** Connections that are open towards it. */
  readonly openCount: () => number
  /** Cuts every tunnel, as a restart of the proxy would. */
  readonly cut: () => void
}

const basic = /^Basic (.+)$/

const mayPass = ({ headers }: IncomingMessage, { credentials }: ForwardProxyOptions): boolean => {
  if (credentials === undefined) return true
  const shown = basic.exec(headers["proxy-authorization"] ?? "")?.[1] ?? ""
  return Buffer.from(shown, "base64").equals(Buffer.from(`${credentials.user}:${credentials.password}`))
}

const splitTarget = (target: string): { readonly host: string; readonly port: number } => {
  const at = target.lastIndexOf(":")
  return { host: target.slice(0, at).replace(/^\[|\]$/g, ""), port: Number(target.slice(at + 1)) }
}

/** Listens on loopback until the scope ends, and counts who is connected. */
const listening = <S extends Server>(server: S) =>
  Effect.acquireRelease(
    Effect.callback<{ readonly port: number; readonly open: Set<Socket> }>((resume) => {
      const open = new Set<Socket>()
      server.on("connection", (socket: Socket) => {
        open.add(socket)
        socket.on("error", () => socket.destroy())
        socket.once("close", () => open.delete(socket))
      })
      server.listen(0, "127.0.0.1", () =>
        resume(Effect.succeed({ port: (server.address() as AddressInfo).port, open }))
      )
    }),
    ({ open }) =>
      Effect.sync(() => {
        for (const socket of open) socket.destroy()
        server.close()
      })
  )

export const forwardProxy = Effect.fnUntraced(function* (
  options: ForwardProxyOptions = {}
): Effect.fn.Return<TestProxy, never, Scope.Scope> {
  const { answer = "HTTP/1.1 200 Connection established\r\nVia: 1.1 test\r\n\r\n" } = options
  const asked: TestProxy["asked"] = []
  const tunnels = new Set<Duplex>()
  const server = options.tls === undefined ? createHttpServer() : createHttpsServer(options.tls)
  const onConnect = (request: IncomingMessage, client: Duplex, head: Buffer) => {
    const target = request.url ?? ""
    const { host: hostHeader, "proxy-authorization": authorization } = request.headers
    asked.push({ target, host: hostHeader, authorization, headers: Object.keys(request.headers).sort() })
    client.on("error", () => client.destroy())
    if (!mayPass(request, options))
      return void client.end(
        'HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="p"\r\n\r\n'
      )
    const { host, port } = splitTarget(target)
    const upstream = connect({ host: options.hosts?.[host] ?? host, port: options.toPort ?? port })
    const unreachable = () => client.end("HTTP/1.1 502 Bad Gateway\r\n\r\n")
    upstream.once("error", unreachable)
    upstream.once("connect", () => {
      upstream.off("error", unreachable)
      upstream.on("error", () => client.destroy())
      upstream.once("close", () => client.destroy())
      for (const byte of answer) client.write(byte)
      upstream.write(head)
      client.pipe(upstream).pipe(client)
      tunnels.add(client)
    })
    client.once("close", () => {
      tunnels.delete(client)
      upstream.destroy()
    })
  }
  server.on("connect", onConnect)
  const { port, open } = yield* listening(server)
  return {
    scheme: options.tls === undefined ? "http" : "https",
    port,
    asked,
    openCount: () => open.size,
    cut: () => {
      for (const tunnel of tunnels) tunnel.destroy()
    }
  }
})

/** What listens here is no proxy: it does with each connection what the test says. */
export const badProxy = Effect.fnUntraced(function* (onConnection: (socket: Socket) => void) {
  const server = createTcpServer((socket) => {
    onConnection(socket)
    // Whoever doesn't read never learns that the other end has gone.
    socket.resume()
  })
  const { port, open } = yield* listening(server)
  return { port, openCount: () => open.size }
})
