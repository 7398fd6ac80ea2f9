/**
 * `faults.md`, "full sync stops proxying" and "ready before router swap": whatever instant a request comes at, it meets one
 * configuration, whole; and a node that says that it is ready matches a request to every route that it is configured with.
 */
import { Context, MutableRef, Option, SubscriptionRef } from "effect"
import type { CompiledConfig } from "../../model/CompiledConfig.ts"
import type { ConfigTable } from "../../model/ConfigTable.ts"
import { LiveConfig, type LiveState } from "../../services/LiveConfig.ts"
import { NodeHealth } from "../../services/NodeHealth.ts"
import { unreadyReason } from "../../services/NodeStatus.ts"
import { requestsOf } from "../requestsOf.ts"
import type { World } from "../World.ts"
import type { CheckerKind } from "./Checker.ts"

/** What is wrong with a compiled config, as a request would find out. */
const judge = (compiled: CompiledConfig, table: ConfigTable): string | undefined => {
  const ids = new Set(table.routes.map(({ id }) => id))
  for (const { route, facts } of requestsOf(table)) {
    const match = compiled.match(facts)
    const name = route.name ?? route.id
    if (match === undefined) return `a request to its route ${name} (${facts.path}) matches nothing`
    if (!ids.has(match.compiled.route.id))
      return `a request to its route ${name} meets a route of another configuration`
  }
  return undefined
}

const memoized = (): typeof judge => {
  const known = new WeakMap<CompiledConfig, { readonly table: ConfigTable; readonly verdict: string | undefined }>()
  return (compiled, table) => {
    const found = known.get(compiled)
    if (found?.table === table) return found.verdict
    const verdict = judge(compiled, table)
    known.set(compiled, { table, verdict })
    return verdict
  }
}

/** What the node itself answers to a probe. */
const isReady = (services: Context.Context<never> | undefined, live: LiveState): boolean => {
  const health = services === undefined ? Option.none() : Context.getOption(services, NodeHealth)
  if (Option.isNone(health)) return true
  const { proxy, isDraining, license } = health.value
  const reason = unreadyReason({
    live,
    proxy: MutableRef.get(proxy)?.(),
    isDraining: MutableRef.get(isDraining),
    license: MutableRef.get(license)
  })
  return reason === undefined
}

export const wholeConfig: CheckerKind = {
  name: "wholeConfig",
  promise: "a request sees exactly one complete configuration, and ready implies that every configured route matches",
  make: (world, report) => {
    const verdictOf = memoized()
    return {
      onEvent: (event) => {
        if (event._tag !== "Serves" || event.state.snapshot === undefined) return
        if (!isReady(world.machine(event.node).process()?.services(), event.state)) return
        const verdict = verdictOf(event.compiled, event.state.snapshot.table)
        if (verdict !== undefined) report(event.node, `is ready with ${event.state.hash}, and ${verdict}`)
      }
    }
  }
}

/** What a request to a node sees at this instant: for probes between its events. A sentence when that is not whole. */
export const makeProbe = (): ((world: World, node: string) => string | undefined) => {
  const verdictOf = memoized()
  return (world, node) => {
    const services = world.machine(node).process()?.services()
    const live = services === undefined ? Option.none() : Context.getOption(services, LiveConfig)
    if (Option.isNone(live)) return undefined
    const { snapshot, hash } = SubscriptionRef.getUnsafe(live.value.state)
    if (snapshot === undefined) return undefined
    const verdict = verdictOf(MutableRef.get(live.value.current), snapshot.table)
    return verdict === undefined ? undefined : `serves ${hash}, and ${verdict}`
  }
}
