/**
 * A strict reader of Prometheus' text format 0.0.4, written from the format's description: it throws at whatever a
 * scraper might read otherwise than it was meant.
 */

export interface ReadSample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

export interface ReadFamily {
  readonly name: string
  readonly help: string
  readonly type: string
  readonly samples: ReadonlyArray<ReadSample>
}

const nameShape = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/
const valueShape = /^(NaN|[+-]Inf|-?\d+(\.\d+)?(e[+-]?\d+)?)$/
const types = ["counter", "gauge", "histogram"]

const numberOf = (text: string): number => {
  if (!valueShape.test(text)) throw new Error(`no number: ${text}`)
  return text.endsWith("Inf") ? Number(`${text}inity`) : Number(text)
}

const unescaped: Readonly<Record<string, string>> = { "\\\\": "\\", '\\"': '"', "\\n": "\n" }

/** From behind the opening brace; gives what is left behind the closing one. */
const readLabels = (text: string): readonly [labels: Readonly<Record<string, string>>, rest: string] => {
  const labels: Record<string, string> = {}
  let rest = text
  for (;;) {
    const [whole, name = "", value = ""] = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"/.exec(rest) ?? []
    if (whole === undefined) throw new Error(`no label: ${rest}`)
    if (Object.hasOwn(labels, name)) throw new Error(`twice the label ${name}`)
    labels[name] = value.replaceAll(/\\[\\"n]/g, (escape) => unescaped[escape] ?? escape)
    rest = rest.slice(whole.length)
    if (rest.startsWith("}")) return [labels, rest.slice(1)]
    if (!rest.startsWith(",")) throw new Error(`no comma and no brace: ${rest}`)
    rest = rest.slice(1)
  }
}

const readSample = (line: string): ReadSample => {
  const [name = ""] = /^[^{ ]+/.exec(line) ?? []
  if (!nameShape.test(name)) throw new Error(`no name: ${line}`)
  const after = line.slice(name.length)
  const [labels, rest] = after.startsWith("{") ? readLabels(after.slice(1)) : [{}, after]
  if (!rest.startsWith(" ")) throw new Error(`no value: ${line}`)
  return { name, labels, value: numberOf(rest.slice(1)) }
}

const identity = ({ name, labels }: ReadSample): string => `${name}${JSON.stringify(Object.entries(labels).sort())}`

const without = (labels: ReadSample["labels"], gone: string) =>
  JSON.stringify(
    Object.entries(labels)
      .filter(([name]) => name !== gone)
      .sort()
  )

/** Bounds that rise, counts that never fall, `+Inf` that is the count: what `histogram_quantile` leans on. */
const checkHistogram = ({ name, samples }: ReadFamily): void => {
  const groups = Map.groupBy(samples, ({ labels }) => without(labels, "le"))
  for (const [labels, own] of groups) {
    const buckets = own.filter((sample) => sample.name === `${name}_bucket`)
    const bounds = buckets.map((bucket) => numberOf(bucket.labels.le ?? ""))
    const counts = buckets.map(({ value }) => value)
    const rises = (all: ReadonlyArray<number>) => all.every((value, at) => at === 0 || value >= (all[at - 1] ?? 0))
    const [sum, count] = ["_sum", "_count"].map((end) => own.filter((sample) => sample.name === `${name}${end}`))
    const isWhole = sum?.length === 1 && count?.length === 1 && buckets.length + 2 === own.length
    if (!isWhole || bounds.at(-1) !== Number.POSITIVE_INFINITY || counts.at(-1) !== count?.[0]?.value)
      throw new Error(`${name}${labels}: not whole`)
    if (!rises(bounds) || new Set(bounds).size !== bounds.length || !rises(counts))
      throw new Error(`${name}${labels}: bounds or counts fall`)
  }
}

const checkFamily = (family: ReadFamily): void => {
  const { name, type, samples } = family
  if (samples.length === 0) throw new Error(`${name}: no samples`)
  const allowed = type === "histogram" ? ["_bucket", "_sum", "_count"].map((end) => `${name}${end}`) : [name]
  const stray = samples.find((sample) => !allowed.includes(sample.name))
  if (stray !== undefined) throw new Error(`${stray.name} below the head of ${name}`)
  if (new Set(samples.map(identity)).size !== samples.length) throw new Error(`${name}: twice the same labels`)
  if (type === "counter" && samples.some(({ value }) => !(value >= 0))) throw new Error(`${name}: a counter below 0`)
  if (type === "histogram") checkHistogram(family)
}

export const readPrometheus = (text: string): ReadonlyMap<string, ReadFamily> => {
  if (text !== "" && !text.endsWith("\n")) throw new Error("no newline at the end")
  const families = new Map<string, ReadFamily & { readonly samples: Array<ReadSample> }>()
  let current: (ReadFamily & { readonly samples: Array<ReadSample> }) | undefined
  const lines = text.split("\n").slice(0, -1)
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at] ?? ""
    if (!line.startsWith("#")) {
      if (current === undefined) throw new Error(`a sample without a head: ${line}`)
      current.samples.push(readSample(line))
      continue
    }
    const [isHelp, name = "", help = ""] = /^# HELP (\S+) (.*)$/.exec(line) ?? []
    const [isType, again, type = ""] = /^# TYPE (\S+) (\S+)$/.exec(lines[++at] ?? "") ?? []
    if (isHelp === undefined || isType === undefined || name !== again) throw new Error(`no head: ${line}`)
    if (!nameShape.test(name) || !types.includes(type) || families.has(name)) throw new Error(`a wrong head: ${line}`)
    current = { name, help, type, samples: [] }
    families.set(name, current)
  }
  for (const family of families.values()) checkFamily(family)
  return families
}
