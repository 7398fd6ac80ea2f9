/**
 * Settings from their sources, weakest first: the preset, the file, `KONG_<NAME>`, `HOLDFAST_<NAME>`, the command.
 * An empty value counts as not given, so that a template whose variable is unset changes nothing.
 */
import type { Fault } from "./Fault.ts"
import { inlinePem } from "./Pem.ts"
import { type FileLine, readSettingsFile } from "./SettingsFile.ts"
import type { Setting } from "./SettingTable.ts"
import { type SettingName, type SettingValues, settingTable } from "./SettingTable.ts"
import { settingRules } from "./settingRules.ts"

export interface SettingSources {
  readonly file?: { readonly name: string; readonly text: string }
  readonly env: Readonly<Record<string, string | undefined>>
  /** What the command itself fixes: `holdfast control-plane` is a control plane whatever the settings say. */
  readonly command?: Partial<Readonly<Record<SettingName, string>>>
}

export interface ParsedSettings {
  /** Only to be used when there are no faults. */
  readonly values: SettingValues
  readonly faults: ReadonlyArray<Fault>
  /** Names that mean nothing here: Kong's (in the file or as `KONG_*`), expected to be many, and `HOLDFAST_*`, surely slips. */
  readonly unknownKong: ReadonlyArray<string>
  readonly unknownHoldfast: ReadonlyArray<string>
}

interface Given {
  readonly text: string
  /** Who said so, for the person who has to mend it. */
  readonly origin: string
}

const isSettingName = (name: string): name is SettingName => Object.hasOwn(settingTable, name)

const settingNames = Object.keys(settingTable).filter(isSettingName)

const fromEnv = (env: SettingSources["env"], prefix: string): ReadonlyMap<string, Given> =>
  new Map(
    Object.entries(env).flatMap(([key, text]) =>
      key.startsWith(prefix) && text !== undefined && text.trim() !== ""
        ? [[key.slice(prefix.length).toLowerCase(), { text: text.trim(), origin: key }] as const]
        : []
    )
  )

const fromLines = (fileName: string, lines: ReadonlyArray<FileLine>): ReadonlyMap<string, Given> =>
  new Map(
    lines.flatMap(({ name, value, lineNumber }) =>
      value === "" ? [] : [[name, { text: value, origin: `${fileName} line ${lineNumber}` }] as const]
    )
  )

const fromCommand = (command: SettingSources["command"] = {}): ReadonlyMap<string, Given> =>
  new Map(Object.entries(command).map(([name, text]) => [name, { text, origin: "the command" }]))

const presetOf = ({ preset, controlPlanePreset }: Setting<unknown>, role: unknown): string | undefined =>
  role === "control_plane" ? (controlPlanePreset ?? preset) : preset

const parseOne = (
  name: SettingName,
  given: Given | undefined,
  role?: unknown
): { readonly value: unknown; readonly fault?: Fault } => {
  const setting: Setting<unknown> = settingTable[name]
  const preset = presetOf(setting, role)
  const text = given?.text ?? preset
  if (text === undefined) return { value: undefined }
  const value = setting.type.parse(text)
  if (value !== undefined) return { value }
  const found = setting.type.found?.(text)
  const isHidden = setting.isSecret || found !== undefined
  const instead = found === undefined ? "" : `, found ${found}`
  const message = `expected ${setting.type.expected}${instead}${given === undefined ? "" : ` (${given.origin})`}`
  const standIn = preset === undefined ? undefined : setting.type.parse(preset)
  return { value: standIn, fault: { path: [name], message, ...(isHidden ? {} : { value: text }) } }
}

export const parseSettings = (sources: SettingSources): ParsedSettings => {
  const file = sources.file === undefined ? { lines: [], faults: [] } : readSettingsFile(sources.file)
  const fromFile = fromLines(sources.file?.name ?? "", file.lines)
  const kong = fromEnv(sources.env, "KONG_")
  const holdfast = fromEnv(sources.env, "HOLDFAST_")
  const given = new Map([...fromFile, ...kong, ...holdfast, ...fromCommand(sources.command)])

  const { value: role } = parseOne("role", given.get("role"))
  const parsed = settingNames.map((name) => ({ name, ...parseOne(name, given.get(name), role) }))
  const values = Object.fromEntries(parsed.map(({ name, value }) => [name, value])) as unknown as SettingValues
  const faults = [...file.faults, ...parsed.flatMap(({ fault }) => (fault === undefined ? [] : [fault]))]
  const unreadable = new Set(parsed.flatMap(({ name, fault }) => (fault === undefined ? [] : [name])))
  const misnamed = (names: ReadonlyMap<string, Given>) =>
    [...names.keys()].filter((name) => !isSettingName(name)).sort()
  return {
    values,
    faults: [...faults, ...settingRules(values, unreadable)],
    unknownKong: [...new Set([...misnamed(fromFile), ...misnamed(kong)])],
    unknownHoldfast: misnamed(holdfast)
  }
}

const sixAsterisks = "******"

/** A certificate setting may hold, or be base64 of, PEM that has the key in it as well. */
const holdsKey = (text: string): boolean => inlinePem(text)?.includes("PRIVATE KEY") === true

const showSetting = (value: unknown): string | number | boolean | ReadonlyArray<string> => {
  if (typeof value === "number" || typeof value === "boolean") return value
  if (typeof value === "string") return holdsKey(value) ? sixAsterisks : value
  if (Array.isArray(value)) return value.map((entry) => String(showSetting(entry)))
  if (typeof value !== "object" || value === null) return String(value)
  if (!("host" in value && "port" in value)) return Object.entries(value).map(([key, text]) => `${key}:${text}`)
  const { host, port } = value
  const address = `${String(host).includes(":") ? `[${host}]` : host}:${port}`
  const flags = [["isHttp2", "http2"] as const, ["isTls", "ssl"] as const].filter(
    ([key]) => Reflect.get(value, key) === true
  )
  return [address, ...flags.map(([, flag]) => flag)].join(" ")
}

/** The settings as they may be shown or sent: as a user would write them, secrets as six asterisks, unset ones absent. */
export const effectiveSettings = (
  values: SettingValues
): Readonly<Record<string, string | number | boolean | ReadonlyArray<string>>> =>
  Object.fromEntries(
    settingNames.flatMap((name) => {
      const value: unknown = values[name]
      return value === undefined ? [] : [[name, settingTable[name].isSecret ? sixAsterisks : showSetting(value)]]
    })
  )
