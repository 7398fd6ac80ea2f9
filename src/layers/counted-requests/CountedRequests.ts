/**
 * RequestCounters in cells that the request path adds to. A request finds its route's cells by the compiled route, an object
 * that lives as long as its configuration, and those of the same route in another configuration by their ids; so counts
 * survive every swap, and a route that moves to another service counts anew there.
 */
import { Effect, Layer } from "effect"
import type { CompiledRoute } from "../../model/CompiledConfig.ts"
import { otherId, RequestCounters } from "../../services/RequestCounters.ts"
import type { ObservedRequest } from "../../services/RequestObservers.ts"
import { Cell } from "./Cell.ts"

export interface CellLimits {
  /** Cells in all, some 3 kB each; at most three more hold what there is no room for. */
  readonly cells: number
  /** How many of them may be cells of consumers: who authenticates must not take the room of routes. */
  readonly ofConsumers: number
}

export const cellLimits: CellLimits = { cells: 50_000, ofConsumers: 25_000 }

/** The cells of one route. */
class RouteCells {
  readonly serviceId: string | null
  readonly routeId: string
  nobody: Cell | undefined
  others: Cell | undefined
  readonly byConsumer = new Map<string, Cell>()

  constructor(serviceId: string | null, routeId: string) {
    this.serviceId = serviceId
    this.routeId = routeId
  }
}

export const makeCounters = (limits: CellLimits = cellLimits): RequestCounters["Service"] => {
  const cells: Array<Cell> = []
  const routes = new Map<string, RouteCells>()
  const byCompiled = new WeakMap<CompiledRoute, RouteCells>()
  let otherRoutes: RouteCells | undefined
  let unmatched: Cell | undefined
  let consumerCells = 0
  let apiCalls = 0
  /** The first `changedCount` of them are meant: an array that shrinks gives its room away. */
  const changed: Array<Cell> = []
  let changedCount = 0
  let wake: (() => void) | undefined

  const hasRoom = (): boolean => cells.length < limits.cells

  const add = (cell: Cell): Cell => {
    cells.push(cell)
    return cell
  }

  /** The cells of all that there is no room for: at most two beyond the limit. */
  const otherRoute = (): RouteCells => {
    otherRoutes ??= new RouteCells(null, otherId)
    return otherRoutes
  }

  const routeOf = (compiled: CompiledRoute): RouteCells => {
    const serviceId = compiled.service?.id ?? null
    const routeId = compiled.route.id
    const name = `${serviceId} ${routeId}`
    const known = routes.get(name)
    if (known !== undefined) return known
    if (!hasRoom()) return otherRoute()
    const made = new RouteCells(serviceId, routeId)
    routes.set(name, made)
    return made
  }

  const find = (compiled: CompiledRoute): RouteCells => {
    const found = routeOf(compiled)
    byCompiled.set(compiled, found)
    return found
  }

  const nobodyOf = (route: RouteCells): Cell => {
    if (route === otherRoutes || hasRoom()) return add(new Cell(route.serviceId, route.routeId, null))
    const other = otherRoute()
    other.nobody ??= nobodyOf(other)
    return other.nobody
  }

  const othersOf = (route: RouteCells): Cell => {
    if (route === otherRoutes || hasRoom()) return add(new Cell(route.serviceId, route.routeId, otherId))
    const other = otherRoute()
    other.others ??= othersOf(other)
    return other.others
  }

  const consumerOf = (route: RouteCells, consumerId: string): Cell => {
    if (route === otherRoutes || consumerCells >= limits.ofConsumers || !hasRoom()) {
      route.others ??= othersOf(route)
      return route.others
    }
    consumerCells++
    const cell = add(new Cell(route.serviceId, route.routeId, consumerId))
    route.byConsumer.set(consumerId, cell)
    return cell
  }

  const cellOf = ({ compiled, consumer }: ObservedRequest): Cell => {
    if (compiled === undefined) {
      unmatched ??= add(new Cell(null, null, null))
      return unmatched
    }
    const route = byCompiled.get(compiled) ?? find(compiled)
    if (consumer !== undefined) return route.byConsumer.get(consumer.id) ?? consumerOf(route, consumer.id)
    route.nobody ??= nobodyOf(route)
    return route.nobody
  }

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
      const cell = cellOf(request)
      cell.add(request)
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
