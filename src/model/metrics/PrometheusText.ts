/** Samples in Prometheus' text format 0.0.4. */
import type { Steps } from "../steps.ts"
import type { HistogramValue, Sample, SamplesOf, SeriesDefinition, SeriesTable } from "./Series.ts"

export const metricsContentType = "text/plain; version=0.0.4; charset=utf-8"

const needsEscape = /[\\"\n]/

const escapedLabel = (value: string): string =>
  needsEscape.test(value) ? value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n") : value

const escapedHelp = (text: string): string => text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n")

const numberText = (value: number): string => {
  if (value === Number.POSITIVE_INFINITY) return "+Inf"
  return value === Number.NEGATIVE_INFINITY ? "-Inf" : String(value)
}

/** `a="1",b="2"`, without braces, so that a histogram can add its own. */
const pairsText = (names: ReadonlyArray<string>, values: ReadonlyArray<string>): string => {
  let text = ""
  for (let at = 0; at < names.length; at++) {
    text += `${at === 0 ? "" : ","}${names[at]}="${escapedLabel(values[at] ?? "")}"`
  }
  return text
}

const inBraces = (pairs: string): string => (pairs === "" ? "" : `{${pairs}}`)

const histogramText = (name: string, pairs: string, { bounds, cumulative, count, sum }: HistogramValue): string => {
  const before = pairs === "" ? `${name}_bucket{le="` : `${name}_bucket{${pairs},le="`
  let text = ""
  for (let at = 0; at < bounds.length; at++) text += `${before}${bounds[at]}"} ${cumulative[at]}\n`
  return `${text}${before}+Inf"} ${count}\n${name}_sum${inBraces(pairs)} ${numberText(sum)}\n${name}_count${inBraces(pairs)} ${count}\n`
}

const sampleText = (name: string, names: ReadonlyArray<string>, [labels, value]: Sample): string => {
  const pairs = pairsText(names, labels)
  return typeof value === "number"
    ? `${name}${inBraces(pairs)} ${numberText(value)}\n`
    : histogramText(name, pairs, value)
}

const headText = (name: string, { type, help }: SeriesDefinition): string =>
  `# HELP ${name} ${escapedHelp(help)}\n# TYPE ${name} ${type}\n`

const pieceChars = 65_536
const encoder = new TextEncoder()

/** In the order of the table, in pieces of about so many characters. */
function* texts<T extends SeriesTable>(table: T, samples: SamplesOf<T>): Generator<string, void> {
  let text = ""
  for (const [name, definition] of Object.entries(table)) {
    const own = samples[name]
    if (own === undefined || own.length === 0) continue
    text += headText(name, definition)
    for (const sample of own) {
      text += sampleText(name, definition.labels, sample)
      if (text.length < pieceChars) continue
      yield text
      text = ""
    }
  }
  yield text
}

/** One piece for each step. They are bytes at once: text that is put together of a million strings keeps them all until somebody reads it. */
export function* prometheusPieces<T extends SeriesTable>(
  table: T,
  samples: SamplesOf<T>
): Steps<ReadonlyArray<Uint8Array>> {
  const pieces: Array<Uint8Array> = []
  for (const text of texts(table, samples)) {
    pieces.push(encoder.encode(text))
    yield
  }
  return pieces
}

export const prometheusText = <T extends SeriesTable>(table: T, samples: SamplesOf<T>): string =>
  [...texts(table, samples)].join("")
