/** DeclarativeConfig from `declarative_config` (a path) or `declarative_config_string` (the text itself). */
import { createHash, randomUUID } from "node:crypto"
import { readFile } from "node:fs/promises"
import { extname } from "node:path"
import { Clock, Effect, Layer, Option } from "effect"
import { decodeDeclarative } from "../model/Declarative.ts"
import type { Fault } from "../model/Fault.ts"
import { DeclarativeConfig } from "../services/DeclarativeConfig.ts"
import { ConfigRejected, type Offer } from "../services/LiveConfig.ts"
import { Settings } from "../services/Settings.ts"

interface Text {
  readonly name: string
  readonly content: string
}

const rejected = (...faults: ReadonlyArray<Fault>) =>
  new ConfigRejected({ source: "declarative_file", hash: undefined, faults })

const messageOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))

const parseJson = (text: Text) =>
  Effect.try({
    try: (): unknown => JSON.parse(text.content),
    catch: (cause) => rejected({ path: [text.name], message: `expected JSON (${messageOf(cause)})` })
  })

/** Every syntax error at once, each with its line and column. Loaded on use: most starts need no YAML. */
const parseYaml = Effect.fnUntraced(function* (text: Text) {
  const yaml = yield* Effect.promise(() => import("yaml"))
  const document = yaml.parseDocument(text.content, { prettyErrors: true })
  if (document.errors.length > 0) {
    return yield* rejected(
      ...document.errors.map(({ message }) => ({ path: [text.name], message: `expected YAML (${message.trim()})` }))
    )
  }
  return document.toJS({ maxAliasCount: 100 }) as unknown
})

/** By the file's ending; a text without a name is tried as JSON first (`config-model.md` §4). */
const parse = (text: Text): Effect.Effect<unknown, ConfigRejected> => {
  const ending = extname(text.name).toLowerCase()
  if (ending === ".json") return parseJson(text)
  if (ending === ".yml" || ending === ".yaml") return parseYaml(text)
  return Effect.catch(parseJson(text), () => parseYaml(text))
}

const make = Effect.gen(function* () {
  const settings = yield* Settings

  const readText = Effect.fnUntraced(function* () {
    const file = settings.declarative_config
    if (file !== undefined) {
      const content = yield* Effect.tryPromise({
        try: () => readFile(file, "utf8"),
        catch: (cause) =>
          rejected({ path: ["declarative_config"], message: `expected a readable file (${messageOf(cause)})` })
      })
      return Option.some<Text>({ name: file, content })
    }
    const content = settings.declarative_config_string
    return content === undefined
      ? Option.none<Text>()
      : Option.some<Text>({ name: "declarative_config_string", content })
  })

  const read = Effect.gen(function* () {
    const text = yield* readText()
    if (Option.isNone(text)) return Option.none<Offer>()
    const { raw, decoded } = decodeDeclarative(yield* parse(text.value), randomUUID)
    if (decoded._tag === "Wrong") return yield* rejected(...decoded.faults)
    const hash = createHash("md5").update(text.value.content).digest("hex")
    const receivedAtMs = yield* Clock.currentTimeMillis
    return Option.some<Offer>({ raw, hash, receivedAtMs, source: "declarative_file" })
  })

  return DeclarativeConfig.of({ read })
})

export const layer: Layer.Layer<DeclarativeConfig, never, Settings> = Layer.effect(DeclarativeConfig, make)
