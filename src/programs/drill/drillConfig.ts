/**
 * What a drill's control plane is loaded with: the user's declarative file, or the sample, made safe, with one route of
 * the drill's own beside it whose path is what the drill changes.
 */
import { randomUUID } from "node:crypto"
import { readFileSync } from "node:fs"
import { Effect } from "effect"
import { type ConfigTable, decodeTable } from "../../model/ConfigTable.ts"
import { decodeDeclarative } from "../../model/Declarative.ts"
import { toDeclarativeDocument } from "../../model/declarativeDocument.ts"
import type { Row } from "../../model/Entity.ts"
import { messageOf } from "../../model/thrown.ts"
import { readDocument } from "../../services/DeclarativeDocument.ts"
import { Plugins } from "../../services/Plugins.ts"
import { StartError } from "../../services/StartError.ts"
import { builtinCatalogue } from "../builtinPlugins.ts"
import { type DrillRequest, deriveRequests, type Skipped } from "./deriveRequests.ts"
import { makeSafe } from "./safeConfig.ts"
import { sampleConfig } from "./sampleConfig.ts"

export interface DrillConfig {
  /** The file, or that it is the sample. */
  readonly name: string
  readonly routeCount: number
  readonly requests: ReadonlyArray<DrillRequest>
  readonly skipped: ReadonlyArray<Skipped>
  readonly changes: ReadonlyArray<string>
  /** For `POST /config`, or for a declarative file: the drill's route is at this path then. */
  readonly document: (drillPath: string) => Row
}

/** No route of a user's is likely to win over it: it asks for more than any of theirs. */
export const drillRoute = {
  name: "holdfast-drill",
  host: "holdfast.drill",
  header: "x-holdfast-drill",
  /** Ends in a slash, for routes match prefixes. */
  path: (version: string) => `/holdfast-drill/${version}/`
}

const unreadable = (cause: unknown) =>
  new StartError({
    faults: [{ path: ["--config"], message: `expected a readable file (${messageOf(cause)})` }],
    exitCode: 2
  })

/** Every fault of it with its line and column. */
const readTable = Effect.fnUntraced(function* (file: string) {
  const content = yield* Effect.try({ try: () => readFileSync(file, "utf8"), catch: unreadable })
  const { raw } = yield* Effect.mapError(
    Effect.provideService(readDocument({ name: file, content }), Plugins, builtinCatalogue),
    ({ faults }) => new StartError({ faults, exitCode: 2 })
  )
  return raw
})

const tableOf = Effect.fnUntraced(function* (raw: Row, name: string) {
  const decoded = decodeTable(raw, builtinCatalogue)
  if (decoded._tag === "Wrong") return yield* new StartError({ faults: decoded.faults, exitCode: 2 })
  const skipped = decoded.notServed.map((what) => ({ what, reason: "Holdfast doesn't serve these; left out" }))
  return { table: decoded.table, notServed: skipped, name }
})

const withDrillRoute = (table: ConfigTable, echoPort: number) => {
  const [serviceId, routeId] = [randomUUID(), randomUUID()]
  const rows = new Map<string, ReadonlyArray<Row>>(Object.entries(table))
  return (path: string): Row => {
    const service = { id: serviceId, name: drillRoute.name, host: "127.0.0.1", port: echoPort, protocol: "http" }
    const route = {
      id: routeId,
      name: drillRoute.name,
      service: serviceId,
      methods: ["GET"],
      hosts: [drillRoute.host],
      headers: { [drillRoute.header]: ["1"] },
      paths: [path]
    }
    return toDeclarativeDocument(
      new Map([...rows, ["services", [...table.services, service]], ["routes", [...table.routes, route]]])
    )
  }
}

/** Refuses a file that is no configuration, and one without a single route that could be asked. */
export const loadDrillConfig = Effect.fnUntraced(function* (file: string | undefined, echoPort: number) {
  const raw =
    file === undefined ? decodeDeclarative(sampleConfig, randomUUID, builtinCatalogue).raw : yield* readTable(file)
  const { table, notServed, name } = yield* tableOf(raw, file ?? "the sample that comes with Holdfast")
  const derived = deriveRequests(table)
  if (derived.requests.length === 0) {
    const reasons = derived.skipped.map(({ what, reason }) => `${what}: ${reason}`)
    const message = `expected a route that can be asked by HTTP (${reasons.join("; ") || "it has no routes"})`
    return yield* new StartError({ faults: [{ path: ["--config"], message, value: name }], exitCode: 2 })
  }
  const safe = makeSafe(table, { echoPort, freshId: randomUUID })
  return {
    name,
    routeCount: table.routes.length,
    requests: derived.requests,
    skipped: [...notServed, ...derived.skipped],
    changes: safe.changes,
    document: withDrillRoute(safe.table, echoPort)
  } satisfies DrillConfig
})
