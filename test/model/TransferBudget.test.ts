/** How much a node gives its neighbours (`docs/peers.md`, "Bounds"). */
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { makeTransferBudget, type TransferLimits } from "../../src/model/TransferBudget.ts"
import { holds } from "../support/property.ts"

const limits: TransferLimits = {
  atOnce: 2,
  atOnceEach: 100,
  burstBytes: 100,
  bytesPerSecond: 10,
  burstTransfers: 3,
  secondsPerTransfer: 5,
  neighboursMax: 2
}

const begun = (budget: ReturnType<typeof makeTransferBudget>, who: string, bytes: number, atMs: number) =>
  budget.begin(who, bytes, atMs)._tag === "Admitted"

describe("a budget of transfers", () => {
  it("lets so many go on at once, and the next one when one has ended", () => {
    const budget = makeTransferBudget(limits)
    assert.deepEqual(
      [begun(budget, "a", 1, 0), begun(budget, "b", 1, 0), begun(budget, "c", 1, 0)],
      [true, true, false]
    )
    budget.end("a")
    assert.isTrue(begun(budget, "c", 1, 0))
  })

  it("lets so many of them be of one neighbour, and the others have the rest", () => {
    const budget = makeTransferBudget({ ...limits, atOnce: 4, atOnceEach: 2 })
    assert.isTrue(begun(budget, "a", 1, 0) && begun(budget, "a", 1, 0))
    assert.deepEqual(budget.begin("a", 1, 0), {
      _tag: "Busy",
      reason: "2 transfers to this neighbour are under way",
      retryAfterSeconds: 1
    })
    assert.isTrue(begun(budget, "b", 1, 0))
    budget.end("b")
    assert.isFalse(begun(budget, "a", 1, 0))
    budget.end("a")
    assert.isTrue(begun(budget, "a", 1, 0))
    assert.strictEqual(budget.underWay(), 2)
  })

  it("gives each neighbour so many, and says when the next may come", () => {
    const budget = makeTransferBudget({ ...limits, atOnce: 100 })
    for (const _ of [1, 2, 3]) assert.isTrue(begun(budget, "a", 1, 0))
    assert.deepInclude(budget.begin("a", 1, 0), { _tag: "Busy", retryAfterSeconds: 5 })
    assert.isTrue(begun(budget, "b", 1, 0))
    assert.isFalse(begun(budget, "a", 1, 4_999))
    assert.isTrue(begun(budget, "a", 1, 5_001))
  })

  it("gives what is larger than all that is saved up, and waits until that is paid", () => {
    const budget = makeTransferBudget({ ...limits, atOnce: 100 })
    assert.isTrue(begun(budget, "a", 1_100, 0))
    assert.deepInclude(budget.begin("b", 1, 0), { _tag: "Busy", retryAfterSeconds: 100 })
    assert.isFalse(begun(budget, "b", 1, 99_000))
    assert.isTrue(begun(budget, "b", 1, 101_000))
  })

  it("never gives more in any while than the burst, the rate and one transfer beyond", () => {
    const steps = fc.array(
      fc.record({
        who: fc.integer({ min: 0, max: 5 }),
        bytes: fc.integer({ min: 1, max: 80 }),
        afterMs: fc.integer({ min: 0, max: 4_000 })
      }),
      { maxLength: 60 }
    )
    holds(steps, (taken) => {
      const budget = makeTransferBudget({ ...limits, neighboursMax: 100 })
      let [nowMs, given] = [0, 0]
      const transfers = new Map<number, number>()
      for (const { who, bytes, afterMs } of taken) {
        nowMs += afterMs
        if (!begun(budget, String(who), bytes, nowMs)) continue
        budget.end(String(who))
        given += bytes
        transfers.set(who, (transfers.get(who) ?? 0) + 1)
        assert.isAtMost(given, 100 + (nowMs / 1_000) * 10 + 80)
        assert.isAtMost(transfers.get(who) ?? 0, 3 + nowMs / 5_000)
      }
      assert.strictEqual(budget.underWay(), 0)
    })
  })

  it("forgets the neighbour that asked longest ago when there are too many", () => {
    const budget = makeTransferBudget({ ...limits, atOnce: 100 })
    for (const _ of [1, 2, 3]) begun(budget, "a", 1, 0)
    begun(budget, "b", 1, 0)
    assert.isFalse(begun(budget, "a", 1, 0))
    begun(budget, "c", 1, 0)
    assert.isTrue(begun(budget, "a", 1, 0))
  })
})
