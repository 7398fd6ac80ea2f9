/** Two small drawings as SVG: bars over time, and how values are distributed. Pure. */

const width = 960
const height = 240
const left = 56
const bottom = 32
const top = 28

const innerWidth = width - left - 16
const innerHeight = height - top - bottom

const escape = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;")

const text = (x: number, y: number, anchor: "start" | "middle" | "end", words: string): string =>
  `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}">${escape(words)}</text>`

/** 1, 2 or 5 times a power of ten, so that about five of them make the whole. */
const stepOf = (whole: number): number => {
  const rough = Math.max(whole, 1e-9) / 5
  const power = 10 ** Math.floor(Math.log10(rough))
  const factor = [1, 2, 5, 10].find((candidate) => candidate * power >= rough) ?? 10
  return factor * power
}

const ticks = (whole: number): ReadonlyArray<number> => {
  const step = stepOf(whole)
  return Array.from({ length: Math.floor(whole / step) + 1 }, (_, index) => index * step)
}

interface Bars {
  readonly title: string
  readonly values: ReadonlyArray<number>
  /** What the whole width stands for. */
  readonly until: number
  readonly unit: string
}

/** At most so many bars: each is the largest value of those that it stands for, for peaks are what is looked for. */
const barsMax = 480

const peaks = (values: ReadonlyArray<number>): ReadonlyArray<number> => {
  const perBar = Math.max(1, Math.ceil(values.length / barsMax))
  return Array.from({ length: Math.ceil(values.length / perBar) }, (_, index) =>
    values.slice(index * perBar, (index + 1) * perBar).reduce((most, value) => Math.max(most, value), 0)
  )
}

export const barChart = ({ title, values, until, unit }: Bars): string => {
  const bars = peaks(values)
  const most = Math.max(1, ...bars)
  const barWidth = innerWidth / Math.max(1, bars.length)
  const y = (value: number): number => top + innerHeight * (1 - value / most)
  const x = (at: number): number => left + (innerWidth * at) / Math.max(until, 1e-9)
  const drawn = bars.map((value, index) =>
    value === 0
      ? ""
      : `<rect x="${(left + index * barWidth).toFixed(1)}" y="${y(value).toFixed(1)}" width="${Math.max(0.5, barWidth - 0.2).toFixed(1)}" height="${(top + innerHeight - y(value)).toFixed(1)}"/>`
  )
  const rows = ticks(most).map(
    (value) =>
      `<line x1="${left}" x2="${width - 16}" y1="${y(value).toFixed(1)}" y2="${y(value).toFixed(1)}"/>${text(left - 6, y(value) + 4, "end", String(value))}`
  )
  const columns = ticks(until).map((at) => text(x(at), height - 12, "middle", `${Number(at.toFixed(3))} ${unit}`))
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="11" fill="#333">`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    `<g stroke="#ddd">${rows.join("").replaceAll("<text", '<text stroke="none"')}</g>`,
    `<g fill="#2b6cb0">${drawn.join("")}</g>`,
    columns.join(""),
    text(left, 16, "start", title),
    "</svg>",
    ""
  ].join("\n")
}

const bins = 60

/** How many values lie in each of equal parts of the range from nothing to the largest. */
export const histogram = (title: string, values: ReadonlyArray<number>, unit: string): string => {
  const most = values.reduce((largest, value) => Math.max(largest, value), 1e-9)
  const counts = Array.from({ length: bins }, () => 0)
  for (const value of values) {
    const bin = Math.min(bins - 1, Math.floor((value / most) * bins))
    counts[bin] = (counts[bin] ?? 0) + 1
  }
  return barChart({ title, values: counts, until: most, unit })
}
