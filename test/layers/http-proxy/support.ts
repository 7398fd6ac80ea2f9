/** A proxy on a port of the system's choice before real upstreams, all of which end with the test's scope. */
import http, { type IncomingMessage, type RequestListener } from "node:http"
import type { AddressInfo, Socket } from "node:net"
import net from "node:net"
import { Context, Effect, Layer, MutableRef, type Scope, SubscriptionRef } from "effect"
import * as PemUpstreamCredentials from "../../../src/layers/credentials/PemUpstreamCredentials.ts"
import * as DnsResolver from "../../../src/layers/dns/DnsResolver.ts"
import * as FileErrorTemplates from "../../../src/layers/FileErrorTemplates.ts"
import * as HttpProxy from "../../../src/layers/http-proxy/HttpProxy.ts"
import * as NodeDisk from "../../../src/layers/NodeDisk.ts"
import { type CompiledConfig, emptyConfig } from "../../../src/model/CompiledConfig.ts"
import { decodeTable } from "../../../src/model/ConfigTable.ts"
import { compileConfig } from "../../../src/model/compileConfig.ts"
import type { Row } from "../../../src/model/Entity.ts"
import type { GatewayError } from "../../../src/model/GatewayError.ts"
import type { PluginCatalogue } from "../../../src/model/plugin/PluginCatalogue.ts"
import { type SettingValues, settingTable } from "../../../src/model/SettingTable.ts"
import type { ListenAddress } from "../../../src/model/SettingTypes.ts"
import { builtinCatalogue } from "../../../src/programs/builtinPlugins.ts"
import { Identity } from "../../../src/services/Identity.ts"
import { LicenseGuard, unlicensed } from "../../../src/services/LicenseGuard.ts"
import { LiveConfig, type LiveState } from "../../../src/services/LiveConfig.ts"
import { Proxy } from "../../../src/services/Proxy.ts"
import { type RequestObserver, RequestObservers } from "../../../src/services/RequestObservers.ts"
import { type CertificatePair, ServerCertificate } from "../../../src/services/ServerCertificate.ts"
import { Settings } from "../../../src/services/Settings.ts"
import { type RequestTracer, Tracing } from "../../../src/services/Tracing.ts"
import { TrustedClock } from "../../../src/services/TrustedClock.ts"

export const id = (n: number): string => `00000000-0000-4000-8000-${String(n).padStart(12, "0")}`

/** A compiled config from rows as a person would write them. */
export const configOf = (table: Row, plugins: PluginCatalogue = builtinCatalogue): CompiledConfig => {
  const decoded = decodeTable({ _format_version: "3.0", ...table }, plugins)
  if (decoded._tag === "Wrong") throw new Error(JSON.stringify(decoded.faults))
  return compileConfig(decoded.table, plugins)
}

/** One service, one route: the most common configuration of these tests. */
export const oneRoute = (port: number, service: Row = {}, route: Row = {}): CompiledConfig =>
  configOf({
    services: [{ id: id(1), name: "s", host: "127.0.0.1", port, ...service }],
    routes: [{ id: id(2), service: id(1), paths: ["/"], ...route }]
  })

const presets = Object.fromEntries(
  Object.entries(settingTable).map(([name, { preset, type }]) => [
    name,
    preset === undefined ? undefined : type.parse(preset)
  ])
) as unknown as SettingValues

export const loopback: ListenAddress = { host: "127.0.0.1", port: 0, isTls: false, isHttp2: false }

export interface ProxyOptions {
  readonly settings?: Partial<SettingValues>
  readonly certificate?: CertificatePair
  readonly observers?: ReadonlyArray<RequestObserver>
  readonly tracer?: RequestTracer
}

export interface RunningProxy {
  readonly proxy: Proxy["Service"]
  readonly port: number
  readonly serve: (config: CompiledConfig) => void
  /** Answers every request so, until it is told otherwise. */
  readonly refuse: (error: GatewayError | undefined) => void
}

const unused = Effect.die("not used by these tests")

/** Starts a proxy whose configuration the test swaps by hand. */
export const startProxy = Effect.fnUntraced(function* (
  config: CompiledConfig = emptyConfig,
  options: ProxyOptions = {}
) {
  const current = MutableRef.make(config)
  const state = yield* SubscriptionRef.make({} as LiveState)
  const refusal = MutableRef.make<GatewayError | undefined>(undefined)
  const license = yield* SubscriptionRef.make(unlicensed)
  const fallback = options.certificate === undefined ? unused : Effect.succeed(options.certificate)
  const layer = HttpProxy.layer.pipe(
    Layer.provide([
      Layer.succeed(LicenseGuard, { refusal, state: license }),
      Layer.succeed(LiveConfig, { current, state, apply: () => unused, note: () => unused, passOver: () => unused }),
      Layer.succeed(ServerCertificate, { fallback }),
      Layer.succeed(RequestObservers, options.observers ?? []),
      Layer.succeed(Tracing, { tracer: options.tracer }),
      Layer.succeed(Identity, { nodeId: id(900), hostname: "gateway.test", version: "3.9.0" }),
      TrustedClock.layerWall,
      DnsResolver.layer,
      FileErrorTemplates.layer,
      PemUpstreamCredentials.layer.pipe(Layer.provide(NodeDisk.layer))
    ]),
    Layer.provide(
      Layer.succeed(Settings, { ...presets, proxy_listen: [loopback], drain_timeout: 0, ...options.settings })
    )
  )
  const proxy = Context.get(yield* Layer.build(layer), Proxy)
  const running: RunningProxy = {
    proxy,
    port: proxy.addresses[0]?.port ?? 0,
    serve: (next) => void MutableRef.set(current, next),
    refuse: (error) => void MutableRef.set(refusal, error)
  }
  return running
})

export interface Upstream {
  readonly port: number
  readonly sockets: Set<Socket>
  /** Connections since the start. */
  readonly accepted: () => number
}

export const listening = (server: net.Server): Effect.Effect<Upstream, never, Scope.Scope> => {
  const sockets = new Set<Socket>()
  let accepted = 0
  server.on("connection", (socket: Socket) => {
    accepted++
    sockets.add(socket)
    socket.on("error", () => undefined)
    socket.on("close", () => sockets.delete(socket))
  })
  return Effect.acquireRelease(
    Effect.promise<Upstream>(
      () =>
        new Promise((resolve) =>
          server.listen(0, "127.0.0.1", () =>
            resolve({ port: (server.address() as AddressInfo).port, sockets, accepted: () => accepted })
          )
        )
    ),
    () =>
      Effect.promise(
        () =>
          new Promise<void>((resolve) => {
            server.close(() => resolve())
            for (const socket of sockets) socket.destroy()
          })
      )
  )
}

export const startUpstream = (handler: RequestListener, options: http.ServerOptions = {}) =>
  listening(http.createServer(options, handler))

/** An upstream that speaks what no HTTP library would; without the delays by which TCP would save packets. */
export const startRawUpstream = (onConnection: (socket: Socket) => void) =>
  listening(net.createServer({ noDelay: true }, onConnection))

export interface Answer {
  readonly status: number
  readonly headers: http.IncomingHttpHeaders
  readonly rawHeaders: ReadonlyArray<string>
  readonly body: string
  readonly trailers: NodeJS.Dict<string>
}

export const readAll = (answer: IncomingMessage): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const chunks: Array<Buffer> = []
    answer.on("data", (chunk: Buffer) => chunks.push(chunk))
    answer.on("error", reject)
    answer.on("end", () =>
      resolve({
        status: answer.statusCode ?? 0,
        headers: answer.headers,
        rawHeaders: answer.rawHeaders,
        body: Buffer.concat(chunks).toString("utf8"),
        trailers: answer.trailers
      })
    )
  })

/** One request; rejects when the connection breaks before the answer is complete. */
export const send = (port: number, options: http.RequestOptions = {}, body?: string | Buffer): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const request = http.request({ host: "127.0.0.1", port, path: "/", agent: false, ...options })
    request.on("response", (answer) => void readAll(answer).then(resolve, reject))
    request.on("error", reject)
    request.end(body)
  })

export const get = (port: number, path = "/", headers: http.OutgoingHttpHeaders = {}): Effect.Effect<Answer> =>
  Effect.promise(() => send(port, { path, headers }))

export const post = (port: number, path: string, body: string | Buffer): Effect.Effect<Answer> =>
  Effect.promise(() => send(port, { path, method: "POST" }, body))

/** Everything a server says to these bytes until it closes the connection. */
export const sendRaw = (port: number, text: string): Effect.Effect<string> =>
  Effect.promise(
    () =>
      new Promise((resolve) => {
        const socket = net.connect(port, "127.0.0.1")
        let received = ""
        socket.setEncoding("latin1")
        socket.on("data", (chunk) => {
          received += chunk
        })
        socket.on("error", () => undefined)
        socket.on("close", () => resolve(received))
        socket.write(text, "latin1")
      })
  )

/** A promise and its resolver: for a test that waits for what it does not time. */
export const signal = <A = void>(): { readonly done: Promise<A>; readonly tell: (value: A) => void } => {
  const { promise, resolve } = Promise.withResolvers<A>()
  return { done: promise, tell: resolve }
}
