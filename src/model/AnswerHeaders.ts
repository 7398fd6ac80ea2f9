/** The response headers that the setting `headers` switches on (`proxy-behaviour.md` §2). */

const names = [
  "Server",
  "Via",
  "X-Kong-Proxy-Latency",
  "X-Kong-Upstream-Latency",
  "X-Kong-Response-Latency",
  "X-Kong-Admin-Latency",
  "X-Kong-Upstream-Status",
  "X-Kong-Request-Id"
] as const

export type AnswerHeader = (typeof names)[number]

const groups: Readonly<Record<string, ReadonlyArray<AnswerHeader>>> = {
  server_tokens: ["Server", "Via"],
  latency_tokens: ["X-Kong-Proxy-Latency", "X-Kong-Upstream-Latency", "X-Kong-Response-Latency", "X-Kong-Admin-Latency"]
}

/** What may stand in the setting. */
export const answerTokens: ReadonlyArray<string> = [...Object.keys(groups), ...names]

/** Takes the tokens as `answerTokens` spells them. */
export const answerHeadersOf = (tokens: ReadonlyArray<string>): ReadonlySet<AnswerHeader> =>
  new Set(tokens.flatMap((token) => groups[token] ?? names.filter((name) => name === token)))
