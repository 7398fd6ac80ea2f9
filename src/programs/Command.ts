/** What a command of the `holdfast` program is: its place on the command line and, loaded only when asked for, its work. */
import type { Effect } from "effect"
import type { StartError } from "../services/StartError.ts"

export interface CommandFlag {
  readonly help: string
  /** Name of the value in the help, such as `FILE`; a flag without one is a switch. */
  readonly value?: string
  readonly short?: string
  readonly isRequired?: boolean
}

export interface CommandInput {
  readonly flags: Readonly<Record<string, string | boolean | undefined>>
  readonly operands: ReadonlyArray<string>
  readonly env: Readonly<Record<string, string | undefined>>
}

/** Ends with the exit code: 0 done, 1 failed, others as the command says. A refused start is a `StartError`. */
export type RunCommand = (input: CommandInput) => Effect.Effect<number, StartError>

export interface Command {
  /** One word or more, such as `config check`; empty for the program called without a command. */
  readonly name: string
  readonly summary: string
  readonly flags: Readonly<Record<string, CommandFlag>>
  /** Names of what follows the flags; one in brackets, as `[FILE]`, may be left out. */
  readonly operands?: ReadonlyArray<string>
  readonly isHidden?: boolean
  /** What its exit codes say, where that is more than done, failed or wrong usage. */
  readonly exitCodes?: string
  /** True when a signal is how this command ends well; otherwise a signal cuts it short. */
  readonly endsBySignal: (flags: CommandInput["flags"]) => boolean
  readonly load: () => Promise<RunCommand>
}
