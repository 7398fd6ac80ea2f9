/** What is asked of a request once its route is known, in this order (`router.md` §7): plugins run before `checkService`. */
import type { IncomingMessage } from "node:http"
import type { CompiledRoute } from "../../model/CompiledConfig.ts"
import type { Route, Service } from "../../model/Entities.ts"
import * as E from "../../model/GatewayError.ts"
import type { Forwarded } from "./forwarded.ts"

const checkScheme = (route: Route, forwarded: Forwarded, uri: string): E.GatewayError | undefined => {
  const needsTls = route.protocols.includes("https") && !route.protocols.includes("http")
  if (!needsTls || forwarded.proto === "https") return undefined
  return route.https_redirect_status_code === 426
    ? E.useHttps
    : E.redirectToHttps(route.https_redirect_status_code, `https://${forwarded.host}${uri}`)
}

const checkGrpc = (route: Route, request: IncomingMessage, forwarded: Forwarded): E.GatewayError | undefined => {
  const isGrpcRoute = route.protocols.includes("grpc") || route.protocols.includes("grpcs")
  if (!isGrpcRoute) return undefined
  if (!(request.headers["content-type"] ?? "").startsWith("application/grpc")) return E.notGrpc
  if (request.httpVersionMajor < 2) return E.useHttp2
  return route.protocols.includes("grpc") || forwarded.proto === "https" ? undefined : E.useGrpcs
}

/** What keeps the request from a service of its route's, if anything does. */
export const checkService = ({ protocol }: Service): E.GatewayError | undefined =>
  protocol === "http" || protocol === "https" ? undefined : E.protocolNotServed(protocol)

export const checkRoute = (
  compiled: CompiledRoute,
  request: IncomingMessage,
  forwarded: Forwarded,
  uri: string
): E.GatewayError | undefined =>
  checkScheme(compiled.route, forwarded, uri) ?? checkGrpc(compiled.route, request, forwarded)
