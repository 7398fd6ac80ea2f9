/** From the words of a command line to a command and its input, or to help, or to a refusal that says what to type. */
import { parseArgs } from "node:util"
import { StartError } from "../services/StartError.ts"
import type { Command, CommandInput } from "./Command.ts"
import { settingsHelp } from "./settingsHelp.ts"

export type Request =
  | { readonly kind: "run"; readonly command: Command; readonly input: Omit<CommandInput, "env"> }
  | { readonly kind: "help"; readonly command: Command }
  | { readonly kind: "version" }
  | { readonly kind: "refused"; readonly error: StartError }

const words = (command: Command): ReadonlyArray<string> => command.name.split(" ").filter((word) => word !== "")

/** The longest name that the line begins with; the nameless command when it begins with none. */
const findCommand = (commands: ReadonlyArray<Command>, line: ReadonlyArray<string>): Command | undefined =>
  commands
    .filter((command) => words(command).every((word, index) => line[index] === word))
    .reduce<Command | undefined>(
      (best, command) => (best === undefined || words(command).length > words(best).length ? command : best),
      undefined
    )

const refuse = (command: Command | undefined, message: string): Request => ({
  kind: "refused",
  error: new StartError({
    faults: [
      {
        path: [],
        message: `${message} (see holdfast ${command === undefined || command.name === "" ? "" : `${command.name} `}--help)`
      }
    ],
    exitCode: 2
  })
})

const everywhere: Command["flags"] = {
  help: { short: "h", help: "Show this help." },
  version: { help: "Show the version." }
}

const options = ({ flags }: Command) =>
  Object.fromEntries(
    Object.entries({ ...flags, ...everywhere }).map(([name, { short, value }]) => [
      name,
      {
        type: value === undefined ? ("boolean" as const) : ("string" as const),
        ...(short === undefined ? {} : { short })
      }
    ])
  )

/** Node's own words end with advice about `--` that helps nobody here, or take three lines to say one thing. */
const firstSentence = (error: unknown): string => {
  const words = String(error instanceof Error ? error.message : error)
  const dashed = /argument is ambiguous.* '(--[\w-]+)=-XYZ'/s.exec(words)?.[1]
  if (dashed !== undefined) return `${dashed}: expected a value; write ${dashed}=VALUE for one that begins with a dash`
  return words.split(". ")[0] ?? ""
}

/** Several commands may share their first word, which is none by itself. */
const unknown = (commands: ReadonlyArray<Command>, line: ReadonlyArray<string>): string => {
  const [first = ""] = line
  const family = commands.filter(({ name, isHidden }) => isHidden !== true && name.startsWith(`${first} `))
  if (family.length === 0) return `unknown command ${first}`
  return `unknown command ${line.join(" ")}: expected ${family.map(({ name }) => name).join(", ")}`
}

const misuse = (
  commands: ReadonlyArray<Command>,
  command: Command,
  input: Omit<CommandInput, "env">
): string | undefined => {
  const missing = Object.entries(command.flags).find(
    ([name, flag]) => flag.isRequired === true && input.flags[name] === undefined
  )
  if (missing !== undefined) return `--${missing[0]} ${missing[1].value ?? ""} is missing`
  const operands = command.operands ?? []
  const needed = operands.filter((operand) => !operand.startsWith("["))
  if (input.operands.length < needed.length) return `${needed[input.operands.length]} is missing`
  const surplus = input.operands[operands.length]
  if (surplus === undefined) return undefined
  return command.name === "" ? unknown(commands, input.operands) : `unexpected ${surplus}`
}

export const parseCommandLine = (commands: ReadonlyArray<Command>, line: ReadonlyArray<string>): Request => {
  const command = findCommand(commands, line)
  if (command === undefined) return refuse(command, "unknown command")
  try {
    const { values, positionals } = parseArgs({
      args: line.slice(words(command).length),
      options: options(command),
      allowPositionals: true
    })
    const { help, version, ...flags } = values
    if (help === true) return { kind: "help", command }
    if (version === true) return { kind: "version" }
    const input = { flags, operands: positionals }
    const fault = misuse(commands, command, input)
    return fault === undefined ? { kind: "run", command, input } : refuse(command, fault)
  } catch (error) {
    return refuse(command, firstSentence(error))
  }
}

const column = (rows: ReadonlyArray<readonly [string, string]>): ReadonlyArray<string> => {
  const width = Math.max(...rows.map(([left]) => left.length))
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`)
}

const flagRows = ({ flags }: Command): ReadonlyArray<readonly [string, string]> =>
  Object.entries({ ...flags, ...everywhere }).map(([name, { short, value, help }]) => [
    `${short === undefined ? "" : `-${short}, `}--${name}${value === undefined ? "" : ` ${value}`}`,
    help
  ])

export const helpFor = (commands: ReadonlyArray<Command>, command: Command): string => {
  const shown = commands.filter(({ name, isHidden }) => name !== "" && isHidden !== true)
  const usage = ["holdfast", command.name, "[options]", ...(command.operands ?? [])]
    .filter((part) => part !== "")
    .join(" ")
  return [
    `Usage: ${usage}`,
    ...(command.name === "" ? ["       holdfast COMMAND [options]"] : []),
    "",
    command.summary,
    ...(command.name === "" ? ["", "Commands:", ...column(shown.map(({ name, summary }) => [name, summary]))] : []),
    "",
    "Options:",
    ...column(flagRows(command)),
    "",
    "Settings have Kong's names: in the file of -c, overridden by KONG_<NAME>, overridden by HOLDFAST_<NAME>.",
    ...(command.name === "" ? ["", ...settingsHelp()] : ["`holdfast --help` lists them.", ""]),
    `Exit code: ${command.exitCodes ?? "0 done, 1 failed, 2 wrong usage or settings."}`
  ].join("\n")
}
