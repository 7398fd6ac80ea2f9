/** How many cases a property tries, and from which seed; a failure prints both. */
import type { Parameters } from "fast-check"

const setting = (name: string): number | undefined => {
  const text = process.env[name]
  return text === undefined || text === "" ? undefined : Number(text)
}

/** `HOLDFAST_CASES` says how many cases instead, `HOLDFAST_SEED` and `HOLDFAST_PATH` replay a failure. */
export const cases = (count = 200): Pick<Parameters<unknown>, "numRuns" | "seed" | "path"> => ({
  numRuns: setting("HOLDFAST_CASES") ?? count,
  seed: setting("HOLDFAST_SEED") ?? 20_261_126,
  ...(process.env.HOLDFAST_PATH === undefined ? {} : { path: process.env.HOLDFAST_PATH })
})
