/** Properties that throw with the shrunk case and how to play it again. How many cases, from which seed: `cases.ts`. */
import * as fc from "fast-check"
import { cases } from "./cases.ts"

/** The shrunk case, what broke, and what plays it again. */
const failure = (report: fc.RunDetails<unknown>): Error => {
  const token = `replay: HOLDFAST_SEED=${report.seed} HOLDFAST_PATH=${report.counterexamplePath}`
  const cause = report.errorInstance instanceof Error ? `\n${report.errorInstance.stack}` : ""
  return new Error(`${token}\n${String(fc.defaultReportMessage(report))}${cause}`)
}

export const holds = <T>(arbitrary: fc.Arbitrary<T>, check: (value: T) => void, count = 200): void => {
  const property = fc.property(arbitrary, (value) => {
    check(value)
  })
  const report = fc.check(property as fc.IProperty<unknown>, cases(count))
  if (report.failed) throw failure(report)
}
