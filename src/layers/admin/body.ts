/** The body of a write as a row: JSON, or a form of either kind read with the entity's fields. */
import { Effect } from "effect"
import * as ByteSize from "effect/ByteSize"
import { HttpIncomingMessage, type HttpServerError, type HttpServerRequest } from "effect/http"
import { type AdminAnswer, answers } from "../../model/AdminErrors.ts"
import { type Entity, isRecord, parseRecord, type Row } from "../../model/Entity.ts"
import { rowOfForm } from "../../model/FormBody.ts"
import { rowFields } from "../../model/plugin/PluginCatalogue.ts"
import { ConfigStore, type Key } from "../../services/control/ConfigStore.ts"
import { Plugins } from "../../services/Plugins.ts"

export const bodyMaxBytes = 16 * 1024 * 1024

export const urlencoded = "application/x-www-form-urlencoded"
export const multipart = "multipart/form-data"

const isTooLarge = (error: HttpServerError.HttpServerError): boolean => {
  const cause: unknown = error.reason._tag === "RequestParseError" ? error.reason.cause : undefined
  return isRecord(cause) && cause._tag === "MaxBytesError"
}

const readBytes = (
  request: HttpServerRequest.HttpServerRequest,
  maxBytes: number
): Effect.Effect<ArrayBuffer, AdminAnswer> =>
  Number(request.headers["content-length"] ?? 0) > maxBytes
    ? Effect.fail(answers.tooLarge)
    : request.arrayBuffer.pipe(
        Effect.provideService(HttpIncomingMessage.MaxBodySize, ByteSize.bytes(maxBytes)),
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
  const value = parseRecord(text)
  return value === undefined ? Effect.fail(answers.unparsable) : Effect.succeed(value)
}

export interface Body {
  /** The media type alone, in small letters; empty when there is none. */
  readonly type: string
  readonly isEmpty: boolean
  readonly text: () => string
  /** The fields of a form, where it is one. */
  readonly form: Effect.Effect<Iterable<readonly [string, string]>, AdminAnswer>
}

export const readBody = Effect.fnUntraced(function* (request: HttpServerRequest.HttpServerRequest, maxBytes: number) {
  const contentType = request.headers["content-type"] ?? ""
  const bytes = yield* readBytes(request, maxBytes)
  const text = () => new TextDecoder().decode(bytes)
  const type = contentType.split(";")[0]?.trim().toLowerCase() ?? ""
  const body: Body = {
    type,
    isEmpty: bytes.byteLength === 0,
    text,
    form: type === multipart ? readMultipart(bytes, contentType) : Effect.sync(() => new URLSearchParams(text()))
  }
  return body
})

/**
 * The fields by which a form is read: a plugin's config has those of its schema, by the name that the form gives or, when it
 * gives none, that of the row it is about.
 */
const fieldsFor = Effect.fnUntraced(function* (entity: Entity, form: Iterable<readonly [string, string]>, key?: Key) {
  if (entity.name !== "plugins") return entity.fields
  const catalogue = yield* Plugins
  const given = [...form].findLast(([name]) => name === "name")?.[1]
  if (given !== undefined || key === undefined) return rowFields(catalogue, given)
  const store = yield* ConfigStore
  return rowFields(catalogue, (yield* store.find(key))?.name)
})

/** Fails with the answer to give when there is no row to be had. `key` is of the row that the write is about, if there is one. */
export const readRow = Effect.fnUntraced(function* (
  entity: Entity,
  request: HttpServerRequest.HttpServerRequest,
  key?: Key
) {
  const body = yield* readBody(request, bodyMaxBytes)
  switch (body.type) {
    case "application/json":
      return body.isEmpty ? {} : yield* parseJson(body.text())
    case urlencoded:
    case multipart: {
      const form = [...(yield* body.form)]
      return rowOfForm(yield* fieldsFor(entity, form, key), form)
    }
    default:
      return body.type === "" && body.isEmpty ? {} : yield* Effect.fail<AdminAnswer>(answers.unsupportedMediaType)
  }
})
