/** The settings of this process, from its environment and from the file that `-c` names. */

import { readFileSync } from "node:fs"
import { Effect, Layer } from "effect"
import { type ParsedSettings, parseSettings, type SettingSources } from "../model/parseSettings.ts"
import { Settings } from "../services/Settings.ts"
import { StartError } from "../services/StartError.ts"

export interface SettingsOrigin {
  /** Path of a `kong.conf`-style file. */
  readonly file?: string | undefined
  readonly env: SettingSources["env"]
  readonly command?: SettingSources["command"]
}

const readFile = (file: string): Effect.Effect<NonNullable<SettingSources["file"]>, StartError> =>
  Effect.try({
    try: () => ({ name: file, text: readFileSync(file, "utf8") }),
    catch: (cause) =>
      new StartError({
        faults: [{ path: ["-c"], message: `expected a readable file (${reason(cause)})`, value: file }],
        exitCode: 2
      })
  })

const reason = (cause: unknown): string => {
  const code: unknown = cause instanceof Error ? Reflect.get(cause, "code") : undefined
  return typeof code === "string" ? code : String(cause)
}

/** The settings together with the names that mean nothing here, for whoever starts a process to say so once. */
export const readSettings = Effect.fn("readSettings")(function* ({ file, env, command }: SettingsOrigin) {
  const parsed: ParsedSettings = parseSettings({
    env,
    ...(file === undefined ? {} : { file: yield* readFile(file) }),
    ...(command === undefined ? {} : { command })
  })
  if (parsed.faults.length > 0) return yield* new StartError({ faults: parsed.faults, exitCode: 2 })
  return parsed
})

export const environmentSettings = (origin: SettingsOrigin): Layer.Layer<Settings, StartError> =>
  Layer.effect(
    Settings,
    Effect.map(readSettings(origin), ({ values }) => values)
  )
