/** The body of a write as a row: JSON, or a form read with the entity's fields. */
import { Effect } from "effect"
import * as ByteSize from "effect/ByteSize"
import { HttpIncomingMessage, type HttpServerError, type HttpServerRequest } from "effect/http"
import { type AdminAnswer, answers } from "../../model/AdminErrors.ts"
import { type Entity, isRecord, type Row } from "../../model/Entity.ts"
import { rowOfForm } from "../../model/FormBody.ts"

export const bodyMaxBytes = 16 * 1024 * 1024

const isTooLarge = (error: HttpServerError.HttpServerError): boolean => {
  const cause: unknown = error.reason._tag === "RequestParseError" ? error.reason.cause : undefined
  return isRecord(cause) && cause._tag === "MaxBytesError"
}

const readText = (request: HttpServerRequest.HttpServerRequest): Effect.Effect<string, AdminAnswer> =>
  Number(request.headers["content-length"] ?? 0) > bodyMaxBytes
    ? Effect.fail(answers.tooLarge)
    : request.text.pipe(
        Effect.provideService(HttpIncomingMessage.MaxBodySize, ByteSize.bytes(bodyMaxBytes)),
        Effect.mapError((error) => (isTooLarge(error) ? answers.tooLarge : answers.unparsable))
      )

const parseJson = (text: string): Effect.Effect<Row, AdminAnswer> => {
  try {
    const value: unknown = JSON.parse(text)
    return isRecord(value) ? Effect.succeed(value) : Effect.fail(answers.unparsable)
  } catch {
    return Effect.fail(answers.unparsable)
  }
}

/** Fails with the answer to give when there is no row to be had. */
export const readRow = Effect.fnUntraced(function* (entity: Entity, request: HttpServerRequest.HttpServerRequest) {
  const type = (request.headers["content-type"] ?? "").split(";")[0]?.trim().toLowerCase() ?? ""
  const isForm = type === "application/x-www-form-urlencoded"
  if (!isForm && type !== "application/json" && type !== "")
    return yield* Effect.fail<AdminAnswer>(answers.unsupportedMediaType)
  const text = yield* readText(request)
  if (isForm) return rowOfForm(entity, new URLSearchParams(text))
  if (text === "") return {}
  return type === "" ? yield* Effect.fail<AdminAnswer>(answers.unsupportedMediaType) : yield* parseJson(text)
})
