/** What Stryker's report says of one target, beside the list of survivors that have a reason. */

/** Of the report's format (`mutation-testing-report-schema`, version 2), what is read here. */
export interface Report {
  readonly files: Readonly<Record<string, { readonly source: string; readonly mutants: ReadonlyArray<ReportedMutant> }>>
}

export interface ReportedMutant {
  readonly mutatorName: string
  readonly status: string
  readonly replacement?: string
  readonly location: { readonly start: Place; readonly end: Place }
}

/** Both counted from 1. */
interface Place {
  readonly line: number
  readonly column: number
}

export interface Mutant {
  readonly file: string
  readonly line: number
  /** The source line, without what is around it. */
  readonly text: string
  /** `a > b → a >= b` */
  readonly mutation: string
  readonly mutator: string
  readonly status: string
}

/** Survivors on one line that no test can kill, and why. Found by what stands there: line numbers change with every edit. */
export interface Reasoned {
  readonly file: string
  readonly text: string
  readonly mutations: ReadonlyArray<string>
  readonly why: string
}

export interface Count {
  readonly mutants: number
  readonly killed: number
  /** Ended by the time or the number of rounds that they are allowed: killed too. */
  readonly timedOut: number
  readonly survived: number
}

export interface Verdict extends Count {
  readonly files: ReadonlyArray<Count & { readonly file: string }>
  readonly survivors: ReadonlyArray<Survivor>
  /** In percent of all mutants. */
  readonly score: number
  /** Listed, and either nowhere in the code any more or killed. */
  readonly stale: ReadonlyArray<{ readonly file: string; readonly text: string; readonly mutation: string }>
}

export interface Survivor extends Mutant {
  readonly why: string | undefined
}

const inOneLine = (text: string): string => text.replaceAll(/\s+/g, " ").trim()

/** The part of the text between two places. */
const between = (lines: ReadonlyArray<string>, { start, end }: ReportedMutant["location"]): string => {
  const part = lines.slice(start.line - 1, end.line)
  const last = part.at(-1)?.slice(0, end.column - 1) ?? ""
  return [...part.slice(0, -1), last].join("\n").slice(start.column - 1)
}

const mutantsOf = (file: string, source: string, reported: ReadonlyArray<ReportedMutant>): ReadonlyArray<Mutant> => {
  const lines = source.split("\n")
  return reported.map(({ location, mutatorName, replacement = "", status }) => ({
    file,
    line: location.start.line,
    text: (lines[location.start.line - 1] ?? "").trim(),
    mutation: `${inOneLine(between(lines, location))} → ${inOneLine(replacement)}`,
    mutator: mutatorName,
    status
  }))
}

const isKilled = ({ status }: Mutant): boolean => status === "Killed"
const isTimedOut = ({ status }: Mutant): boolean => status === "Timeout"
const isSurvivor = ({ status }: Mutant): boolean => status === "Survived" || status === "NoCoverage"
/** What could not be run says nothing about the tests; what is left out on purpose neither. */
const counts = (mutant: Mutant): boolean => isKilled(mutant) || isTimedOut(mutant) || isSurvivor(mutant)

const fits = (mutant: Mutant, { file, text, mutations }: Reasoned): boolean =>
  mutant.file === file && mutant.text === text && mutations.includes(mutant.mutation)

const countOf = (mutants: ReadonlyArray<Mutant>): Count => ({
  mutants: mutants.length,
  killed: mutants.filter(isKilled).length,
  timedOut: mutants.filter(isTimedOut).length,
  survived: mutants.filter(isSurvivor).length
})

export const judge = (report: Report, reasoned: ReadonlyArray<Reasoned>): Verdict => {
  const mutants = Object.entries(report.files)
    .flatMap(([file, { source, mutants: reported }]) => mutantsOf(file, source, reported))
    .filter(counts)
  const files = [...Map.groupBy(mutants, ({ file }) => file)]
    .map(([file, ones]) => ({ file, ...countOf(ones) }))
    .sort((one, other) => (one.file < other.file ? -1 : 1))
  const all = countOf(mutants)
  const survivors = mutants
    .filter(isSurvivor)
    .map((mutant) => ({ ...mutant, why: reasoned.find((entry) => fits(mutant, entry))?.why }))
  // One that ran out of time on a busy machine may be back the next time.
  const alive = mutants.filter((mutant) => !isKilled(mutant))
  const stale = reasoned
    .filter(({ file }) => Object.hasOwn(report.files, file))
    .flatMap(({ file, text, mutations }) => mutations.map((mutation) => ({ file, text, mutation })))
    .filter((one) => !alive.some((mutant) => fits(mutant, { ...one, mutations: [one.mutation], why: "" })))
  const score = all.mutants === 0 ? 0 : (100 * (all.killed + all.timedOut)) / all.mutants
  return { ...all, files, survivors, score, stale }
}
