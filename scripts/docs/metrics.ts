/** `docs/metrics.md`, made from the tables of series. */
import { fleetSeries } from "../../src/model/metrics/fleetSeries.ts"
import { nodeSeries } from "../../src/model/metrics/nodeSeries.ts"
import type { SeriesTable } from "../../src/model/metrics/Series.ts"

const introduction = `# Metrics

This page is made from \`src/model/metrics/\` by \`npm run docs\`; a test fails when it is stale. What the series are good for, which of
Kong's are left out, and how exact they are: [observability](observability.md).

What is not there has nothing to tell: a node on its own has no series about a control plane, and nobody has any of a
licence that there is none of.
`

const row = (name: string, { type, labels, help }: SeriesTable[string]): string =>
  `| \`${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(", ")} | ${help.replaceAll("|", "\\|")} |`

const section = (title: string, table: SeriesTable): string =>
  [
    `## ${title}`,
    "",
    "| series | type | labels | meaning |",
    "|---|---|---|---|",
    ...Object.entries(table).map(([name, definition]) => row(name, definition)),
    ""
  ].join("\n")

export const renderMetrics = (): string =>
  [introduction, section("Of a data plane", nodeSeries), section("Of a control plane", fleetSeries)].join("\n")
