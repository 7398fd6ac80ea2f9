/**
 * Steady traffic beside the script: each of the requests in turn, so many a second whatever becomes of the answers, over
 * kept-alive connections. Every request is counted; one that is not answered as expected is a failure, with its reason
 * and its moment.
 */
import {
  type ClientRequest,
  Agent as HttpAgent,
  request as httpRequest,
  type IncomingHttpHeaders,
  type IncomingMessage
} from "node:http"
import { Agent as HttpsAgent, request as httpsRequest } from "node:https"
import { Effect, type Scope } from "effect"
import { type ApiCalls, asksForRoute } from "./ApiCalls.ts"
import type { DrillRequest } from "./deriveRequests.ts"

export interface FailureGroup {
  readonly reason: string
  readonly count: number
  /** Since the drill began. */
  readonly firstAtMs: number
  readonly lastAtMs: number
}

export interface Counts {
  readonly sent: number
  readonly failed: number
}

/** What every answer has to be, for now. */
export interface Expectation {
  readonly title: string
  /** Why it is not as expected; undefined when it is. */
  readonly judge: (answer: {
    readonly status: number
    readonly body: string
    readonly method: string
  }) => string | undefined
}

export interface Load {
  readonly begin: (expectation: Expectation) => Effect.Effect<void>
  /** Sends no more, and waits for what is under way. */
  readonly pause: Effect.Effect<void>
  readonly counts: () => Counts
  readonly failures: () => ReadonlyArray<FailureGroup>
}

export const requestsPerSecond = 200

const tickMs = 10
const answerTimeoutMs = 5_000
const maxSockets = 64
const shownBody = 120

/** Kinds of failure that are told apart; whatever else fails is counted with the others. */
const groupsMax = 20
const otherReasons = "other reasons"

/** Each refusal of a gateway has a request id of its own, in whatever form it is written: no two would be of one kind. */
const requestId = /\b[0-9a-f]{32}\b/g

const shorten = (body: string): string =>
  body.trim().replaceAll(/\s+/g, " ").replaceAll(requestId, "*").slice(0, shownBody)

/** The echo's answer, through the gateway. */
export const answeredByEcho: Expectation = {
  title: "the upstream's answer",
  judge: ({ status, body, method }) =>
    status === 200 && (method === "HEAD" || body.includes('"upstream":"echo"'))
      ? undefined
      : `${status} ${shorten(body)}`
}

/** The gateway's own refusal. */
export const refusedWith = (expected: number, words: string): Expectation => ({
  title: `${expected} ${words}`,
  judge: ({ status, body, method }) =>
    status === expected && (method === "HEAD" || body.includes(words)) ? undefined : `${status} ${shorten(body)}`
})

/** Where the gateway's listeners are. */
export interface Gateway {
  readonly port: number
  readonly tlsPort: number
}

/** While one gives way to the other. */
export const eitherOf = (one: Expectation, other: Expectation): Expectation => ({
  title: `${one.title}, or ${other.title}`,
  judge: (answer) => (one.judge(answer) === undefined ? undefined : other.judge(answer))
})

export interface LoadOptions extends Gateway {
  /** Asked for at each request: they may grow fewer. */
  readonly requests: () => ReadonlyArray<DrillRequest>
  readonly apiCalls: ApiCalls
}

const makeAgents = () => {
  // First in, first out: no connection idles until the gateway closes it under a request.
  const options = { keepAlive: true, maxSockets, scheduling: "fifo" as const }
  return { http: new HttpAgent(options), https: new HttpsAgent({ ...options, rejectUnauthorized: false }) }
}

type Agents = ReturnType<typeof makeAgents>

const send = ({ port, tlsPort }: Gateway, agents: Agents, wanted: DrillRequest): ClientRequest => {
  const { method, path, isTls, serverName } = wanted
  const headers = { ...wanted.headers, ...asksForRoute }
  const shared = { host: "127.0.0.1", method, path, headers, timeout: answerTimeoutMs }
  if (!isTls) return httpRequest({ ...shared, port, agent: agents.http })
  const named = serverName === undefined ? {} : { servername: serverName }
  return httpsRequest({ ...shared, ...named, port: tlsPort, agent: agents.https })
}

const readBody = (response: IncomingMessage, done: (body: string) => void): void => {
  const chunks: Array<Buffer> = []
  response.on("data", (chunk: Buffer) => chunks.push(chunk))
  response.on("end", () => done(Buffer.concat(chunks).toString("utf8")))
}

export interface OneAnswer {
  readonly status: number
  readonly body: string
  readonly method: string
  readonly headers: IncomingHttpHeaders
}

/** One request over a connection of its own; an error's words when there is no answer. */
export const askOnce = (
  gateway: Gateway,
  wanted: DrillRequest,
  apiCalls: ApiCalls
): Effect.Effect<OneAnswer | string> =>
  Effect.callback<OneAnswer | string>((resume) => {
    const agents = makeAgents()
    const end = (outcome: OneAnswer | string) => {
      agents.http.destroy()
      agents.https.destroy()
      resume(Effect.succeed(outcome))
    }
    const outgoing = send(gateway, agents, wanted)
    outgoing.on("response", (response) => {
      apiCalls.note(response.headers)
      response.on("error", (error) => end(error.message))
      readBody(response, (body) =>
        end({ status: response.statusCode ?? 0, body, method: wanted.method, headers: response.headers })
      )
    })
    outgoing.on("timeout", () => outgoing.destroy(new Error("no answer")))
    outgoing.on("error", (error) => end(error.message))
    outgoing.end()
  })

export const makeLoad = (options: LoadOptions): Effect.Effect<Load, never, Scope.Scope> =>
  Effect.gen(function* () {
    const bornMs = performance.now()
    const groups = new Map<string, FailureGroup>()
    const counts = { sent: 0, failed: 0 }
    const idle = new Set<() => void>()
    let inFlight = 0
    let next = 0
    let agents = makeAgents()
    let timer: NodeJS.Timeout | undefined

    const fail = (words: string) => {
      counts.failed++
      const atMs = Math.round(performance.now() - bornMs)
      const reason = groups.has(words) || groups.size < groupsMax ? words : otherReasons
      const known = groups.get(reason)
      groups.set(reason, {
        reason,
        count: (known?.count ?? 0) + 1,
        firstAtMs: known?.firstAtMs ?? atMs,
        lastAtMs: atMs
      })
    }

    const finish = (reason: string | undefined) => {
      inFlight--
      if (reason !== undefined) fail(reason)
      if (inFlight > 0) return
      for (const tell of idle) tell()
      idle.clear()
    }

    const sendOne = (expectation: Expectation) => {
      const requests = options.requests()
      const wanted = requests[next++ % requests.length]
      if (wanted === undefined) return
      counts.sent++
      inFlight++
      let isDone = false
      const end = (reason: string | undefined) => {
        if (!isDone) finish(reason)
        isDone = true
      }
      const outgoing = send(options, agents, wanted)
      outgoing.on("response", (response) => {
        options.apiCalls.note(response.headers)
        response.on("error", (error) => end(`the answer broke off: ${error.message}`))
        response.on("close", () => end(response.complete ? undefined : "the answer broke off"))
        readBody(response, (body) =>
          end(expectation.judge({ status: response.statusCode ?? 0, body, method: wanted.method }))
        )
      })
      outgoing.on("timeout", () => outgoing.destroy(new Error(`no answer within ${answerTimeoutMs / 1000} s`)))
      outgoing.on("error", (error: NodeJS.ErrnoException) => end(error.code ?? error.message))
      outgoing.end()
    }

    const stop = () => {
      clearInterval(timer)
      timer = undefined
    }

    const begin = (expectation: Expectation) =>
      Effect.sync(() => {
        stop()
        const startedMs = performance.now()
        let sent = 0
        timer = setInterval(() => {
          const due = Math.floor(((performance.now() - startedMs) * requestsPerSecond) / 1000)
          for (; sent < due; sent++) sendOne(expectation)
        }, tickMs)
      })

    const pause = Effect.callback<void>((resume) => {
      stop()
      const settle = () => {
        // Connections of a node that is about to go would fail whoever took them next.
        agents.http.destroy()
        agents.https.destroy()
        agents = makeAgents()
        resume(Effect.void)
      }
      if (inFlight === 0) settle()
      else idle.add(settle)
    })

    yield* Effect.addFinalizer(() => pause)
    return { begin, pause, counts: () => ({ ...counts }), failures: () => [...groups.values()] }
  })
