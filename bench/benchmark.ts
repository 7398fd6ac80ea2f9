/** What a benchmark is, and the statistics that all of them print. */

/** Measures, and says what it measured line by line. */
export type Benchmark = (say: (line: string) => void) => Promise<void>

export const meanOf = (values: ReadonlyArray<number>): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length

export const quantileOf = (values: ReadonlyArray<number>, q: number): number =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(q * values.length))] ?? Number.NaN

/** Two-sided 95 % quantiles of Student's t for so many degrees of freedom; the normal's beyond. */
const studentT = (freedom: number): number =>
  [
    12.71, 4.3, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23, 2.2, 2.18, 2.16, 2.14, 2.13, 2.12, 2.11, 2.1, 2.09, 2.09
  ][freedom - 1] ?? (freedom <= 30 ? 2.06 : 1.98)

/** Half the width of the 95 % confidence interval of the mean. */
export const confidenceOf = (values: ReadonlyArray<number>): number => {
  const mean = meanOf(values)
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1)
  return studentT(values.length - 1) * Math.sqrt(variance / values.length)
}
