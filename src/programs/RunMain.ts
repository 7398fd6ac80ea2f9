/**
 * Runs one program as a process: signals in, exit code out. A first SIGTERM or SIGINT interrupts the program, whose
 * finalizers drain it; a second one ends the process where it stands. No disk that hangs keeps it from its end.
 */
import { Cause, Effect, Exit } from "effect"
import { StartError } from "../services/StartError.ts"
import { endProcess } from "./endProcess.ts"

/**
 * A terminal, npm and a service manager signal every process of a group, and parents pass the signal on as well: what
 * comes again within this time is the same wish.
 */
const sameWishMs = 250

const longestTimerMs = 2_147_483_647

const signalNumbers = { SIGINT: 2, SIGTERM: 15 } as const
type EndSignal = keyof typeof signalNumbers

export interface RunOptions {
  readonly program: Effect.Effect<number, StartError>
  /** True when a signal is how this program ends well. */
  readonly endsBySignal: boolean
  readonly isDebug: boolean
}

const say = (line: string): void => void process.stderr.write(`holdfast: ${line}\n`)

const sayFailure = (cause: Cause.Cause<StartError>, isDebug: boolean): number => {
  const error = Cause.squash(cause)
  if (error instanceof StartError) {
    for (const line of error.message.split("\n")) say(line)
    return error.exitCode
  }
  const [firstLine = ""] = String(error instanceof Error ? error.message || error.name : error).split("\n")
  say(`a defect of Holdfast's own ended this process: ${firstLine}`)
  if (isDebug) say(Cause.pretty(cause))
  return 1
}

export const runMain = ({ program, endsBySignal, isDebug }: RunOptions): void => {
  const fiber = Effect.runFork(program)
  let firstSignal: { readonly signal: EndSignal; readonly atMs: number } | undefined

  const onSignal = (signal: EndSignal): void => {
    const nowMs = performance.now()
    if (firstSignal === undefined) {
      firstSignal = { signal, atMs: nowMs }
      fiber.interruptUnsafe()
    } else if (nowMs - firstSignal.atMs >= sameWishMs) {
      endProcess(128 + signalNumbers[signal])
    }
  }
  const onDefect = (error: unknown): void => endProcess(sayFailure(Cause.die(error), isDebug))

  process.on("SIGTERM", onSignal)
  process.on("SIGINT", onSignal)
  process.on("uncaughtException", onDefect)
  process.on("unhandledRejection", onDefect)
  // A log reader that went away must not take the node with it.
  process.stderr.on("error", () => {})
  process.stdout.on("error", () => {})

  // A fiber that waits is nothing to Node, which would take an idle process for a finished one.
  setInterval(() => {}, longestTimerMs)

  fiber.addObserver((exit) => {
    if (Exit.isSuccess(exit)) endProcess(exit.value)
    if (firstSignal === undefined || !Cause.hasInterruptsOnly(exit.cause)) endProcess(sayFailure(exit.cause, isDebug))
    endProcess(endsBySignal ? 0 : 128 + signalNumbers[firstSignal.signal])
  })
}
