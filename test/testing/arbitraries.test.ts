/** What is generated is what it says it is: valid, refused, readable or not; and it shrinks. */
import { gunzipSync } from "node:zlib"
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Effect } from "effect"
import { decodeTable, isEmptyTable } from "../../src/model/ConfigTable.ts"
import { compileConfig } from "../../src/model/compileConfig.ts"
import { formatFault } from "../../src/model/Fault.ts"
import { decodeReconfigure } from "../../src/model/Wire.ts"
import { configTables, flawedTables, schedules, wirePayloads, worldActions } from "../../src/testing/arbitraries.ts"
import { requestsOf } from "../../src/testing/requestsOf.ts"
import { describeSchedule } from "../../src/testing/WorldAction.ts"
import { testCatalogue } from "../support/plugins.ts"
import { propertyRuns } from "../support/propertyRuns.ts"

describe("generated config tables", () => {
  it.effect.prop(
    "are valid, never empty, and every request that they promise matches something",
    [configTables],
    ([raw]) =>
      Effect.sync(() => {
        const decoded = decodeTable(raw, testCatalogue)
        if (decoded._tag === "Wrong") return assert.fail(decoded.faults.map(formatFault).join("; "))
        assert.isFalse(isEmptyTable(raw))
        const compiled = compileConfig(decoded.table)
        for (const { facts, route } of requestsOf(decoded.table))
          assert.isDefined(compiled.match(facts), `${route.name} ${facts.path}`)
      }),
    propertyRuns
  )

  it.effect("are of many kinds", () =>
    Effect.gen(function* () {
      const tables = yield* Effect.orDie(Arbitrary.sampleEffect(configTables, { count: 200, seed: 1 }))
      for (const section of ["services", "routes", "upstreams", "targets", "consumers"])
        assert.isAbove(tables.filter((table) => Array.isArray(table[section])).length, 20, section)
    })
  )

  it.effect("shrink to the smallest that still fails", () =>
    Effect.gen(function* () {
      const result = yield* Arbitrary.checkEffect(
        configTables,
        ({ routes }) => !Array.isArray(routes) || routes.length < 3,
        { runs: 200, seed: 1 }
      )
      if (result._tag !== "Falsified") return assert.fail("expected a table of three routes")
      assert.lengthOf(result.shrunkInput.routes as Array<unknown>, 3)
      assert.notProperty(result.shrunkInput, "services")
    })
  )
})

describe("generated flawed tables", () => {
  it.effect.prop(
    "are refused",
    [flawedTables],
    ([{ table, flaw }]) => Effect.sync(() => assert.strictEqual(decodeTable(table, testCatalogue)._tag, "Wrong", flaw)),
    propertyRuns
  )
})

/** What a node makes of the bytes, without a node. */
const reading = (bytes: Uint8Array): "taken" | "refused" => {
  try {
    const decoded = decodeReconfigure(gunzipSync(bytes))
    return decoded._tag === "Right" && decodeTable(decoded.message.config_table, testCatalogue)._tag === "Right"
      ? "taken"
      : "refused"
  } catch {
    return "refused"
  }
}

describe("generated pushes", () => {
  it.effect.prop(
    "are taken exactly when they have no flaw",
    [wirePayloads],
    ([{ bytes, flaw }]) =>
      Effect.sync(() => assert.strictEqual(reading(bytes), flaw === undefined ? "taken" : "refused", flaw)),
    propertyRuns
  )
})

describe("generated schedules", () => {
  it.effect("hold every action, and tell each in a line", () =>
    Effect.gen(function* () {
      const actions = yield* Effect.orDie(Arbitrary.sampleEffect(worldActions, { count: 2_000, seed: 1 }))
      assert.isAtLeast(new Set(actions.map((action) => action.do)).size, 22)
      const [schedule = []] = yield* Effect.orDie(
        Arbitrary.sampleEffect(schedules({ maxLength: 8 }), { count: 1, seed: 3 })
      )
      assert.lengthOf(describeSchedule(schedule), schedule.length)
      assert.isAtMost(schedule.length, 8)
    })
  )
})
