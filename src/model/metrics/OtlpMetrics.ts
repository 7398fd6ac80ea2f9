/** The same samples that Prometheus scrapes, as OTLP has metrics: cumulative, since the process started. */
import { unixNanos } from "../unixNanos.ts"
import type { HistogramValue, Sample, SamplesOf, SeriesDefinition, SeriesTable } from "./Series.ts"

interface Attribute {
  readonly key: string
  readonly value: { readonly stringValue: string }
}

interface Moment {
  readonly startTimeUnixNano: string
  readonly timeUnixNano: string
}

interface NumberPoint extends Moment {
  readonly attributes: Array<Attribute>
  readonly asDouble: number
}

interface HistogramPoint extends Moment {
  readonly attributes: Array<Attribute>
  readonly count: number
  readonly sum: number
  readonly bucketCounts: Array<number>
  readonly explicitBounds: Array<number>
}

export interface OtlpMetric {
  readonly name: string
  readonly description: string
  readonly unit: string
  readonly gauge?: { readonly dataPoints: Array<NumberPoint> }
  readonly sum?: {
    readonly aggregationTemporality: 2
    readonly isMonotonic: true
    readonly dataPoints: Array<NumberPoint>
  }
  readonly histogram?: { readonly aggregationTemporality: 2; readonly dataPoints: Array<HistogramPoint> }
}

const cumulative = 2

const units: ReadonlyArray<readonly [ending: RegExp, unit: string]> = [
  [/_seconds(_total)?$/, "s"],
  [/_bytes(_total)?$/, "By"],
  [/_ms$/, "ms"]
]

const unitOf = (name: string): string => units.find(([ending]) => ending.test(name))?.[1] ?? "1"

/** An empty label is none, as it is for Prometheus. */
const attributesOf = (names: ReadonlyArray<string>, labels: ReadonlyArray<string>): Array<Attribute> =>
  names.flatMap((key, at) => {
    const stringValue = labels[at] ?? ""
    return stringValue === "" ? [] : [{ key, value: { stringValue } }]
  })

const ownCounts = ({ cumulative, count }: HistogramValue): Array<number> =>
  [...cumulative, count].map((value, at) => value - (at === 0 ? 0 : (cumulative[at - 1] ?? 0)))

const metricOf = (
  name: string,
  { type, help, labels: names }: SeriesDefinition,
  samples: ReadonlyArray<Sample>,
  moment: Moment
): OtlpMetric => {
  const head = { name, description: help, unit: unitOf(name) }
  const numbers = samples.flatMap(
    ([labels, value]): ReadonlyArray<NumberPoint> =>
      typeof value === "number" ? [{ attributes: attributesOf(names, labels), ...moment, asDouble: value }] : []
  )
  if (type === "gauge") return { ...head, gauge: { dataPoints: numbers } }
  if (type === "counter")
    return { ...head, sum: { aggregationTemporality: cumulative, isMonotonic: true, dataPoints: numbers } }
  const histograms = samples.flatMap(([labels, value]): ReadonlyArray<HistogramPoint> => {
    if (typeof value === "number") return []
    const { count, sum, bounds } = value
    const own = { count, sum, bucketCounts: ownCounts(value), explicitBounds: [...bounds] }
    return [{ attributes: attributesOf(names, labels), ...moment, ...own }]
  })
  return { ...head, histogram: { aggregationTemporality: cumulative, dataPoints: histograms } }
}

type Times = { readonly startedAtMs: number; readonly nowMs: number }

/** All as messages of so many points at most: encoding one costs some 30 µs a point, and the thread is wanted elsewhere. */
export function* otlpMetricPieces<T extends SeriesTable>(
  table: T,
  samples: SamplesOf<T>,
  times: Times,
  pointsMax: number
): Generator<Array<OtlpMetric>, void> {
  const moment = { startTimeUnixNano: unixNanos(times.startedAtMs), timeUnixNano: unixNanos(times.nowMs) }
  let piece: Array<OtlpMetric> = []
  let room = pointsMax
  for (const [name, definition] of Object.entries(table)) {
    const own = samples[name] ?? []
    for (let at = 0; at < own.length; ) {
      const part = own.slice(at, at + room)
      piece.push(metricOf(name, definition, part, moment))
      at += part.length
      room -= part.length
      if (room > 0) continue
      yield piece
      piece = []
      room = pointsMax
    }
  }
  if (piece.length > 0) yield piece
}
