/** Waits until the control plane has billed what nodes served, as far as it is owed; whatever is not right by then is told. */
import { Context, Effect } from "effect"
import { TelemetryStore } from "../../services/control/TelemetryStore.ts"
import type { Bill, Billing } from "./Billing.ts"
import type { Fleet } from "./Fleet.ts"

/** One window (10 s), one delay of a connection (10 s), and as much again for what waited behind it. */
export const billedWithinMs = 60_000
const lookMs = 1_000

/** By node id; `undefined` while no control plane runs. */
const billedBy = ({ controlPlane }: Fleet): Effect.Effect<ReadonlyMap<string, number> | undefined> =>
  Effect.suspend(() => {
    const services = controlPlane.process()?.services()
    const store = services === undefined ? undefined : Context.getOrUndefined(services, TelemetryStore)
    return store === undefined
      ? Effect.undefined
      : Effect.orDie(Effect.map(store.usage({}), ({ apiCalls }) => apiCalls))
  })

const isRight = ({ nodeId, served, owed }: Bill, billed: ReadonlyMap<string, number>): boolean => {
  const calls = billed.get(nodeId) ?? 0
  return calls >= owed && calls <= served
}

export interface Settlement {
  readonly served: number
  readonly billed: number
}

export const settleBills = Effect.fnUntraced(function* (
  fleet: Fleet,
  billing: Billing,
  report: (node: string, sentence: string) => void
): Effect.fn.Return<Settlement> {
  billing.end()
  const bills = billing.bills()
  let billed: ReadonlyMap<string, number> = new Map()
  for (let waitedMs = 0; waitedMs <= billedWithinMs; waitedMs += lookMs) {
    yield* Effect.sleep(lookMs)
    billed = (yield* billedBy(fleet)) ?? billed
    if (bills.every((bill) => isRight(bill, billed))) break
  }
  for (const bill of bills) {
    if (isRight(bill, billed)) continue
    const { node, nodeId, served, owed } = bill
    report(node, `billed ${billed.get(nodeId) ?? 0} API calls; it served ${served}, of which ${owed} could not be lost`)
  }
  return {
    served: bills.reduce((sum, { served }) => sum + served, 0),
    billed: bills.reduce((sum, { nodeId }) => sum + (billed.get(nodeId) ?? 0), 0)
  }
})
