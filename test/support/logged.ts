/** What was logged, as data. */
import { Logger } from "effect"
import { logEntry } from "../../src/layers/ConsoleLog.ts"

export interface LoggedEvent {
  readonly level: string
  readonly message: string
  readonly fields: Readonly<Record<string, unknown>>
}

export const eventsInto = (events: Array<LoggedEvent>): Logger.Logger<unknown, void> =>
  Logger.make((options) => {
    const { level, message, fields } = logEntry(options)
    events.push({ level, message, fields })
  })
