/**
 * Properties with a budget and a replay: `HOLDFAST_CASES=20000` hunts longer, `HOLDFAST_SEED` and `HOLDFAST_PATH`, which a
 * failure prints, play one case again.
 */
import * as fc from "fast-check"

const number = (name: string): number | undefined => {
  const text = process.env[name]
  return text === undefined || text === "" ? undefined : Number(text)
}

/** At least 200 in `npm test`; the long run raises all of them at once. */
export const cases = (least = 200): number => Math.max(least, number("HOLDFAST_CASES") ?? 0)

const options = (least: number): fc.Parameters<unknown> => {
  const seed = number("HOLDFAST_SEED")
  const path = process.env.HOLDFAST_PATH
  return {
    numRuns: cases(least),
    ...(seed === undefined ? {} : { seed }),
    ...(path === undefined || path === "" ? {} : { path })
  }
}

const withToken = (error: unknown, report: fc.RunDetails<unknown> | undefined): Error => {
  const token =
    report === undefined ? "" : `\nreplay: HOLDFAST_SEED=${report.seed} HOLDFAST_PATH=${report.counterexamplePath}\n`
  const cause = report?.errorInstance instanceof Error ? `\n${report.errorInstance.stack}` : ""
  return new Error(`${token}${String(error)}${cause}`)
}

/** Throws with the shrunk case and how to replay it. */
export const holds = <T>(arbitrary: fc.Arbitrary<T>, check: (value: T) => void, least = 200): void => {
  const property = fc.property(arbitrary, (value) => {
    check(value)
  })
  const report = fc.check(property as fc.IProperty<unknown>, options(least))
  if (report.failed) throw withToken(fc.defaultReportMessage(report), report)
}

/** The same for checks that take time of their own. */
export const holdsAsync = async <T>(
  arbitrary: fc.Arbitrary<T>,
  check: (value: T) => Promise<void>,
  least = 200
): Promise<void> => {
  const property = fc.asyncProperty(arbitrary, check)
  const report = await fc.check(property as fc.IAsyncProperty<unknown>, options(least))
  if (report.failed) throw withToken(fc.defaultReportMessage(report), report)
}
