/** Moments as somebody writes them into a query. */

/** A date, or a date with a time; without an offset it is UTC. */
const isoPattern = /^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})?)?$/
const secondsPattern = /^\d{1,11}(?:\.\d{1,9})?$/

/** ISO 8601 or Unix seconds, in milliseconds since the epoch; `undefined` for anything else. */
export const readInstant = (text: string): number | undefined => {
  if (secondsPattern.test(text)) return Number(text) * 1000
  // In a query an unescaped plus is a space.
  const given = text.replace(" ", "+")
  const match = isoPattern.exec(given)
  if (match === null) return undefined
  const ms = Date.parse(given.includes("T") && match[1] === undefined ? `${given}Z` : given)
  return Number.isNaN(ms) ? undefined : ms
}
