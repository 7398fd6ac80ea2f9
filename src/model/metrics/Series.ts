/**
 * What a metric is before anybody writes it down: definitions, which stand in tables (`nodeSeries.ts`, `fleetSeries.ts`), and
 * the samples of one look at them. Prometheus' text and OpenTelemetry's messages are both made of these.
 */

export type SeriesType = "counter" | "gauge" | "histogram"

export interface SeriesDefinition {
  readonly type: SeriesType
  readonly help: string
  readonly labels: ReadonlyArray<string>
}

export type SeriesTable = Readonly<Record<string, SeriesDefinition>>

/** Counts of what was at most each bound, which come in rising order. */
export interface HistogramValue {
  readonly bounds: ReadonlyArray<number>
  readonly cumulative: ReadonlyArray<number>
  readonly count: number
  readonly sum: number
}

/** The values of the labels, in the order of the definition's. */
export type Sample = readonly [labels: ReadonlyArray<string>, value: number | HistogramValue]

/** Of the series that have any; what is absent or empty is not shown at all. */
export type SamplesOf<T extends SeriesTable> = { readonly [K in keyof T]?: ReadonlyArray<Sample> }

const series =
  (type: SeriesType) =>
  (help: string, labels: ReadonlyArray<string> = []): SeriesDefinition => ({ type, help, labels })

export const counter = series("counter")
export const gauge = series("gauge")
export const histogram = series("histogram")

/** The one sample of a series without labels, or none where there is nothing to tell. */
export const one = (value: number | undefined): ReadonlyArray<Sample> => (value === undefined ? [] : [[[], value]])

/** Seconds, as Prometheus wants all instants and durations, of our milliseconds. */
export const seconds = (ms: number | undefined): ReadonlyArray<Sample> => one(ms === undefined ? undefined : ms / 1000)

export const asNumber = (holds: boolean): number => (holds ? 1 : 0)

/** One series for each state that there is, 1 for the one that holds: an alert on a state that never came up works, too. */
export const stateSamples = (states: ReadonlyArray<string>, holds: string): ReadonlyArray<Sample> =>
  states.map((state) => [[state], asNumber(state === holds)])
