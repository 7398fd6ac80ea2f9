/** The answer that a plugin gives in place of an upstream: source `exit` (`proxy-behaviour.md` §2, §3.1). */
import type { PluginAnswer } from "../../../model/plugin/Plugin.ts"
import { answerError, answerOwn } from "../answerHead.ts"
import type { Exchange } from "../exchange.ts"
import { answerFields, removeField } from "./fields.ts"

const isStatus = (status: unknown): boolean => Number.isInteger(status) && Number(status) >= 200 && Number(status) < 600

const isText = (value: unknown): boolean => typeof value === "string"

/** Throws for what is no answer: a plugin that means to refuse must not be misunderstood. */
export const checkedAnswer = (given: unknown): PluginAnswer => {
  const answer = (typeof given === "object" && given !== null ? given : {}) as Partial<
    Record<"status" | "headers" | "body" | "message", unknown>
  >
  const hasBody = isText(answer.body) || answer.body instanceof Uint8Array
  if (!isStatus(answer.status) || hasBody === isText(answer.message) || !Array.isArray(answer.headers ?? []))
    throw new TypeError("expected an answer: a status from 200 to 599, headers, and either a body or a message")
  const headers = answerFields((answer.headers ?? []) as ReadonlyArray<string>)
  return { ...answer, headers } as unknown as PluginAnswer
}

/** `isContinued`: the client was told to send its body. The answer is a checked one. */
export const answerPlugin = (exchange: Exchange, answer: PluginAnswer, isContinued: boolean): void => {
  exchange.source = "exit"
  const { status } = answer
  const headers = [...(answer.headers ?? [])]
  if ("message" in answer) {
    removeField(headers, "content-type")
    const error = { status, message: answer.message, kind: "explicit", headers } as const
    answerError(exchange, error, { latencies: undefined, isContinued })
    return
  }
  const hasBody = status !== 204 && status !== 304
  const body = hasBody ? Buffer.from(answer.body as string) : Buffer.alloc(0)
  if (hasBody) headers.push("Content-Length", String(body.length))
  answerOwn(exchange, { status, headers, body }, { latencies: undefined, isContinued })
}
