/**
 * A declarative document, as people write it, read with all that is wrong in it: each fault with its line and column.
 * Rules: reference `config-model.md` §4.
 */
import { createHash } from "node:crypto"
import { extname } from "node:path"
import { Effect } from "effect"
import { decodeDeclarative } from "../model/Declarative.ts"
import { uuidV5 } from "../model/DeterministicId.ts"
import type { Row } from "../model/Entity.ts"
import type { Fault } from "../model/Fault.ts"
import { syntaxTrouble } from "../model/thrown.ts"
import { ConfigRejected } from "./LiveConfig.ts"
import { Plugins } from "./Plugins.ts"

export interface Text {
  /** A path, or what else it is known by. Its ending says what it is. */
  readonly name: string
  readonly content: string
}

const rejected = (stage: "syntax" | "schema", ...faults: ReadonlyArray<Fault>) =>
  new ConfigRejected({ source: "declarative_file", hash: undefined, stage, faults })

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
    /^(.*?)(?: at position \d+ \(line (\d+) column (\d+)\))?$/s.exec(syntaxTrouble(cause))?.slice(1) ?? []
  const expectation = `expected JSON (${message})`
  if (line !== undefined && column !== undefined)
    return rejected("syntax", { path: [], place: at(text, Number(line), Number(column)), message: expectation })
  const { document, lineCounter } = yield* readYaml(text)
  const { line: last, col } = lineCounter.linePos(document.errors[0]?.pos[0] ?? text.content.length)
  return rejected("syntax", { path: [], place: at(text, Math.max(1, last), Math.max(1, col)), message: expectation })
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
      "syntax",
      ...document.errors.map(({ message, pos }) => {
        const { line, col } = lineCounter.linePos(pos[0])
        return { path: [], place: at(text, line, col), message: `expected YAML (${syntaxTrouble(message)})` }
      })
    )
  }
  return yield* Effect.try({
    try: () => document.toJS({ maxAliasCount: 100 }) as unknown,
    catch: (cause) =>
      rejected("syntax", { path: [], place: at(text, 1, 1), message: `expected YAML (${syntaxTrouble(cause)})` })
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

export interface DeclarativeDocument {
  /** The flat config table. */
  readonly raw: Row
  /** 32 characters that name these very bytes. */
  readonly hash: string
}

/**
 * The document as a config table that is right. Rows without id and key get ids that follow from the text, so that the
 * same text is the same table wherever and whenever it is read.
 */
export const readDocument = Effect.fnUntraced(function* (
  text: Text
): Effect.fn.Return<DeclarativeDocument, ConfigRejected, Plugins> {
  const plugins = yield* Plugins
  const hash = createHash("md5").update(text.content).digest("hex")
  let rows = 0
  const { raw, decoded } = decodeDeclarative(yield* parse(text), () => uuidV5(hash, `row ${++rows}`), plugins)
  if (decoded._tag === "Wrong") return yield* rejected("schema", ...(yield* withPlaces(text, decoded.faults)))
  return { raw, hash }
})
