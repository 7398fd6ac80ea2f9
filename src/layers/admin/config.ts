/** `/config`: the whole configuration as one declarative document, out and in (`config-model.md` §4). */
import { randomUUID } from "node:crypto"
import { Effect } from "effect"
import type { HttpServerRequest } from "effect/http"
import { type AdminAnswer, answers, refusalAnswer } from "../../model/AdminErrors.ts"
import { decodeDeclarative } from "../../model/Declarative.ts"
import { keptUnlessNamed, toDeclarativeDocument } from "../../model/declarativeDocument.ts"
import { isRecord, type Row } from "../../model/Entity.ts"
import type { StoredRows } from "../../model/exportTable.ts"
import type { Fault } from "../../model/Fault.ts"
import { messageOf } from "../../model/thrown.ts"
import { ConfigStore } from "../../services/control/ConfigStore.ts"
import { Plugins } from "../../services/Plugins.ts"
import { answerFailures } from "./answerFailures.ts"
import { multipart, readBody, urlencoded } from "./body.ts"

type Request = HttpServerRequest.HttpServerRequest

/** A document is larger than a row; compressed, it has to fit into `cluster_max_payload`. */
const documentMaxBytes = 128 * 1024 * 1024

const yamlTypes: ReadonlySet<string> = new Set([
  "application/yaml",
  "application/x-yaml",
  "text/yaml",
  "text/x-yaml",
  "text/vnd.yaml"
])

/** Loaded on use: most requests need no YAML. */
const loadYaml = Effect.promise(() => import("yaml"))

const invalid = (...faults: ReadonlyArray<Fault>) =>
  Effect.fail<AdminAnswer>(refusalAnswer({ _tag: "InvalidDeclarative", faults }))

const parseYaml = Effect.fnUntraced(function* (text: string) {
  const yaml = yield* loadYaml
  const document = yaml.parseDocument(text, { prettyErrors: true })
  const faults = document.errors.map(({ message }) => ({
    path: ["config"],
    message: `expected YAML or JSON (${message.trim()})`
  }))
  if (faults.length > 0) return yield* invalid(...faults)
  return yield* Effect.try({
    try: (): unknown => document.toJS({ maxAliasCount: 100 }),
    catch: messageOf
  }).pipe(Effect.catch((message) => invalid({ path: ["config"], message: `expected fewer aliases (${message})` })))
})

/** JSON first, which is read faster and is YAML too. */
const parseText = (text: string): Effect.Effect<unknown, AdminAnswer> =>
  Effect.try({ try: (): unknown => JSON.parse(text), catch: () => "not JSON" }).pipe(
    Effect.catch(() => parseYaml(text))
  )

/** Kong's clients wrap the document's text: `{"config": "…"}`. */
const unwrapped = (document: unknown): Effect.Effect<unknown, AdminAnswer> =>
  isRecord(document) && typeof document.config === "string" && document._format_version === undefined
    ? parseText(document.config)
    : Effect.succeed(document)

const readDocument = Effect.fnUntraced(function* (request: Request) {
  const body = yield* readBody(request, documentMaxBytes)
  if (body.type === "application/json") return yield* Effect.flatMap(parseText(body.text()), unwrapped)
  if (yamlTypes.has(body.type)) return yield* parseYaml(body.text())
  if (body.type !== urlencoded && body.type !== multipart) {
    return yield* Effect.fail<AdminAnswer>(answers.unsupportedMediaType)
  }
  const fields = new Map(yield* body.form)
  const text = fields.get("config")
  return text === undefined
    ? yield* invalid({ path: ["config"], message: "expected the document in this field" })
    : yield* parseText(text)
})

/** The rows of the document, or every fault; what would be dropped in silence is a fault. */
const decode = Effect.fnUntraced(function* (document: unknown) {
  const { decoded } = decodeDeclarative(document, randomUUID, yield* Plugins, "strict")
  if (decoded._tag === "Wrong") return yield* invalid(...decoded.faults)
  const notServed = decoded.notServed.map((name) => ({
    path: [name],
    message: "expected nothing: Holdfast doesn't serve these"
  }))
  if (notServed.length > 0) return yield* invalid(...notServed)
  const isNamed = (section: string): boolean => isRecord(document) && Object.hasOwn(document, section)
  const sections = Object.entries(decoded.table).filter(([name]) => !keptUnlessNamed.has(name) || isNamed(name))
  const rows: StoredRows = new Map(sections)
  return rows
})

const isTrue = (url: URL, name: string): boolean => ["1", "true", "on"].includes(url.searchParams.get(name) ?? "")

const counts = (rows: StoredRows): Row =>
  Object.fromEntries([...rows].filter(([, { length }]) => length > 0).map(([name, { length }]) => [name, length]))

const replace = Effect.fnUntraced(function* (request: Request, url: URL) {
  const store = yield* ConfigStore
  const rows = yield* Effect.flatMap(readDocument(request), decode)
  const isChanged = yield* store.replaceAll(rows, { mayEmpty: isTrue(url, "confirm_empty") })
  if (!isChanged && isTrue(url, "check_hash")) return answers.unchanged
  const answer: AdminAnswer = { status: 201, body: { changed: isChanged, entities: counts(rows) } }
  return answer
})

type Format = "wrapped" | "json" | "yaml"

const formatOf = (request: Request, url: URL): Format => {
  const asked = url.searchParams.get("format")
  if (asked === "json" || asked === "yaml") return asked
  const accepted = (request.headers.accept ?? "").split(",").map((range) => range.split(";")[0]?.trim().toLowerCase())
  return accepted.some((type) => yamlTypes.has(type ?? "")) ? "yaml" : "wrapped"
}

const show = Effect.fnUntraced(function* (request: Request, url: URL) {
  const { rows } = yield* Effect.flatMap(ConfigStore, (store) => store.export)
  const document = toDeclarativeDocument(rows)
  const format = formatOf(request, url)
  if (format === "json") return { status: 200, body: document } satisfies AdminAnswer
  const yaml = yield* loadYaml
  const text = yaml.stringify(document, { lineWidth: 0, aliasDuplicateObjects: false })
  const answer: AdminAnswer =
    format === "wrapped"
      ? { status: 200, body: { config: text } }
      : { status: 200, body: text, headers: { "content-type": "application/yaml" } }
  return answer
})

export const answerConfig = (request: Request, url: URL): Effect.Effect<AdminAnswer, never, ConfigStore | Plugins> => {
  switch (request.method) {
    case "GET":
    case "HEAD":
      return answerFailures(show(request, url))
    case "POST":
      return answerFailures(replace(request, url))
    default:
      return Effect.succeed(answers.methodNotAllowed)
  }
}
