/**
 * What happened in a virtual world, a line a transition, with virtual instants: the faults that befell it, and what its
 * nodes and control planes logged of themselves at level Info and above (`docs/events.md` is the legend). Nothing in it
 * comes from the machine that runs it: the same seed gives the same bytes, and so the same SHA-256.
 */
import { createHash } from "node:crypto"
import { Cause, Clock, Logger, References } from "effect"
import type { VirtualClock } from "./VirtualClock.ts"

export interface Transcript {
  readonly line: (atMs: number, who: string, what: string, facts?: Readonly<Record<string, unknown>>) => void
  readonly count: () => number
  /** SHA-256 of all lines so far, in hex. */
  readonly digest: () => string
  /** The newest lines, oldest first. */
  readonly latest: () => ReadonlyArray<string>
  /** Hands what is still held back to the sink. */
  readonly flush: () => void
}

export interface TranscriptOptions {
  /** Given whole lines, many at a time. */
  readonly sink?: (text: string) => void
  /** How many lines are kept for `latest`. Default: 200. */
  readonly keep?: number
}

const defaultKeep = 200
const linesAtATime = 1_000

const shown = (value: unknown): string => {
  const text = typeof value === "string" ? value : (JSON.stringify(value) ?? String(value))
  return /^[\w./:+-]+$/.test(text) ? text : JSON.stringify(text)
}

/** Seconds with six places, so that lines of one run stand below each other for a day and more. */
const instant = (atMs: number): string => (atMs / 1000).toFixed(6).padStart(13)

export const makeTranscript = ({ sink, keep = defaultKeep }: TranscriptOptions = {}): Transcript => {
  const hash = createHash("sha256")
  let held: Array<string> = []
  let newest: Array<string> = []
  let count = 0

  const flush = (): void => {
    if (held.length === 0) return
    const text = `${held.join("\n")}\n`
    hash.update(text)
    sink?.(text)
    newest = [...newest, ...held].slice(-keep)
    held = []
  }

  return {
    line: (atMs, who, what, facts = {}) => {
      count++
      const told = Object.entries(facts).map(([name, value]) => ` ${name}=${shown(value)}`)
      held.push(`${instant(atMs)} ${who} ${what}${told.join("")}`)
      if (held.length >= linesAtATime) flush()
    },
    count: () => count,
    digest: () => {
      flush()
      return hash.copy().digest("hex")
    },
    latest: () => {
      flush()
      return newest
    },
    flush
  }
}

/** Facts that come from the machine, or that say what the line says already. */
const leftOut: ReadonlySet<string> = new Set(["tookMs", "node_hostname", "node_version", "ip", "memory"])

const firstLine = (text: string): string => text.split("\n")[0] ?? ""

const factsOf = (annotations: Readonly<Record<string, unknown>>, cause: Cause.Cause<unknown>) => {
  const facts: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(annotations)) {
    // Stack traces name files of this checkout.
    if (!leftOut.has(name)) facts[name] = typeof value === "string" ? firstLine(value) : value
  }
  if (cause.reasons.length > 0) facts.because = firstLine(Cause.pretty(cause))
  return facts
}

const isVirtual = (clock: Clock.Clock): clock is VirtualClock => "isKilled" in clock

/** Every log line becomes a line of the transcript, in the name of the clock by which it was logged; the dead say nothing. */
export const transcriptLogger = (transcript: Transcript, nowMs: () => number): Logger.Logger<unknown, void> =>
  Logger.make(({ cause, fiber, message }) => {
    const clock = fiber.getRef(Clock.Clock)
    if (!isVirtual(clock) || clock.isKilled()) return
    const what = Array.isArray(message) ? message.map(String).join(" ") : String(message)
    transcript.line(nowMs(), clock.name, what, factsOf(fiber.getRef(References.CurrentLogAnnotations), cause))
  })
