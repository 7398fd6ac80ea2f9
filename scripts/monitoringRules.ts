/** What has to hold of `deploy/monitoring/`: every series that a dashboard or an alert asks for is one that a node tells. */
import { parse } from "yaml"
import { isRecord, type Row } from "../src/model/Entity.ts"
import { fleetSeries } from "../src/model/metrics/fleetSeries.ts"
import { nodeSeries } from "../src/model/metrics/nodeSeries.ts"
import type { SeriesDefinition } from "../src/model/metrics/Series.ts"
import type { Rule } from "./deployRules.ts"

/** Of Prometheus itself. */
const own: Readonly<Record<string, SeriesDefinition>> = { up: { type: "gauge", help: "", labels: [] } }

const known: ReadonlyMap<string, ReadonlySet<string>> = (() => {
  const found = new Map<string, Set<string>>()
  for (const table of [nodeSeries, fleetSeries, own]) {
    for (const [name, { type, labels }] of Object.entries<SeriesDefinition>(table)) {
      const names = type === "histogram" ? ["_bucket", "_sum", "_count"].map((end) => name + end) : [name]
      for (const each of names) found.set(each, new Set([...(found.get(each) ?? []), ...labels]))
    }
  }
  return found
})()

/** Every scrape puts these on every series. */
const ofScrape = new Set(["job", "instance", "le"])

const selector = /\b(up|(?:kong|holdfast|process|nodejs)_\w+)\s*(?:\{([^}]*)\})?/g

/** What a query asks for that nobody tells, by series and by label. */
export const queryFaults = (query: string): ReadonlyArray<string> =>
  [...query.matchAll(selector)].flatMap(([, name = "", matchers = ""]) => {
    const labels = known.get(name)
    if (labels === undefined) return [`no node tells ${name}`]
    return [...matchers.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)]
      .map(([, label = ""]) => label)
      .filter((label) => !labels.has(label) && !ofScrape.has(label))
      .map((label) => `${name} has no label ${label}`)
  })

const rowsAt = (value: unknown, key: string): ReadonlyArray<Row> => {
  const found = isRecord(value) ? value[key] : undefined
  return Array.isArray(found) ? found.filter(isRecord) : []
}

const parsed = (
  read: (text: string) => unknown,
  text: string
): { readonly value?: unknown; readonly fault?: string } => {
  try {
    return { value: read(text) }
  } catch (cause) {
    return { fault: String(cause) }
  }
}

const alertFaults = (rule: Row): ReadonlyArray<string> => {
  const name = String(rule.alert)
  const labels = isRecord(rule.labels) ? rule.labels : {}
  const annotations = isRecord(rule.annotations) ? rule.annotations : {}
  return [
    ...queryFaults(String(rule.expr)),
    ...(["critical", "warning", "info"].includes(String(labels.severity)) ? [] : ["expected a severity"]),
    ...(typeof annotations.summary === "string" ? [] : ["expected a summary"])
  ].map((fault) => `${name}: ${fault}`)
}

export const alertRuleFaults: Rule = (text) => {
  const { value, fault } = parsed(parse, text)
  if (fault !== undefined) return [fault]
  const rules = rowsAt(value, "groups").flatMap((group) => rowsAt(group, "rules"))
  const names = rules.map(({ alert }) => alert)
  return [
    ...(rules.length === 0 ? ["expected rules"] : []),
    ...names.filter((name, at) => names.indexOf(name) !== at).map((name) => `${name}: is there twice`),
    ...rules.flatMap(alertFaults)
  ]
}

const panelFaults = (panel: Row): ReadonlyArray<string> => {
  const targets = rowsAt(panel, "targets")
  const isRow = panel.type === "row"
  return [
    ...(typeof panel.title === "string" && panel.title !== "" ? [] : ["expected a title"]),
    ...(isRow || targets.length > 0 ? [] : ["expected queries"]),
    ...targets.flatMap(({ expr }) => queryFaults(String(expr)))
  ].map((fault) => `${panel.title}: ${fault}`)
}

const variableFaults = (variable: Row): ReadonlyArray<string> => {
  const query = isRecord(variable.query) ? String(variable.query.query) : ""
  return queryFaults(query).map((fault) => `$${variable.name}: ${fault}`)
}

export const dashboardFaults: Rule = (text) => {
  const { value, fault } = parsed(JSON.parse, text)
  if (fault !== undefined) return [fault]
  const board = isRecord(value) ? value : {}
  const panels = rowsAt(board, "panels")
  const ids = panels.map(({ id }) => id)
  return [
    ...(typeof board.uid === "string" && typeof board.title === "string" ? [] : ["expected uid and title"]),
    ...(panels.length === 0 ? ["expected panels"] : []),
    ...(new Set(ids).size === ids.length ? [] : ["two panels have the same id"]),
    ...panels.flatMap(panelFaults),
    ...rowsAt(board.templating, "list").flatMap(variableFaults)
  ]
}
