/** Which plugins run where, and in which order: reference `config-model.md` §6. */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { decodeTable } from "../../../src/model/ConfigTable.ts"
import type { Row } from "../../../src/model/Entity.ts"
import { applying, type ChainRoute, compileChains } from "../../../src/model/plugin/chains.ts"
import { definePlugin, type Plugin, type PluginHandler } from "../../../src/model/plugin/Plugin.ts"
import { catalogueOf } from "../../../src/model/plugin/PluginCatalogue.ts"
import { PluginsRefused } from "../../../src/model/plugin/PluginsRefused.ts"
import { holds } from "../../support/property.ts"

const id = (n: number): string => `00000000-0000-4000-8000-${String(n).padStart(12, "0")}`

const plugin = (name: string, priority: number, handler: () => PluginHandler = () => ({})): Plugin =>
  definePlugin({ name, priority, schema: { fields: {} }, handler })

const plugins = [plugin("auth", 100), plugin("alpha", 5), plugin("beta", 5), plugin("zero", 0), plugin("none", 0)]

const tableOf = (table: Row, known: ReadonlyArray<Plugin> = plugins) => {
  const decoded = decodeTable({ _format_version: "3.0", ...table }, catalogueOf(known))
  if (decoded._tag === "Wrong") throw new Error(JSON.stringify(decoded.faults))
  return decoded.table
}

const services = [id(11), id(12)]
const routes = [id(21), id(22), id(23)]
const consumers = [id(31), id(32)]
const workspaces = [id(1), id(2)]

const base: Row = {
  workspaces: [
    { id: id(1), name: "default" },
    { id: id(2), name: "other" }
  ],
  services: services.map((service) => ({ id: service, host: "h" })),
  routes: routes.map((route, index) => ({ id: route, paths: ["/"], service: services[index] ?? null })),
  consumers: consumers.map((consumer, index) => ({ id: consumer, username: `c${index}` }))
}

interface Written {
  readonly name: string
  readonly route: string | null
  readonly service: string | null
  readonly consumer: string | null
  readonly ws_id: string | null
  readonly enabled: boolean
  readonly protocols: ReadonlyArray<string>
}

const oneOf = (values: ReadonlyArray<string>) => fc.option(fc.constantFrom(...values), { nil: null })

const rowArbitrary: fc.Arbitrary<Written> = fc.record({
  name: fc.constantFrom(...plugins.map(({ name }) => name)),
  route: oneOf(routes),
  service: oneOf(services),
  consumer: oneOf(consumers),
  ws_id: fc.constantFrom(null, null, null, ...workspaces),
  enabled: fc.constant(true),
  protocols: fc.constantFrom(["http", "https"], ["https"], ["grpc"], ["tcp"])
})

const rowsArbitrary = fc
  .uniqueArray(rowArbitrary, {
    minLength: 8,
    maxLength: 40,
    size: "max",
    selector: ({ name, route, service, consumer }) => [name, route, service, consumer].join()
  })
  .chain((rows) =>
    fc
      .array(fc.constantFrom(true, true, true, false), { minLength: rows.length, maxLength: rows.length })
      .map((enabled) => rows.map((row, index) => ({ ...row, id: id(100 + index), enabled: enabled[index] ?? true })))
  )

type Placed = Written & { readonly id: string }

/** The rule as the reference writes it: of one plugin's rows, the first kind that there is. */
const kinds: ReadonlyArray<readonly ["route" | "", "service" | "", "consumer" | ""]> = [
  ["route", "service", "consumer"],
  ["route", "", "consumer"],
  ["", "service", "consumer"],
  ["route", "service", ""],
  ["", "", "consumer"],
  ["route", "", ""],
  ["", "service", ""],
  ["", "", ""]
]

const expected = (rows: ReadonlyArray<Placed>, route: ChainRoute, consumer: string | undefined) => {
  const http = new Set(["http", "https", "grpc", "grpcs"])
  const live = rows.filter(
    ({ enabled, protocols, ws_id }) =>
      enabled && protocols.some((protocol) => http.has(protocol)) && (ws_id ?? id(1)) === (route.ws_id ?? id(1))
  )
  const here = { route: route.id, service: route.service, consumer }
  const winner = (name: string) =>
    kinds
      .map((kind) =>
        live.find(
          (row) =>
            row.name === name &&
            (["route", "service", "consumer"] as const).every((scope, at) =>
              kind[at] === scope
                ? here[scope] !== undefined && row[scope] === here[scope] && row[scope] !== null
                : row[scope] === null
            )
        )
      )
      .find((row) => row !== undefined)
  const order = ["auth", "beta", "alpha", "zero", "none"]
  return order.flatMap((name) => winner(name)?.id ?? [])
}

describe("§6 chains", () => {
  it("§6.1, §6.2 hold the rows that the reference's rules choose, in its order", () => {
    let chosen = 0
    holds(
      fc.tuple(rowsArbitrary, fc.constantFrom(...routes), oneOf(workspaces), oneOf(consumers)),
      ([rows, routeId, ws_id, consumer]) => {
        const table = tableOf({ ...base, plugins: rows })
        const route = { id: routeId, service: services[routes.indexOf(routeId)] ?? null, ws_id }
        const chain = compileChains(table, catalogueOf(plugins))(route)
        const found = (chain?.slots ?? []).flatMap((slot) => applying(slot, consumer ?? undefined)?.id ?? [])
        const wanted = expected(rows, route, consumer ?? undefined)
        assert.deepStrictEqual(found, wanted)
        chosen += wanted.length
      },
      1000
    )
    assert.isAbove(chosen, 500)
  })

  it("§6.1 are undefined for a route that no row is for", () => {
    const table = tableOf({ ...base, plugins: [{ id: id(100), name: "auth", route: id(21) }] })
    const chainFor = compileChains(table, catalogueOf(plugins))
    assert.isDefined(chainFor({ id: id(21), service: null, ws_id: null }))
    assert.isUndefined(chainFor({ id: id(22), service: id(12), ws_id: null }))
  })

  it("say which phases anybody has, a consumer's row included", () => {
    const known = [
      plugin("filters", 2, () => ({ headerFilter: () => undefined })),
      plugin("logs", 1, () => ({ log: () => undefined })),
      plugin("asks", 3, () => ({ access: () => undefined }))
    ]
    const phases = (...rows: ReadonlyArray<Row>) => {
      const plugins = rows.map((row, index) => ({ id: id(100 + index), ...row }))
      const chain = compileChains(
        tableOf({ ...base, plugins }, known),
        catalogueOf(known)
      )({
        id: id(21),
        service: id(11),
        ws_id: null
      })
      return [chain?.hasHeaderFilter, chain?.hasLog]
    }
    assert.deepStrictEqual(phases({ name: "asks" }), [false, false])
    assert.deepStrictEqual(phases({ name: "asks" }, { name: "filters", consumer: id(31) }), [true, false])
    assert.deepStrictEqual(phases({ name: "logs", route: id(21) }), [false, true])
  })

  it("share what a plugin makes of the whole table", () => {
    let made = 0
    const values: Array<unknown> = []
    const sharing = definePlugin({
      name: "sharing",
      priority: 1,
      schema: { fields: {} },
      handler: ({ shared, table }) => {
        values.push(
          shared("sharing", (whole) => {
            made++
            assert.strictEqual(whole, table)
            return { made }
          })
        )
        return {}
      }
    })
    const plugins = [
      { id: id(100), name: "sharing" },
      { id: id(101), name: "sharing", route: id(21) }
    ]
    compileChains(tableOf({ ...base, plugins }, [sharing]), catalogueOf([sharing]))
    assert.strictEqual(made, 1)
    assert.strictEqual(values[0], values[1])
    assert.strictEqual(values.length, 2)
  })

  it("are refused whole when handlers can't be made, with every fault; a row that is off is not made", () => {
    const fails = plugin("fails", 1, () => {
      throw new Error("broken")
    })
    const plugins = [
      { id: id(100), name: "fails" },
      { id: id(101), name: "fails", route: id(21), enabled: false },
      { id: id(102), name: "fails", route: id(22) }
    ]
    const table = tableOf({ ...base, plugins }, [fails])
    try {
      compileChains(table, catalogueOf([fails]))
      assert.fail("expected a refusal")
    } catch (cause) {
      if (!(cause instanceof PluginsRefused)) throw cause
      assert.deepStrictEqual(
        cause.faults.map(({ path }) => path),
        [
          ["plugins", 0],
          ["plugins", 2]
        ]
      )
      assert.match(cause.message, /plugins\[0\]: plugin 'fails' .* can't be made: broken; plugins\[2\]/)
    }
    assert.throws(() => compileChains(table, new Map()), /plugin 'fails' not enabled/)
  })

  it("want of memory is no fault of the configuration's", () => {
    const short = plugin("short", 1, () => {
      throw new RangeError("Array buffer allocation failed")
    })
    const table = tableOf({ ...base, plugins: [{ id: id(100), name: "short" }] }, [short])
    assert.throws(() => compileChains(table, catalogueOf([short])), RangeError)
  })
})
