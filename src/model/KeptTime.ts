/** The trusted time as it is kept for the next start: a small JSON file, readable for people. */
import { parseRecord } from "./Entity.ts"

export interface KeptTime {
  readonly trustedMs: number
  /** What a clock said that was not believed yet, and how long it had been one and the same clock. */
  readonly doubt?: { readonly wallMs: number; readonly agreedMs: number }
}

/** Where JavaScript's own time ends. */
const lastInstantMs = 8_640_000_000_000_000

const isInstant = (value: unknown): value is number =>
  typeof value === "number" && Number.isSafeInteger(value) && value >= 0 && value <= lastInstantMs

const iso = (ms: number): string => new Date(ms).toISOString()

/** The texts are for people; only the numbers are read. */
export const encodeKeptTime = ({ trustedMs, doubt }: KeptTime): string => {
  const doubted =
    doubt === undefined
      ? {}
      : { doubted: iso(doubt.wallMs), doubted_ms: doubt.wallMs, doubted_agreed_ms: doubt.agreedMs }
  return `${JSON.stringify({ trusted: iso(trustedMs), trusted_ms: trustedMs, ...doubted }, null, 2)}\n`
}

/** Undefined when it is none: cut off, damaged, or somebody else's file. */
export const decodeKeptTime = (text: string): KeptTime | undefined => {
  const value = parseRecord(text)
  if (value === undefined || !isInstant(value.trusted_ms)) return undefined
  const { trusted_ms: trustedMs, doubted_ms: wallMs, doubted_agreed_ms: agreedMs } = value
  return isInstant(wallMs) && isInstant(agreedMs) ? { trustedMs, doubt: { wallMs, agreedMs } } : { trustedMs }
}
