/** The body of a write as a row: JSON, or a form of either kind read with the entity's fields. */
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

const readBytes = (request: HttpServerRequest.HttpServerRequest): Effect.Effect<ArrayBuffer, AdminAnswer> =>
  Number(request.headers["content-length"] ?? 0) > bodyMaxBytes
    ? Effect.fail(answers.tooLarge)
    : request.arrayBuffer.pipe(
        Effect.provideService(HttpIncomingMessage.MaxBodySize, ByteSize.bytes(bodyMaxBytes)),
        Effect.mapError((error) => (isTooLarge(error) ? answers.tooLarge : answers.unparsable))
      )

/** `curl -F cert=@file`: what is sent as a file counts as the text in it. */
const readMultipart = (bytes: ArrayBuffer, type: string): Effect.Effect<Array<[string, string]>, AdminAnswer> =>
  Effect.tryPromise({
    try: async () => {
      const form = await new Response(bytes, { headers: { "content-type": type } }).formData()
      const pairs = [...form].map(
        async ([name, value]): Promise<[string, string]> => [
          name,
          typeof value === "string" ? value : await value.text()
        ]
      )
      return Promise.all(pairs)
    },
    catch: () => answers.unparsableForm
  })

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
  const contentType = request.headers["content-type"] ?? ""
  const bytes = yield* readBytes(request)
  const text = () => new TextDecoder().decode(bytes)
  switch (contentType.split(";")[0]?.trim().toLowerCase()) {
    case "application/json":
      return bytes.byteLength === 0 ? {} : yield* parseJson(text())
    case "application/x-www-form-urlencoded":
      return rowOfForm(entity, new URLSearchParams(text()))
    case "multipart/form-data":
      return rowOfForm(entity, yield* readMultipart(bytes, contentType))
    default:
      return contentType === "" && bytes.byteLength === 0
        ? {}
        : yield* Effect.fail<AdminAnswer>(answers.unsupportedMediaType)
  }
})
