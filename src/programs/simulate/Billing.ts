/**
 * Traffic that is counted, and the promise about it (`faults.md`, "sum(billed) == sum(served)"): some of the nodes serve
 * requests throughout, and once everything is healed the control plane has billed what they served. Never more; and never
 * less than a node's deaths may cost:
 *
 * - a `kill -9` costs what was counted since the last write, a power cut what was counted since the last flush;
 * - nobody promises anything of what was counted until the end of a life in which the disk was in trouble, or in which
 *   what it held was changed by somebody else.
 */
import { Context, MutableRef, Option, SubscriptionRef } from "effect"
import type { CompiledConfig, CompiledRoute } from "../../model/CompiledConfig.ts"
import { LiveConfig } from "../../services/LiveConfig.ts"
import { RequestCounters } from "../../services/RequestCounters.ts"
import type { ObservedRequest } from "../../services/RequestObservers.ts"
import type { Machine } from "../../testing/Machine.ts"
import type { NodeEvent } from "../../testing/NodeEvent.ts"
import { requestsOf } from "../../testing/requestsOf.ts"
import type { World } from "../../testing/World.ts"

/** Counting is the same for all; a few nodes with traffic show what may befall it, and cost a fleet little. */
const nodesMax = 3
const requestEveryMs = 1_000

/** A write every 100 ms and a flush every second, each with what the call itself may take. */
const lossMs = { stopped: 0, killed: 300, powerCut: 2_500 }

export interface Bill {
  readonly node: string
  readonly nodeId: string
  readonly served: number
  /** Less than this is a broken promise, and so is more than was served. */
  readonly owed: number
}

export interface Billing {
  /** Requests come no more. */
  readonly end: () => void
  readonly bills: () => ReadonlyArray<Bill>
}

const finished = (compiled: CompiledRoute): ObservedRequest => ({
  id: "",
  request: { httpVersion: "1.1", headers: {} },
  listener: { isTls: false },
  clientAddress: "",
  compiled,
  consumer: undefined,
  status: 200,
  source: "service",
  startedAtMs: 0,
  endedAtMs: 1,
  proxyMs: 0,
  upstreamMs: 1,
  requestBodyBytes: 0,
  responseBodyBytes: 0
})

/** A route of what is served, as a request finds it; looked for once for each configuration. */
const makeRouteOf = () => {
  const known = new WeakMap<CompiledConfig, CompiledRoute | undefined>()
  return ({ current, state }: LiveConfig["Service"]): CompiledRoute | undefined => {
    const config = MutableRef.get(current)
    if (known.has(config)) return known.get(config)
    const table = SubscriptionRef.getUnsafe(state).snapshot?.table
    const [wanted] = table === undefined ? [] : requestsOf(table)
    const route = wanted === undefined ? undefined : config.match(wanted.facts)?.compiled
    known.set(config, route)
    return route
  }
}

/** What one node served, and what it may have lost of that. */
class Ledger {
  readonly #machine: Machine
  /** When the newest were counted, by the node's own clock. */
  #recentMs: Array<number> = []
  #isTroubled = false
  #lost = 0
  served = 0

  constructor(machine: Machine) {
    this.#machine = machine
  }

  get bill(): Bill {
    const { name, nodeId } = this.#machine
    return { node: name, nodeId, served: this.served, owed: Math.max(0, this.served - this.#lost) }
  }

  look(): void {
    if (Object.keys(this.#machine.diskConditions()).length > 0) this.#isTroubled = true
  }

  note(ownMs: number): void {
    this.served++
    this.#recentMs.push(ownMs)
    if (this.#recentMs.length > 100) this.#recentMs = this.#recentMs.filter((ms) => ms > ownMs - lossMs.powerCut)
  }

  onEvent(event: NodeEvent): void {
    if (event._tag === "Tampered") this.#isTroubled = true
    if (event._tag !== "Stopped") return
    this.look()
    const sinceMs = event.ownMs - lossMs[event.how]
    this.#lost = this.#isTroubled ? this.served : this.#lost + this.#recentMs.filter((ms) => ms > sinceMs).length
    this.#recentMs = []
    this.#isTroubled = false
  }
}

/** Nothing that could serve runs there: nothing, or what is asleep, or what has no route. */
const serveOne = (machine: Machine, ledger: Ledger, routeOf: ReturnType<typeof makeRouteOf>): void => {
  ledger.look()
  const process = machine.process()
  const services = process?.services()
  if (process === undefined || services === undefined || process.clock.isSuspended()) return
  const counters = Option.getOrUndefined(Context.getOption(services, RequestCounters))
  const live = Option.getOrUndefined(Context.getOption(services, LiveConfig))
  const route = live === undefined ? undefined : routeOf(live)
  if (counters === undefined || route === undefined) return
  counters.record(finished(route))
  ledger.note(process.clock.monotonicMs())
}

/** Begins at once, on the first of these machines. */
export const beginBilling = (world: World, machines: ReadonlyArray<Machine>): Billing => {
  const random = world.random.stream("billed traffic")
  const routeOf = makeRouteOf()
  let hasEnded = false
  const ledgers = new Map(machines.slice(0, nodesMax).map((machine) => [machine.name, new Ledger(machine)]))
  world.watch((event) => ledgers.get(event.node)?.onEvent(event))
  for (const machine of machines.slice(0, nodesMax)) {
    const ledger = ledgers.get(machine.name)
    if (ledger === undefined) continue
    const next = (): void => {
      if (hasEnded) return
      serveOne(machine, ledger, routeOf)
      world.time.after(random.exponential(requestEveryMs), next)
    }
    world.time.after(random.exponential(requestEveryMs), next)
  }
  return {
    end: () => {
      hasEnded = true
    },
    bills: () => [...ledgers.values()].map(({ bill }) => bill)
  }
}
