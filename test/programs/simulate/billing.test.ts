/**
 * Ten minutes without a control plane, in virtual time: what is billed afterwards is what was served, to the last request
 * (`faults.md`, "sum(billed) == sum(served)"). The same with real processes for a minute: the drill `cp-loss`.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { beginBilling } from "../../../src/programs/simulate/Billing.ts"
import { type Fleet, makeFleet } from "../../../src/programs/simulate/Fleet.ts"
import { settleBills } from "../../../src/programs/simulate/settleBills.ts"
import { runVirtual } from "../../../src/testing/runVirtual.ts"
import { makeWorld } from "../../../src/testing/World.ts"

/** Three nodes with traffic, while something happens; then what was served, what was billed, and what was not right. */
const billed = (seed: number, happens: (fleet: Fleet) => Effect.Effect<void>) =>
  runVirtual(
    Effect.gen(function* () {
      const world = yield* makeWorld({ seed })
      const wrong: Array<string> = []
      const onStartFailure = (_: unknown, message: string) => wrong.push(message)
      const fleet = yield* makeFleet({ world, nodes: 3, settings: {}, parts: {}, onStartFailure })
      yield* fleet.startControlPlane
      for (const node of fleet.nodes) world.fork(fleet.startNode(node))
      const billing = beginBilling(world, fleet.nodes)
      yield* Effect.sleep("1 minute")
      yield* happens(fleet)
      const bills = billing.bills()
      const settled = yield* settleBills(fleet, billing, (node, sentence) => wrong.push(`${node} ${sentence}`))
      return { ...settled, bills, wrong }
    }).pipe(Effect.scoped),
    { seed }
  )

const tenMinutesAway = ({ controlPlane, startControlPlane }: Fleet) =>
  Effect.gen(function* () {
    controlPlane.kill("killed")
    yield* Effect.sleep("10 minutes")
    yield* startControlPlane
    yield* Effect.sleep("30 seconds")
  })

describe("billing", () => {
  it.each([1, 2, 3])("is exact after ten minutes without a control plane (seed %s)", async (seed) => {
    const { served, billed: sum, bills, wrong } = await billed(seed, tenMinutesAway)
    assert.deepStrictEqual(wrong, [])
    assert.isAbove(served, 1_500)
    assert.strictEqual(sum, served)
    // Nothing died, so nothing is excused.
    for (const bill of bills) assert.strictEqual(bill.owed, bill.served)
  })

  it("is exact when nodes are restarted meanwhile", async () => {
    const {
      served,
      billed: sum,
      wrong
    } = await billed(4, (fleet) =>
      Effect.gen(function* () {
        fleet.controlPlane.kill("powerCut")
        for (const node of fleet.nodes) {
          yield* Effect.sleep("2 minutes")
          yield* node.stop
          yield* fleet.startNode(node)
        }
        yield* fleet.startControlPlane
      })
    )
    assert.deepStrictEqual(wrong, [])
    assert.strictEqual(sum, served)
  })

  it.each([
    ["killed", 300],
    ["powerCut", 2_500]
  ] as const)("costs what a node that is %s had counted in its last %s ms, at most", async (how, lossMs) => {
    const {
      served,
      billed: sum,
      bills,
      wrong
    } = await billed(5, (fleet) =>
      Effect.gen(function* () {
        fleet.controlPlane.kill("killed")
        for (let n = 0; n < 5; n++) {
          yield* Effect.sleep("37 seconds")
          for (const node of fleet.nodes) {
            node.kill(how)
            yield* fleet.startNode(node)
          }
        }
        yield* fleet.startControlPlane
      })
    )
    assert.deepStrictEqual(wrong, [])
    assert.isAtMost(sum, served)
    const excused = bills.reduce((lost, bill) => lost + bill.served - bill.owed, 0)
    assert.isAtMost(served - sum, excused)
    // 15 deaths, each of so many milliseconds at one request a second.
    assert.isAtMost(excused, (15 * 3 * lossMs) / 1_000 + 5)
  })
})
