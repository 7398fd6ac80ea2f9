/** Why a try got no answer, and what the client is told of it (`proxy-behaviour.md` §3). */
import * as E from "../../model/GatewayError.ts"

/** A limit of the service ran out: nothing came, or nothing went, for as long as it allows. */
export class UpstreamSilence extends Error {
  override readonly name = "UpstreamSilence"
}

const codeOf = (error: Error): string => ("code" in error && typeof error.code === "string" ? error.code : "")

const isTimeout = (error: Error): boolean => error instanceof UpstreamSilence || codeOf(error) === "ETIMEDOUT"

/** The resolver's verdict, which another try would only repeat. */
export const isResolveFailure = (error: Error): boolean => "syscall" in error && error.syscall === "getaddrinfo"

export const errorFor = (error: Error, host: string): E.GatewayError => {
  if (isResolveFailure(error)) {
    return codeOf(error) === "ENOTFOUND" ? E.nameResolutionFailed : E.resolveFailed(host, codeOf(error))
  }
  return isTimeout(error) ? E.upstreamTimeout : E.invalidResponse
}
