/** What the setting `headers` makes of answers, decided once (`proxy-behaviour.md` §2). */
import { type AnswerHeader, answerHeadersOf } from "../../model/AnswerHeaders.ts"
import type { SettingValues } from "../../model/SettingTable.ts"

export interface AnswerPolicy {
  /** Headers of the upstream's that go no further: those of one connection, and those that are set here. */
  readonly dropped: ReadonlySet<string>
  readonly hasServer: boolean
  readonly hasVia: boolean
  readonly hasProxyLatency: boolean
  readonly hasUpstreamLatency: boolean
  readonly hasResponseLatency: boolean
  readonly hasUpstreamStatus: boolean
  readonly hasRequestId: boolean
}

const hopByHop = ["connection", "keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade"]

/** What a proxied answer gets from this node replaces what the upstream says under that name. */
const overwritten: ReadonlySet<AnswerHeader> = new Set([
  "Via",
  "X-Kong-Proxy-Latency",
  "X-Kong-Upstream-Latency",
  "X-Kong-Upstream-Status",
  "X-Kong-Request-Id"
])

export const makeAnswerPolicy = ({ headers }: Pick<SettingValues, "headers">): AnswerPolicy => {
  const shown = answerHeadersOf(headers)
  const replaced = [...shown].filter((name) => overwritten.has(name)).map((name) => name.toLowerCase())
  return {
    dropped: new Set([...hopByHop, ...replaced]),
    hasServer: shown.has("Server"),
    hasVia: shown.has("Via"),
    hasProxyLatency: shown.has("X-Kong-Proxy-Latency"),
    hasUpstreamLatency: shown.has("X-Kong-Upstream-Latency"),
    hasResponseLatency: shown.has("X-Kong-Response-Latency"),
    hasUpstreamStatus: shown.has("X-Kong-Upstream-Status"),
    hasRequestId: shown.has("X-Kong-Request-Id")
  }
}
