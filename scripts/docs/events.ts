/** `docs/events.md`: every event, its level and fields from the sources, its meaning by hand. */
import { globSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { eventMeanings, type Plane } from "./eventMeanings.ts"
import { type LogCall, logCallsOf } from "./logCalls.ts"

/** Quickstart and drills talk to a person, not to a log. */
const talksToPeople = /^src\/programs\/(quickstart|stage|drill)\//

export interface FoundEvent extends LogCall {
  readonly file: string
}

export const findEvents = (root: string): ReadonlyArray<FoundEvent> =>
  globSync("src/**/*.ts", { cwd: root })
    .map((path) => path.replaceAll("\\", "/"))
    .filter((path) => !talksToPeople.test(path))
    .sort()
    .flatMap((file) => {
      const { calls, unreadable } = logCallsOf(readFileSync(join(root, file), "utf8"))
      if (unreadable.length > 0)
        throw new Error(`${file}:${unreadable.join(", ")}: write the event's message as a literal, its facts as fields`)
      return calls.map((call) => ({ ...call, file }))
    })

/** What is missing on either side; empty when the legend is whole. */
export const legendFaults = (events: ReadonlyArray<FoundEvent>): ReadonlyArray<string> => {
  const messages = new Set(events.map(({ message }) => message))
  return [
    ...events
      .filter(({ message }) => !Object.hasOwn(eventMeanings, message))
      .map(({ file, message }) => `${file}: "${message}" has no meaning in scripts/docs/eventMeanings.ts`),
    ...Object.keys(eventMeanings)
      .filter((message) => !messages.has(message))
      .map((message) => `scripts/docs/eventMeanings.ts: nothing logs "${message}" any more`)
  ]
}

const planes: ReadonlyArray<Plane> = ["data plane", "control plane", "both planes"]

const title = (text: string): string => text[0]?.toUpperCase() + text.slice(1)

const row = (message: string, calls: ReadonlyArray<FoundEvent>): string => {
  const levels = [...new Set(calls.map(({ level }) => level))].join(", ")
  const fields = [...new Set(calls.flatMap((call) => call.fields))].map((field) => `\`${field}\``).join(", ")
  return `| ${levels} | \`${message}\` | ${eventMeanings[message]?.meaning ?? ""} | ${fields} |`
}

export const renderEvents = (root: string): string => {
  const events = findEvents(root)
  const faults = legendFaults(events)
  if (faults.length > 0) throw new Error(faults.join("\n"))
  const byMessage = Map.groupBy(events, ({ message }) => message)
  const sections = planes.map((plane) => {
    const rows = [...byMessage].filter(([message]) => eventMeanings[message]?.plane === plane)
    const table = rows.map(([message, calls]) => row(message, calls))
    return [`## ${title(plane)}`, "", "| level | event | what it means | fields |", "|---|---|---|---|", ...table].join(
      "\n"
    )
  })
  return `${[
    "# Events",
    "",
    "<!-- Made by `npm run docs` from the sources and scripts/docs/eventMeanings.ts. -->",
    "",
    "One line a happening, on stderr: JSON (`time`, `level`, `message`, and the fields beside them) when it is not a",
    "terminal. The message names the event and stays the same; what differs is in the fields. A state that lasts is told when",
    "it begins and then every five minutes. Never in a log: keys, tokens, header values, bodies, query strings.",
    "",
    "`log_level` is the least severity that is written: `notice`, the default, shows all but debug. An error that a line",
    "is about stands in `cause` or at the end of the message. Lines about a session also carry `node_id`, `node_hostname`,",
    "`node_version` and `ip`.",
    "",
    sections.join("\n\n")
  ].join("\n")}\n`
}
