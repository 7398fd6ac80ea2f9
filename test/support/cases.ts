/**
 * How many cases a property gets, and from which seed: `HOLDFAST_CASES=20000` hunts longer, `HOLDFAST_SEED=…` replays.
 * A failure prints both the seed and the path that leads to its smallest case.
 */
export const cases = {
  numRuns: Number(process.env.HOLDFAST_CASES ?? 200),
  seed: Number(process.env.HOLDFAST_SEED ?? 20261123)
}
