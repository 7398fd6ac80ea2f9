/** DeclarativeConfig from `declarative_config` (a path) or `declarative_config_string` (the text itself). */
import { createHash, randomUUID } from "node:crypto"
import { readFile } from "node:fs/promises"
import { extname } from "node:path"
import { Clock, Effect, Layer, Option } from "effect"
import { decodeDeclarative } from "../model/Declarative.ts"
import type { Fault } from "../model/Fault.ts"
import { messageOf } from "../model/thrown.ts"
import { DeclarativeConfig } from "../services/DeclarativeConfig.ts"
import { ConfigRejected, type Offer } from "../services/LiveConfig.ts"
import { Settings } from "../services/Settings.ts"

interface Text {
  readonly name: string
  readonly content: string
}

const rejected = (...faults: ReadonlyArray<Fault>) =>
  new ConfigRejected({ source: "declarative_file", hash: undefined, faults })

/** Loaded on use: most starts need no YAML. JSON is YAML, so that both find their places by one reader. */
const readYaml = Effect.fnUntraced(function* (text: Text) {
  const yaml = yield* Effect.promise(() => import("yaml"))
  const lineCounter = new yaml.LineCounter()
  return { document: yaml.parseDocument(text.content, { prettyErrors: false, lineCounter }), lineCounter }
})

const at = ({ name }: Text, line: number, column: number): string => `${name}:${line}:${column}`

/** V8 tells the place of some errors; where it does not, the first thing that YAML would not take either is as near. */
const jsonFault = Effect.fnUntraced(function* (text: Text, cause: unknown) {
  const [message, line, column] =
    /^(.*?)(?: at position \d+ \(line (\d+) column (\d+)\))?$/s.exec(messageOf(cause))?.slice(1) ?? []
  const expectation = `expected JSON (${message})`
  if (line !== undefined && column !== undefined)
    return rejected({ path: [], place: at(text, Number(line), Number(column)), message: expectation })
  const { document, lineCounter } = yield* readYaml(text)
  const { line: last, col } = lineCounter.linePos(document.errors[0]?.pos[0] ?? text.content.length)
  return rejected({ path: [], place: at(text, Math.max(1, last), Math.max(1, col)), message: expectation })
})

const parseJson = (text: Text) =>
  Effect.try({ try: (): unknown => JSON.parse(text.content), catch: (cause) => cause }).pipe(
    Effect.catch((cause) => Effect.flatMap(jsonFault(text, cause), Effect.fail))
  )

/** Every syntax error at once, each with its line and column. */
const parseYaml = Effect.fnUntraced(function* (text: Text) {
  const { document, lineCounter } = yield* readYaml(text)
  if (document.errors.length > 0) {
    return yield* rejected(
      ...document.errors.map(({ message, pos }) => {
        const { line, col } = lineCounter.linePos(pos[0])
        return { path: [], place: at(text, line, col), message: `expected YAML (${message.trim()})` }
      })
    )
  }
  return yield* Effect.try({
    try: () => document.toJS({ maxAliasCount: 100 }) as unknown,
    catch: (cause) => rejected({ path: [], place: at(text, 1, 1), message: `expected YAML (${messageOf(cause)})` })
  })
})

/** By the file's ending; a text without a name is tried as JSON first (`config-model.md` §4). */
const parse = (text: Text): Effect.Effect<unknown, ConfigRejected> => {
  const ending = extname(text.name).toLowerCase()
  if (ending === ".json") return parseJson(text)
  if (ending === ".yml" || ending === ".yaml") return parseYaml(text)
  return Effect.catch(parseJson(text), () => parseYaml(text))
}

const withPlaces = Effect.fnUntraced(function* (text: Text, faults: ReadonlyArray<Fault>) {
  const { placeOf } = yield* Effect.promise(() => import("../model/DocumentPlace.ts"))
  const { document, lineCounter } = yield* readYaml(text)
  return faults.map((fault): Fault => {
    const { line, column } = placeOf(document, lineCounter, fault.path)
    return { ...fault, place: at(text, line, column) }
  })
})

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
    if (decoded._tag === "Wrong") return yield* rejected(...(yield* withPlaces(text.value, decoded.faults)))
    const hash = createHash("md5").update(text.value.content).digest("hex")
    const receivedAtMs = yield* Clock.currentTimeMillis
    return Option.some<Offer>({ raw, hash, receivedAtMs, source: "declarative_file" })
  })

  return DeclarativeConfig.of({ read })
})

export const layer: Layer.Layer<DeclarativeConfig, never, Settings> = Layer.effect(DeclarativeConfig, make)
