/** The admin API over `node:http`. */
import { createHash, timingSafeEqual } from "node:crypto"
import { createServer, type Server } from "node:http"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { Effect, Layer } from "effect"
import { HttpServerRequest, HttpServerResponse } from "effect/http"
import { type AdminAnswer, answers } from "../../model/AdminErrors.ts"
import { resolveAdminPath } from "../../model/AdminPath.ts"
import { splitHostPort } from "../../model/Field.ts"
import { isLoopback } from "../../model/Loopback.ts"
import { listenFault } from "../../model/listenFault.ts"
import type { ListenAddress } from "../../model/SettingTypes.ts"
import { codeOf } from "../../model/thrown.ts"
import type { ClusterHub } from "../../services/control/ClusterHub.ts"
import type { ConfigStore } from "../../services/control/ConfigStore.ts"
import type { FleetMetrics } from "../../services/control/FleetMetrics.ts"
import { AdminListener } from "../../services/control/Listeners.ts"
import type { Payloads } from "../../services/control/Payloads.ts"
import type { Registry } from "../../services/control/Registry.ts"
import type { TelemetryStore } from "../../services/control/TelemetryStore.ts"
import type { Plugins } from "../../services/Plugins.ts"
import { Settings } from "../../services/Settings.ts"
import { StartError } from "../../services/StartError.ts"
import { answerConfig } from "./config.ts"
import { answerEntities } from "./entities.ts"
import { overviewOf } from "./overview.ts"
import { pluginFactsOf } from "./plugins.ts"
import { tagsOf } from "./tags.ts"
import { telemetryOf } from "./telemetry.ts"

type AdminServices = Settings | Plugins | ConfigStore | Registry | ClusterHub | Payloads | FleetMetrics | TelemetryStore
type Request = HttpServerRequest.HttpServerRequest

/** What requests in flight get to finish when the listener stops. */
const drain = "1 second"

const digest = (text: string): Buffer => createHash("sha256").update(text).digest()

/** Compared by digest, so that the time it takes says nothing about the token. */
const hasToken = (request: Request, token: string): boolean =>
  timingSafeEqual(digest(request.headers["kong-admin-token"] ?? ""), digest(token))

/**
 * Without a token the loopback address is the only guard, and a page in this machine's browser gets past that: as a
 * request from its own origin, or under a name of its own that resolves to this machine.
 */
const isOfAnotherSite = ({ headers: { host, origin } }: Request): boolean => {
  const name = host === undefined ? undefined : splitHostPort(host)?.host
  if (host !== undefined && (name === undefined || !isLoopback(name))) return true
  return origin !== undefined && (!URL.canParse(origin) || new URL(origin).host !== host)
}

const route = (request: Request): Effect.Effect<AdminAnswer, never, AdminServices> => {
  const url = new URL(request.url.replace(/^\/+/, "/"), "http://admin")
  const path = url.pathname === "/" ? "/" : url.pathname.replace(/\/+$/, "")
  const overview = overviewOf(path) ?? pluginFactsOf(path) ?? tagsOf(path, url) ?? telemetryOf(path, url)
  if (overview !== undefined) {
    return request.method === "GET" || request.method === "HEAD" ? overview : Effect.succeed(answers.methodNotAllowed)
  }
  if (path === "/config") return answerConfig(request, url)
  const target = resolveAdminPath(path)
  return target === undefined ? Effect.succeed(answers.notFound) : answerEntities(target, request, url)
}

const toResponse = ({ status, body, headers = {} }: AdminAnswer): HttpServerResponse.HttpServerResponse => {
  if (body === undefined) return HttpServerResponse.empty({ status, headers })
  return typeof body === "string"
    ? HttpServerResponse.text(body, { status, headers })
    : HttpServerResponse.jsonUnsafe(body, { status, headers })
}

const handle = Effect.gen(function* () {
  const request = yield* HttpServerRequest.HttpServerRequest
  const { admin_token } = yield* Settings
  if (admin_token === undefined ? isOfAnotherSite(request) : !hasToken(request, admin_token)) {
    return toResponse(admin_token === undefined ? answers.crossSite : answers.unauthorised)
  }
  return toResponse(yield* route(request))
}).pipe(
  Effect.catchDefect((defect) => Effect.as(Effect.logError("admin request failed", defect), toResponse(answers.failed)))
)

const closeAll = (server: Server) => Effect.addFinalizer(() => Effect.sync(() => server.closeAllConnections()))

const open = Effect.fnUntraced(function* (address: ListenAddress) {
  const server = createServer()
  const listener = yield* NodeHttpServer.make(() => server, {
    host: address.host,
    port: address.port,
    gracefulShutdownTimeout: drain
  }).pipe(
    Effect.mapError(
      ({ cause }) => new StartError({ faults: [listenFault("admin_listen", address, codeOf(cause))], exitCode: 1 })
    )
  )
  // Between the drain, which runs first, and the close, which waits for every connection.
  yield* closeAll(server)
  yield* listener.serve(handle)
  const bound = server.address()
  return typeof bound === "object" && bound !== null
    ? { host: bound.address, port: bound.port }
    : { host: address.host, port: address.port }
})

const make = Effect.gen(function* () {
  const { admin_listen } = yield* Settings
  return AdminListener.of({ addresses: yield* Effect.forEach(admin_listen, open) })
})

export const layer: Layer.Layer<AdminListener, StartError, AdminServices> = Layer.effect(AdminListener, make)
