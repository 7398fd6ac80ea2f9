/**
 * The steps that lead to a stream: TCP, CONNECT, TLS. Each is one effect over one socket; what a step opens is noted in
 * the attempt, so that whoever runs the steps can tear all of it down, at whichever step they stop.
 */
import { type IncomingHttpHeaders, request } from "node:http"
import { connect as connectTcp, type Socket } from "node:net"
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from "node:tls"
import { domainToASCII } from "node:url"
import { Effect } from "effect"
import type { HostPort } from "../../model/SettingTypes.ts"
import { codeOf, messageOf } from "../../model/thrown.ts"

export interface Attempt {
  /** Outermost first. */
  readonly opened: Array<Socket>
  /** What is missing while the step lasts: "no connection to cp:8005". */
  missing: string
}

/** How a step failed, as Node put it: what it means depends on who was at the other end. */
export interface StepFailure {
  readonly code: string
  readonly message: string
}

export interface TunnelAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  /** What came right behind the head. */
  readonly rest: Uint8Array
}

export const answerHeadMaxBytes = 16_384

const failureOf = (error: unknown): StepFailure => ({ code: codeOf(error) ?? "unknown", message: messageOf(error) })

const closed: StepFailure = { code: "ECONNRESET", message: "closed" }

/** The listener for errors stays for the socket's life: an error that nobody listens for would end the process. */
const stepOf = <S extends Socket>({ opened }: Attempt, event: string, open: () => S): Effect.Effect<S, StepFailure> =>
  Effect.callback<S, StepFailure>((resume) => {
    const socket = open()
    opened.push(socket)
    socket.on("error", (error) => resume(Effect.fail(failureOf(error))))
    socket.once("close", () => resume(Effect.fail(closed)))
    socket.once(event, () => resume(Effect.succeed(socket)))
  })

/** Name resolution and TCP. */
export const openTcp = (attempt: Attempt, { host, port }: HostPort): Effect.Effect<Socket, StepFailure> =>
  stepOf(attempt, "connect", () => connectTcp({ host, port, noDelay: true }))

/** TLS over a connected socket, which may be a tunnel in TLS itself. */
export const openTls = (attempt: Attempt, options: ConnectionOptions): Effect.Effect<TLSSocket, StepFailure> =>
  stepOf(attempt, "secureConnect", () => connectTls(options))

/** As it stands in a request line: an address in brackets, a name in the letters that DNS has. */
const authorityOf = ({ host, port }: HostPort): string =>
  host.includes(":") ? `[${host}]:${port}` : `${domainToASCII(host) || host}:${port}`

/** Asks the proxy at the other end of the socket for a tunnel; any answer is a success. */
export const askForTunnel = (
  socket: Socket,
  to: HostPort,
  authorization: string | undefined
): Effect.Effect<TunnelAnswer, StepFailure> =>
  Effect.callback<TunnelAnswer, StepFailure>((resume) => {
    const authority = authorityOf(to)
    const asked = request({
      method: "CONNECT",
      path: authority,
      headers: { host: authority, ...(authorization === undefined ? {} : { "proxy-authorization": authorization }) },
      createConnection: () => socket,
      // Node would say that the connection ends with the answer, and it is to be the tunnel (RFC 9110 §9.3.6).
      setDefaultHeaders: false,
      maxHeaderSize: answerHeadMaxBytes
    })
    asked.on("error", (error) => resume(Effect.fail(failureOf(error))))
    asked.once("close", () => resume(Effect.fail(closed)))
    asked.once("connect", ({ statusCode = 0, headers }, _socket, rest) =>
      resume(Effect.succeed({ status: statusCode, headers, rest }))
    )
    asked.end()
  })
