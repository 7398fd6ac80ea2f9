/** `Retry-After` of a refusal, as RFC 9110 §10.2.3 has it: seconds, or a date in one of the three forms of §5.6.7. */

const dayMs = 86_400_000

/** More than this is no wish to be waited for. It keeps every answer a safe integer; what is too long is the caller's to say. */
export const retryAfterMaxMs = 366 * dayMs

const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

/** `Sun, 06 Nov 1994 08:49:37 GMT` */
const fixDate = /^[A-Z][a-z]{2}, (?<day>\d{2}) (?<month>[A-Z][a-z]{2}) (?<year>\d{4}) (?<time>\d{2}:\d{2}:\d{2}) GMT$/
/** `Sunday, 06-Nov-94 08:49:37 GMT`, obsolete. */
const rfc850Date =
  /^[A-Z][a-z]{5,8}, (?<day>\d{2})-(?<month>[A-Z][a-z]{2})-(?<year>\d{2}) (?<time>\d{2}:\d{2}:\d{2}) GMT$/
/** `Sun Nov  6 08:49:37 1994`, obsolete. */
const asctimeDate = /^[A-Z][a-z]{2} (?<month>[A-Z][a-z]{2}) (?<day>[ \d]\d) (?<time>\d{2}:\d{2}:\d{2}) (?<year>\d{4})$/

/** Two digits mean the past when they would lie more than 50 years ahead. */
const fullYear = (year: string, nowMs: number): number => {
  if (year.length === 4) return Number(year)
  const thisYear = new Date(nowMs).getUTCFullYear()
  const inThisCentury = thisYear - (thisYear % 100) + Number(year)
  return inThisCentury > thisYear + 50 ? inThisCentury - 100 : inThisCentury
}

/** Milliseconds since the epoch; `undefined` when the text is no such date, or names a day that no calendar has. */
export const httpDateMs = (text: string, nowMs: number): number | undefined => {
  const parts = (fixDate.exec(text) ?? rfc850Date.exec(text) ?? asctimeDate.exec(text))?.groups
  if (parts === undefined) return undefined
  const { day = "", month = "", year = "", time = "" } = parts
  const [hours = 0, minutes = 0, seconds = 0] = time.split(":").map(Number)
  const monthIndex = months.indexOf(month)
  if (monthIndex < 0 || hours > 23 || minutes > 59 || seconds > 60) return undefined
  const fullDate = [fullYear(year, nowMs), monthIndex, Number(day)] as const
  const midnight = new Date(Date.UTC(...fullDate))
  if (midnight.getUTCMonth() !== monthIndex || midnight.getUTCDate() !== Number(day)) return undefined
  return midnight.getTime() + ((hours * 60 + minutes) * 60 + seconds) * 1000
}

export interface RetryAfterFacts {
  /** The answer's own `Date`: between it and a date in `Retry-After` no difference of clocks counts. */
  readonly date?: string | undefined
  /** What time it is here, for answers without a `Date`. */
  readonly nowMs: number
}

/**
 * How long the sender asks to be left alone, in milliseconds; 0 for a date in the past. `undefined` when it asks for
 * nothing that can be read: garbage is no reason to wait.
 */
export const readRetryAfter = (text: string | undefined, { date, nowMs }: RetryAfterFacts): number | undefined => {
  const asked = text?.trim() ?? ""
  if (/^\d+$/.test(asked)) return Math.min(Number(asked) * 1000, retryAfterMaxMs)
  const untilMs = httpDateMs(asked, nowMs)
  if (untilMs === undefined) return undefined
  const sentAtMs = date === undefined ? undefined : httpDateMs(date.trim(), nowMs)
  return Math.min(Math.max(0, untilMs - (sentAtMs ?? nowMs)), retryAfterMaxMs)
}
