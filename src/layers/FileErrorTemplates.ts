/** The files that the settings `error_template_*` name, read once (`proxy-behaviour.md` §3.1). */
import { readFile } from "node:fs/promises"
import { Effect, Layer, Option, Result } from "effect"
import { hasTooManyPlaceholders, type TemplateFormat, templateFormats } from "../model/ErrorTemplate.ts"
import type { Fault } from "../model/Fault.ts"
import { ErrorTemplates } from "../services/ErrorTemplates.ts"
import { Settings } from "../services/Settings.ts"
import { StartError } from "../services/StartError.ts"

const codeOf = (error: unknown): string =>
  error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "unreadable"

const readTemplate = Effect.fnUntraced(function* (format: TemplateFormat, path: string) {
  const refuse = (message: string): Fault => ({ path: [`error_template_${format}`], message, value: path })
  const text = yield* Effect.tryPromise({
    try: () => readFile(path, "utf8"),
    catch: (error) => refuse(`expected the path of a readable file (${codeOf(error)})`)
  })
  if (hasTooManyPlaceholders(text)) {
    return yield* Effect.fail(refuse("expected a template with at most two %s, for the message and the request id"))
  }
  return [format, text] as const
})

const make = Effect.gen(function* () {
  const settings = yield* Settings
  const load = Effect.gen(function* () {
    const read = yield* Effect.forEach(templateFormats, (format) => {
      const path = settings[`error_template_${format}`]
      return path === undefined ? Effect.succeed(undefined) : Effect.result(readTemplate(format, path))
    })
    const results = read.filter((result) => result !== undefined)
    const faults = results.flatMap((result) => Option.toArray(Result.getFailure(result)))
    if (faults.length > 0) return yield* new StartError({ faults, exitCode: 2 })
    return Object.fromEntries(results.flatMap((result) => Option.toArray(Result.getSuccess(result))))
  })
  return { load }
})

export const layer: Layer.Layer<ErrorTemplates, never, Settings> = Layer.effect(ErrorTemplates, make)
