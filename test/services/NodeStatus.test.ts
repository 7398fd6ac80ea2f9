import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { SettingName } from "../../src/model/SettingTable.ts"
import { LiveConfig } from "../../src/services/LiveConfig.ts"
import { readyAnswer } from "../../src/services/NodeStatus.ts"
import { joined, liveLayerFor } from "../support/live.ts"
import { nodeFacts } from "../support/nodeFacts.ts"
import { table } from "../support/tables.ts"

describe("configuration.cache (docs/status.md)", () => {
  const told = (
    serving: "control_plane" | "disk" | "declarative_file" | undefined,
    cacheProblem?: string,
    settings: Partial<Record<SettingName, string>> = {}
  ) =>
    Effect.gen(function* () {
      const live = yield* LiveConfig
      yield* live.passOver({ source: "disk", reasons: ["/p/config.json.gz: unprotect: expected the key 1"] })
      if (serving !== undefined)
        yield* live.apply({ raw: table(), source: serving, hash: "d".repeat(32), receivedAtMs: 0 })
      const { body } = readyAnswer(yield* nodeFacts({ cacheProblem }))
      return body.configuration.cache
    }).pipe(Effect.provide(liveLayerFor({ ...joined, ...settings })))

  it.effect("is ok when what serves is on disk, and otherwise says why it is not", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* told("control_plane"), "ok")
      assert.strictEqual(yield* told("disk"), "ok")
      assert.strictEqual(yield* told("control_plane", "disk full"), "not written: disk full")
      assert.strictEqual(yield* told("declarative_file"), "not used: the declarative file serves")
      assert.strictEqual(yield* told(undefined), "nothing to keep: no configuration serves")
      const leftOut = { config_sources: "control_plane,declarative_file" }
      assert.strictEqual(yield* told("control_plane", undefined, leftOut), "off: config_sources leaves the disk out")
    })
  )
})
