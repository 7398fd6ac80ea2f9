/**
 * Generators for tests of gateways, with shrinking, made with Effect's own `Arbitrary`: it comes with `effect`, which every
 * embedder has, and `it.effect.prop` of `@effect/vitest` takes it as it is.
 *
 * - `configTables`: config tables that a node must take, as a control plane sends them;
 * - `flawedTables`: tables that a node must refuse, with what is wrong with them;
 * - `wirePayloads`: whole pushes, good and bad, as bytes;
 * - `worldActions` and `schedules`: what may befall a node, and when.
 */
import { Arbitrary, Schema } from "effect"
import type { Row } from "../model/Entity.ts"
import { reconfigureJson } from "../model/Wire.ts"
import { makeSharedGzip } from "./SharedGzip.ts"
import { type Flaw, spoil } from "./sampleTables.ts"
import { flawNames, type Schedule, ScheduledAction, WorldAction } from "./WorldAction.ts"

const int = (minimum: number, maximum: number) =>
  Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum, maximum })))

const oneOf = <const L extends ReadonlyArray<string | number | boolean>>(
  ...values: L
): Arbitrary.Arbitrary<L[number]> => Arbitrary.map(int(0, values.length - 1), (index) => values[index] as L[number])

const idOf = (kind: number, index: number): string =>
  `00000000-0000-4000-81${String(kind).padStart(2, "0")}-${String(index).padStart(12, "0")}`

const withoutUndefined = (row: Row): Row =>
  Object.fromEntries(Object.entries(row).filter(([, value]) => value !== undefined))

// --- entities; each is made without its place among the others ---

type Placed = (index: number) => Row

const service: Arbitrary.Arbitrary<Placed> = Arbitrary.map(
  Arbitrary.all({
    protocol: oneOf("http", "https"),
    port: int(1, 65_535),
    path: oneOf("", "/base", "/base/"),
    retries: int(0, 10),
    timeout: int(1, 60_000),
    enabled: oneOf(true, true, true, false),
    upstream: int(0, 6)
  }),
  ({ path, timeout, upstream, ...plain }) =>
    (index) =>
      withoutUndefined({
        ...plain,
        id: idOf(1, index),
        name: `service-${index}`,
        host: upstream < 2 ? `upstream-${upstream}` : `host-${upstream}.example`,
        path: path === "" ? undefined : path,
        connect_timeout: timeout
      })
)

const segments = Arbitrary.array(oneOf("a", "b", "v1", "orders", "ü"), { maxLength: 3 })

const routePath = Arbitrary.map(
  Arbitrary.all({ segments, isRegex: oneOf(false, false, false, true) }),
  ({ segments: names, isRegex }) => (isRegex ? `~/${names.join("/")}/\\d+$` : encodeURI(`/${names.join("/")}`))
)

const route: Arbitrary.Arbitrary<Placed> = Arbitrary.map(
  Arbitrary.all({
    service: int(-1, 3),
    paths: Arbitrary.array(routePath, { minLength: 1, maxLength: 3 }),
    methods: Arbitrary.array(oneOf("GET", "POST", "DELETE"), { maxLength: 2 }),
    hosts: Arbitrary.array(oneOf("a.example", "b.example", "*.example", "example.*"), { maxLength: 2 }),
    header: oneOf("", "1", "2"),
    strip_path: oneOf(true, false),
    preserve_host: oneOf(true, false),
    regex_priority: int(-5, 5)
  }),
  ({ service: of, paths, methods, hosts, header, ...plain }) =>
    (index) =>
      withoutUndefined({
        ...plain,
        id: idOf(2, index),
        name: `route-${index}`,
        service: of < 0 ? undefined : of,
        paths: [...new Set(paths)],
        methods: methods.length === 0 ? undefined : [...new Set(methods)],
        hosts: hosts.length === 0 ? undefined : [...new Set(hosts)],
        headers: header === "" ? undefined : { "x-version": [header] }
      })
)

const target: Arbitrary.Arbitrary<Placed> = Arbitrary.map(
  Arbitrary.all({ upstream: int(0, 1), port: int(1, 65_535), weight: int(0, 1_000) }),
  ({ upstream, port, weight }) =>
    (index) => ({ id: idOf(4, index), upstream, target: `192.0.2.${index + 1}:${port}`, weight })
)

const consumer: Arbitrary.Arbitrary<Placed> = Arbitrary.map(
  oneOf("none", "custom"),
  (kind) => (index) =>
    withoutUndefined({
      id: idOf(5, index),
      username: `consumer-${index}`,
      custom_id: kind === "custom" ? `c-${index}` : undefined
    })
)

const place = (rows: ReadonlyArray<Placed>): ReadonlyArray<Row> => rows.map((placed, index) => placed(index))

/** References by number become those of rows that exist, or none. */
const linked = (rows: ReadonlyArray<Row>, field: string, to: ReadonlyArray<Row>): ReadonlyArray<Row> =>
  rows.flatMap((row) => {
    const { [field]: reference, ...rest } = row
    if (typeof reference !== "number") return [rest]
    const found = to[reference]
    return [found === undefined ? rest : { ...rest, [field]: found.id }]
  })

const upstreamRows: ReadonlyArray<Row> = [0, 1].map((index) => ({ id: idOf(3, index), name: `upstream-${index}` }))

const makeTable = (parts: {
  readonly services: ReadonlyArray<Placed>
  readonly routes: ReadonlyArray<Placed>
  readonly upstreams: number
  readonly targets: ReadonlyArray<Placed>
  readonly consumers: ReadonlyArray<Placed>
}): Row => {
  const services = place(parts.services)
  const upstreams = upstreamRows.slice(0, parts.upstreams)
  // A target without an upstream is nothing.
  const targets = linked(place(parts.targets), "upstream", upstreams).filter((row) => row.upstream !== undefined)
  const sections: Readonly<Record<string, ReadonlyArray<Row>>> = {
    services,
    routes: linked(place(parts.routes), "service", services),
    upstreams,
    targets,
    consumers: place(parts.consumers),
    workspaces: [{ id: idOf(6, 0), name: "default" }],
    parameters: [{ key: "cluster_id", value: idOf(7, 0) }]
  }
  return {
    _format_version: "3.0",
    _transform: false,
    ...Object.fromEntries(Object.entries(sections).filter(([, rows]) => rows.length > 0))
  }
}

/** Valid, and never empty: every control plane sends a `parameters` row (`hybrid-protocol-v1.md` §6.9). */
export const configTables: Arbitrary.Arbitrary<Row> = Arbitrary.map(
  Arbitrary.all({
    services: Arbitrary.array(service, { maxLength: 4 }),
    routes: Arbitrary.array(route, { maxLength: 6 }),
    upstreams: int(0, 2),
    targets: Arbitrary.array(target, { maxLength: 4 }),
    consumers: Arbitrary.array(consumer, { maxLength: 2 })
  }),
  makeTable
)

// --- what a node must refuse ---

export interface FlawedTable {
  readonly table: Row
  /** What is wrong with it, in words. */
  readonly flaw: string
}

const rowsIn = (table: Row, name: string): ReadonlyArray<Row> => (table[name] as ReadonlyArray<Row> | undefined) ?? []

const lostRoute: Row = { id: idOf(2, 99), name: "lost", paths: ["/lost"] }

/** Each makes a valid table one that is not. */
const spoilers: ReadonlyArray<readonly [flaw: string, spoil: (table: Row) => Row]> = [
  ["an entity that nobody knows", (table) => ({ ...table, surprises: [{ id: idOf(8, 0) }] })],
  ["no format version", ({ _format_version: _, ...table }) => table],
  ["a format version of tomorrow", (table) => ({ ...table, _format_version: "9.9" })],
  ["a section that is no list", (table) => ({ ...table, services: "all of them" })],
  ["a row that is no object", (table) => ({ ...table, consumers: [...rowsIn(table, "consumers"), 7] })],
  [
    "a service without a host",
    (table) => ({ ...table, services: [...rowsIn(table, "services"), { id: idOf(1, 99) }] })
  ],
  [
    "a port beyond the last",
    (table) => ({
      ...table,
      services: [...rowsIn(table, "services"), { id: idOf(1, 99), host: "example.com", port: 65_536 }]
    })
  ],
  [
    "an unknown field",
    (table) => ({ ...table, routes: [...rowsIn(table, "routes"), { ...lostRoute, colour: "red" }] })
  ],
  [
    "a reference to nothing",
    (table) => ({ ...table, routes: [...rowsIn(table, "routes"), { ...lostRoute, service: idOf(1, 98) }] })
  ],
  [
    "two rows of one id",
    (table) => ({ ...table, routes: [...rowsIn(table, "routes"), lostRoute, { ...lostRoute, name: "lost-too" }] })
  ],
  [
    "two rows of one name",
    (table) => ({
      ...table,
      routes: [...rowsIn(table, "routes"), lostRoute, { ...lostRoute, id: idOf(2, 98) }]
    })
  ],
  ["a plugin that nobody has", (table) => ({ ...table, plugins: [{ id: idOf(8, 1), name: "no-such-plugin" }] })]
]

export const flawedTables: Arbitrary.Arbitrary<FlawedTable> = Arbitrary.map(
  Arbitrary.all({ table: configTables, which: int(0, spoilers.length - 1) }),
  ({ table, which }) => {
    const [flaw, spoilTable] = spoilers[which] ?? ["nothing", (same: Row) => same]
    return { table: spoilTable(table), flaw }
  }
)

// --- pushes ---

export interface WirePayload {
  readonly bytes: Uint8Array
  /** `undefined`: a node must take it. */
  readonly flaw: Flaw | undefined
  /** What it calls the configuration; `undefined`: the node works it out itself. */
  readonly hash: string | undefined
  readonly table: Row
}

export const wirePayloads: Arbitrary.Arbitrary<WirePayload> = Arbitrary.map(
  Arbitrary.all({
    table: configTables,
    flaw: oneOf("", "", "", ...flawNames),
    hash: oneOf("named", "computed"),
    name: int(0, 999_999)
  }),
  ({ table, flaw, hash, name }) => {
    const config_hash = hash === "named" ? String(name).padStart(32, "0") : undefined
    const json = reconfigureJson({ config_table: table, ...(config_hash === undefined ? {} : { config_hash }) })
    const bytes = makeSharedGzip()(new TextEncoder().encode(json))
    return flaw === ""
      ? { bytes, flaw: undefined, hash: config_hash, table }
      : { bytes: spoil(bytes, flaw), flaw, hash: config_hash, table }
  }
)

// --- what may befall a node ---

export const worldActions: Arbitrary.Arbitrary<WorldAction> = Arbitrary.schema(WorldAction)

export const schedules = ({ maxLength = 20 }: { readonly maxLength?: number } = {}): Arbitrary.Arbitrary<Schedule> =>
  Arbitrary.array(Arbitrary.schema(ScheduledAction), { maxLength })
