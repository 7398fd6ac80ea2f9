/**
 * Which plugins run for which route, and in which order: all that can be known of it when a configuration is compiled
 * (reference `config-model.md` §6). Only the consumer is known later, when a plugin has said who it is.
 *
 * - Order: by priority, highest first; equal ones by name, in reverse.
 * - Of the rows of one plugin, one applies: route+service+consumer, route+consumer, service+consumer, route+service,
 *   consumer, route, service, global; the first of these that there is.
 * - Rows that are not enabled, or whose protocols are none of HTTP's, are no rows. A plugin's protocols choose the
 *   subsystem and nothing finer, as in the original.
 * - Rows and routes meet within one workspace.
 */
import type { ConfigTable } from "../ConfigTable.ts"
import type { Fault } from "../Fault.ts"
import { isShortOfMemory, messageOf } from "../thrown.ts"
import { workspacesIn } from "../Workspace.ts"
import type { Plugin, PluginHandler } from "./Plugin.ts"
import { notEnabled, type PluginCatalogue } from "./PluginCatalogue.ts"
import { PluginsRefused } from "./PluginsRefused.ts"

/** One configured plugin. */
export interface BoundPlugin {
  readonly id: string
  readonly name: string
  readonly handler: PluginHandler
}

/** One plugin's place in a chain. */
export interface PluginSlot {
  /** For a request of nobody, and of every consumer whom no other row is for. */
  readonly base: BoundPlugin | undefined
  /** Rows bound to a consumer and to the route or the service, by the consumer's id: before all others. */
  readonly closest: ReadonlyMap<string, BoundPlugin> | undefined
  /** Rows bound to a consumer alone; `undefined` as well where the base is bound to both route and service, which is closer. */
  readonly byConsumer: ReadonlyMap<string, BoundPlugin> | undefined
}

export interface PluginChain {
  readonly slots: ReadonlyArray<PluginSlot>
  /** False where no row of its plugins has such a phase. */
  readonly hasHeaderFilter: boolean
  readonly hasLog: boolean
}

/** The row that applies, for a request whose consumer is known or not. */
export const applying = (slot: PluginSlot, consumerId: string | undefined): BoundPlugin | undefined =>
  consumerId === undefined
    ? slot.base
    : (slot.closest?.get(consumerId) ?? slot.byConsumer?.get(consumerId) ?? slot.base)

/** What of a route decides about its plugins. */
export interface ChainRoute {
  readonly id: string
  readonly service: string | null
  readonly ws_id: string | null
}

type Rows = ConfigTable["plugins"]
type PluginRow = Rows[number]

interface Made {
  readonly row: PluginRow
  readonly plugin: Plugin
  readonly bound: BoundPlugin
}

const httpProtocols: ReadonlySet<string> = new Set(["grpc", "grpcs", "http", "https"])

const isServed = ({ enabled, protocols }: PluginRow): boolean =>
  enabled && protocols.some((protocol) => httpProtocols.has(protocol))

/** The handlers of all rows that are served. Every one that can't be made is told. */
const makeAll = (table: ConfigTable, catalogue: PluginCatalogue): ReadonlyArray<Made> => {
  const known = new Map<string, unknown>()
  const shared = <A>(key: string, make: (table: ConfigTable) => A): A => {
    if (!known.has(key)) known.set(key, make(table))
    return known.get(key) as A
  }
  const faults: Array<Fault> = []
  const refuse = (at: number, message: string) => faults.push({ path: ["plugins", at], message })
  const made = table.plugins.flatMap((row, at): ReadonlyArray<Made> => {
    if (!isServed(row)) return []
    const plugin = catalogue.get(row.name)
    if (plugin === undefined) {
      refuse(at, notEnabled(row.name))
      return []
    }
    try {
      const handler = plugin.handler({ config: row.config as never, id: row.id, table, shared })
      return [{ row, plugin, bound: { id: row.id, name: row.name, handler } }]
    } catch (cause) {
      if (isShortOfMemory(cause)) throw cause
      refuse(at, `plugin '${row.name}' (${row.id}) can't be made: ${messageOf(cause)}`)
      return []
    }
  })
  if (faults.length > 0) throw new PluginsRefused(faults)
  return made
}

const compareOrder = (one: Plugin, other: Plugin): number =>
  other.priority - one.priority || (one.name < other.name ? 1 : one.name > other.name ? -1 : 0)

/** The rows of one plugin in one workspace, by what they are bound to. */
class Bindings {
  readonly plugin: Plugin
  hasHeaderFilter = false
  hasLog = false
  /** Without a consumer, by service and route. */
  readonly #bases = new Map<string, BoundPlugin>()
  /** With a consumer, by service and route, then by the consumer. */
  readonly #consumers = new Map<string, Map<string, BoundPlugin>>()

  constructor(plugin: Plugin) {
    this.plugin = plugin
  }

  add({ row, bound }: Made): void {
    this.hasHeaderFilter ||= bound.handler.headerFilter !== undefined
    this.hasLog ||= bound.handler.log !== undefined
    const key = `${row.service ?? ""} ${row.route ?? ""}`
    if (row.consumer === null) {
      this.#bases.set(key, bound)
      return
    }
    const consumers = this.#consumers.get(key) ?? new Map<string, BoundPlugin>()
    this.#consumers.set(key, consumers.set(row.consumer, bound))
  }

  slotFor({ id, service }: ChainRoute): PluginSlot | undefined {
    const both = service === null ? undefined : `${service} ${id}`
    const ofRoute = ` ${id}`
    const ofService = service === null ? undefined : `${service} `
    const baseOfBoth = this.#base(both)
    const slot: PluginSlot = {
      base: baseOfBoth ?? this.#base(ofRoute) ?? this.#base(ofService) ?? this.#base(" "),
      closest: this.#closest([ofService, ofRoute, both]),
      byConsumer: baseOfBoth === undefined ? this.#consumers.get(" ") : undefined
    }
    return slot.base === undefined && slot.closest === undefined && slot.byConsumer === undefined ? undefined : slot
  }

  #base(key: string | undefined): BoundPlugin | undefined {
    return key === undefined ? undefined : this.#bases.get(key)
  }

  /** Later keys win. */
  #closest(keys: ReadonlyArray<string | undefined>): ReadonlyMap<string, BoundPlugin> | undefined {
    const found = keys.flatMap((key) => (key === undefined ? undefined : this.#consumers.get(key)) ?? [])
    // The rows of a service with a thousand routes are kept once.
    return found.length < 2 ? found[0] : new Map(found.flatMap((consumers) => [...consumers]))
  }
}

const chainFor = (plugins: ReadonlyArray<Bindings>, route: ChainRoute): PluginChain | undefined => {
  const found = plugins.flatMap((bindings) => {
    const slot = bindings.slotFor(route)
    return slot === undefined ? [] : [{ bindings, slot }]
  })
  if (found.length === 0) return undefined
  return {
    slots: found.map(({ slot }) => slot),
    hasHeaderFilter: found.some(({ bindings }) => bindings.hasHeaderFilter),
    hasLog: found.some(({ bindings }) => bindings.hasLog)
  }
}

/**
 * Makes the handlers of a configuration and gives, for each route, the chain of its plugins; `undefined` for a route
 * without any. Throws `PluginsRefused` with every fault when a plugin is unknown or can't be made.
 */
export const compileChains = (
  table: ConfigTable,
  catalogue: PluginCatalogue
): ((route: ChainRoute) => PluginChain | undefined) => {
  const workspaceOf = workspacesIn(table)
  const workspaces = new Map<string, Map<string, Bindings>>()
  for (const made of makeAll(table, catalogue)) {
    const workspace = workspaceOf(made.row)
    const byName = workspaces.get(workspace) ?? new Map<string, Bindings>()
    workspaces.set(workspace, byName)
    const bindings = byName.get(made.plugin.name) ?? new Bindings(made.plugin)
    byName.set(made.plugin.name, bindings)
    bindings.add(made)
  }
  const ordered = new Map(
    [...workspaces].map(([workspace, byName]) => [
      workspace,
      [...byName.values()].toSorted((one, other) => compareOrder(one.plugin, other.plugin))
    ])
  )
  return (route) => chainFor(ordered.get(workspaceOf(route)) ?? [], route)
}
