/** The first thing that a stranger runs. */
import { assert, describe, it } from "vitest"
import { run } from "../support/processes.ts"

describe("quickstart", () => {
  it("plays the whole story by itself, checks each step, and exits 0 in under 60 s", async () => {
    const startedAt = performance.now()
    const { code, output } = await run(["quickstart", "--once"])
    assert.strictEqual(code, 0, output)
    assert.isBelow(performance.now() - startedAt, 60_000)
    assert.isAtLeast(output.split("\n").length, 6)
  })
})
