/**
 * How many cases a property of `it.effect.prop` gets, and from which seed: `HOLDFAST_CASES=20000` hunts longer,
 * `HOLDFAST_SEED=…` draws others. A failure prints its shrunk input and a token that replays it.
 */
const runs = Number(process.env.HOLDFAST_CASES ?? 200)

export const propertyRuns = {
  arbitrary: { runs, seed: Number(process.env.HOLDFAST_SEED ?? 20261123) },
  timeout: Math.max(60_000, runs * 100)
}
