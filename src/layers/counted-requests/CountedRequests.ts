/**
 * RequestCounters in cells that the request path adds to. A request finds its route's cells by the compiled route, an object
 * that lives as long as its configuration, and those of the same route in another configuration by their ids; so counts
 * survive every swap, and a route that moves to another service counts anew there.
 */
import { Effect, Layer } from "effect"
import type { CompiledRoute } from "../../model/CompiledConfig.ts"
import { otherId, RequestCounters } from "../../services/RequestCounters.ts"
import type { ObservedRequest } from "../../services/RequestObservers.ts"
import { Cell, type CellKey } from "./Cell.ts"
import { UpstreamLatencies } from "./UpstreamLatencies.ts"

export interface CellLimits {
  /** Cells in all, 1 to 3 kB each; at most three more hold what there is no room for. */
  readonly cells: number
  /** How many of them may be cells of consumers: who authenticates must not take the room of routes. */
  readonly ofConsumers: number
}

export const cellLimits: CellLimits = { cells: 50_000, ofConsumers: 25_000 }

/** The cells of one route. */
interface RouteCells {
  readonly upstream: UpstreamLatencies
  readonly serviceId: string | null
  readonly routeId: string | null
  /** Of requests without a consumer; what is known of the route's upstream, whoever asked, is read from it. */
  readonly nobody: Cell
  /** Of consumers that there is no room to tell apart. */
  others: Cell | undefined
  readonly byConsumer: Map<string, Cell>
}

export const makeCounters = (limits: CellLimits = cellLimits): RequestCounters["Service"] => {
  const cells: Array<Cell> = []
  const routes = new Map<string, RouteCells>()
  const byCompiled = new WeakMap<CompiledRoute, RouteCells>()
  const noLatencies = new UpstreamLatencies()
  let otherRoutes: RouteCells | undefined
  let unmatched: RouteCells | undefined
  let consumerCells = 0
  let apiCalls = 0
  /** The first `changedCount` of them are meant: an array that shrinks gives its room away. */
  const changed: Array<Cell> = []
  let changedCount = 0
  let wake: (() => void) | undefined

  const hasRoom = (): boolean => cells.length < limits.cells

  const add = (key: CellKey, latencies: UpstreamLatencies): Cell => {
    const cell = new Cell(key, latencies)
    cells.push(cell)
    return cell
  }

  const addRoute = (serviceId: string | null, routeId: string | null): RouteCells => {
    const upstream = new UpstreamLatencies()
    const nobody = add({ serviceId, routeId, consumerId: null }, upstream)
    return { upstream, serviceId, routeId, nobody, others: undefined, byConsumer: new Map() }
  }

  const others = (): RouteCells => {
    otherRoutes ??= addRoute(null, otherId)
    return otherRoutes
  }

  const newRoute = (name: string, serviceId: string | null, routeId: string): RouteCells => {
    if (!hasRoom()) return others()
    const made = addRoute(serviceId, routeId)
    routes.set(name, made)
    return made
  }

  const find = (compiled: CompiledRoute): RouteCells => {
    const serviceId = compiled.service?.id ?? null
    const name = `${serviceId} ${compiled.route.id}`
    const found = routes.get(name) ?? newRoute(name, serviceId, compiled.route.id)
    byCompiled.set(compiled, found)
    return found
  }

  const othersOf = (route: RouteCells): Cell => {
    if (route === otherRoutes || hasRoom()) {
      const { serviceId, routeId } = route
      return add({ serviceId, routeId, consumerId: otherId }, noLatencies)
    }
    const other = others()
    other.others ??= othersOf(other)
    return other.others
  }

  const newConsumer = (route: RouteCells, consumerId: string): Cell => {
    if (route === otherRoutes || consumerCells >= limits.ofConsumers || !hasRoom()) {
      route.others ??= othersOf(route)
      return route.others
    }
    consumerCells++
    const { serviceId, routeId } = route
    const cell = add({ serviceId, routeId, consumerId }, noLatencies)
    route.byConsumer.set(consumerId, cell)
    return cell
  }

  const routeOf = (compiled: CompiledRoute | undefined): RouteCells => {
    if (compiled !== undefined) return byCompiled.get(compiled) ?? find(compiled)
    unmatched ??= addRoute(null, null)
    return unmatched
  }

  const cellOf = (route: RouteCells, { compiled, consumer }: ObservedRequest): Cell =>
    consumer === undefined || compiled === undefined
      ? route.nobody
      : (route.byConsumer.get(consumer.id) ?? newConsumer(route, consumer.id))

  const note = (cell: Cell): void => {
    cell.isChanged = true
    changed[changedCount++] = cell
    if (changedCount > 1 || wake === undefined) return
    const waiting = wake
    wake = undefined
    waiting()
  }

  return {
    record: (request) => {
      const route = routeOf(request.compiled)
      const cell = cellOf(route, request)
      cell.add(request)
      route.upstream.add(request.proxyMs, request.upstreamMs)
      if (request.compiled !== undefined) apiCalls++
      if (!cell.isChanged) note(cell)
    },
    cells: () => cells,
    apiCalls: () => apiCalls,
    takeChanged: () => {
      const taken = changed.slice(0, changedCount)
      for (const cell of taken) cell.isChanged = false
      changedCount = 0
      return taken
    },
    changed: Effect.callback<void>((resume) => {
      const isOver = () => resume(Effect.void)
      if (changedCount > 0) return isOver()
      wake = isOver
      return Effect.sync(() => {
        if (wake === isOver) wake = undefined
      })
    })
  }
}

export const layer: Layer.Layer<RequestCounters> = Layer.sync(RequestCounters, () => makeCounters())
