/** Logs to stderr, one line a happening: JSON for machines, readable on a terminal. */
import { fstatSync } from "node:fs"
import { Socket } from "node:net"
import { isatty } from "node:tty"
import { Cause, Effect, Layer, Logger, type LogLevel, References } from "effect"
import type { SettingValues } from "../model/SettingTable.ts"
import { Settings } from "../services/Settings.ts"

export interface LogEntry {
  readonly time: string
  readonly level: string
  readonly message: string
  readonly fields: Readonly<Record<string, unknown>>
}

/** Kong's names of severities. Effect has none between warn and info: a notice is an info here. */
const minimumLevel: Readonly<Record<SettingValues["log_level"], LogLevel.LogLevel>> = {
  debug: "Debug",
  info: "Info",
  notice: "Info",
  warn: "Warn",
  error: "Error",
  crit: "Fatal"
}

const plain = (value: unknown): unknown => {
  if (value instanceof Error) return `${value.name}: ${value.message}`
  return typeof value === "bigint" ? value.toString() : value
}

const asText = (value: unknown): string => {
  const shown = plain(value)
  return typeof shown === "string" ? shown : (JSON.stringify(shown, (_, inner) => plain(inner)) ?? String(shown))
}

/** A line break inside a value must not start a new line of the log. */
const oneLine = (text: string): string => text.replaceAll(/\s*\r?\n\s*/g, " | ")

const isPlainRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype

/** An object among the logged values is a set of fields; everything else is words of the message. */
export const logEntry = (options: Logger.Options<unknown>): LogEntry => {
  const parts = Array.isArray(options.message) ? options.message : [options.message]
  const fields = Object.assign(
    {},
    options.fiber.getRef(References.CurrentLogAnnotations),
    ...parts.filter(isPlainRecord)
  )
  if (options.cause.reasons.length > 0) {
    fields.cause = options.logLevel === "Debug" ? Cause.pretty(options.cause) : asText(Cause.squash(options.cause))
  }
  return {
    time: options.date.toISOString(),
    level: options.logLevel.toLowerCase(),
    message: parts
      .filter((part) => !isPlainRecord(part))
      .map(asText)
      .join(" "),
    fields
  }
}

/** What every line has comes first, and no field of the same name replaces it. */
export const formatJsonLine = ({ fields, ...entry }: LogEntry): string =>
  JSON.stringify({ ...entry, ...fields, ...entry }, (_, value) => plain(value))

export const formatReadableLine = ({ time, level, message, fields }: LogEntry): string => {
  const pairs = Object.entries(fields).map(([name, value]) => ` ${name}=${asText(value)}`)
  return oneLine(`${time.slice(11, 23)} ${level.padEnd(5)} ${message}${pairs.join("")}`)
}

/** About what a pipe holds twice over: enough for a burst, little enough to lose. */
const maxWaitingBytes = 262_144

/**
 * Writes lines to stderr without ever waiting for whoever reads them. Node writes to a pipe synchronously, so a log
 * collector that stalls would stop the proxy; here its lines are counted and dropped instead, and it is told how many.
 */
const writeLines = (): ((line: string) => void) => {
  const { isFIFO, isSocket } = stderrKind()
  if (!isFIFO && !isSocket) return (line) => void process.stderr.write(`${line}\n`)
  // Node makes `process.stderr` when it is first asked for, which fails while another handle waits on the descriptor;
  // even a plain console.log asks for it. Made now, it is there.
  process.stderr.on("error", () => {})
  const pipe = new Socket({ fd: stderrFd, readable: false, writable: true })
  pipe.on("error", () => {})
  pipe.unref()
  let lostLines = 0
  return (line) => {
    if (pipe.writableLength > maxWaitingBytes) {
      lostLines++
      return
    }
    if (lostLines > 0)
      pipe.write(`${JSON.stringify({ level: "warn", message: "log lines lost: nobody read them", lostLines })}\n`)
    lostLines = 0
    pipe.write(`${line}\n`)
  }
}

const stderrFd = 2

const stderrKind = (): { readonly isFIFO: boolean; readonly isSocket: boolean } => {
  try {
    const stats = fstatSync(stderrFd)
    return { isFIFO: stats.isFIFO(), isSocket: stats.isSocket() }
  } catch {
    return { isFIFO: false, isSocket: false }
  }
}

const makeLogger = (isReadable: boolean, write: (line: string) => void) =>
  Logger.make((options) => {
    const entry = logEntry(options)
    write(isReadable ? formatReadableLine(entry) : formatJsonLine(entry))
  })

export const consoleLogAt = (level: SettingValues["log_level"]): Layer.Layer<never> =>
  Layer.merge(
    Logger.layer([Effect.sync(() => makeLogger(isatty(stderrFd), writeLines()))]),
    Layer.succeed(References.MinimumLogLevel, minimumLevel[level])
  )

export const consoleLog: Layer.Layer<never, never, Settings> = Layer.unwrap(
  Effect.map(Settings, ({ log_level }) => consoleLogAt(log_level))
)
