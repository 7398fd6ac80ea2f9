/** What a part logs, kept for the test to look at. */
import { type Layer, Logger, References } from "effect"

export interface LogLine {
  readonly level: string
  readonly message: string
  readonly [fact: string]: unknown
}

export interface RecordedLogs {
  readonly lines: Array<LogLine>
  /** The lines of one event. */
  readonly of: (message: string) => ReadonlyArray<LogLine>
  readonly layer: Layer.Layer<never>
}

export const recordedLogs = (): RecordedLogs => {
  const lines: Array<LogLine> = []
  const logger = Logger.make(({ message, logLevel, fiber }) => {
    const text = Array.isArray(message) ? message.join(" ") : String(message)
    lines.push({ ...fiber.getRef(References.CurrentLogAnnotations), level: logLevel, message: text })
  })
  return { lines, of: (message) => lines.filter((line) => line.message === message), layer: Logger.layer([logger]) }
}
