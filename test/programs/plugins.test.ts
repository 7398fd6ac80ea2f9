/** Which plugins a program serves: its own, its embedder's, and what the setting enables. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger } from "effect"
import { formatFault } from "../../src/model/Fault.ts"
import type { Plugin } from "../../src/model/plugin/Plugin.ts"
import { builtinCatalogue } from "../../src/programs/builtinPlugins.ts"
import { ControlPlane } from "../../src/programs/ControlPlane.ts"
import { DataPlane } from "../../src/programs/DataPlane.ts"
import { pluginsLayer } from "../../src/programs/plugins.ts"
import { Plugins } from "../../src/services/Plugins.ts"
import type { StartError } from "../../src/services/StartError.ts"
import { eventsInto, type LoggedEvent } from "../support/logged.ts"
import { idle } from "../support/plugins.ts"
import { settingsLayer } from "../support/settings.ts"

const mine = (name: string): Plugin => idle(name, { fields: {} })

const served = (plugins: ReadonlyArray<Plugin>, setting = "bundled", events: Array<LoggedEvent> = []) =>
  Plugins.pipe(
    Effect.provide(
      pluginsLayer(plugins).pipe(
        Layer.provide(settingsLayer({ plugins: setting })),
        Layer.provide(Logger.layer([eventsInto(events)]))
      )
    )
  )

const namesOf = (catalogue: Plugins["Service"]) => [...catalogue.keys()].sort()

describe("a program's plugins", () => {
  it.effect("are those that come with it: the same value for every node of a process", () =>
    Effect.gen(function* () {
      const catalogue = yield* served([])
      assert.deepStrictEqual(namesOf(catalogue), ["correlation-id", "key-auth", "request-termination"])
      assert.strictEqual(catalogue, builtinCatalogue)
    })
  )

  it.effect("are an embedder's as well, whose takes the place of one with its name", () =>
    Effect.gen(function* () {
      const own = mine("key-auth")
      const catalogue = yield* served([own, mine("house-rules")])
      assert.deepStrictEqual(namesOf(catalogue), ["correlation-id", "house-rules", "key-auth", "request-termination"])
      assert.strictEqual(catalogue.get("key-auth"), own)
      assert.notStrictEqual(builtinCatalogue.get("key-auth"), own)
    })
  )

  it.effect("are what the setting leaves; what it names and nobody knows is told", () =>
    Effect.gen(function* () {
      const events: Array<LoggedEvent> = []
      assert.deepStrictEqual(namesOf(yield* served([mine("mine")], "off", events)), [])
      assert.deepStrictEqual(namesOf(yield* served([mine("mine")], "mine, key-auth", events)), ["key-auth", "mine"])
      assert.deepStrictEqual(events, [])
      assert.deepStrictEqual(namesOf(yield* served([], "key-auth,acl,cors", events)), ["key-auth"])
      assert.deepStrictEqual(
        events.map(({ level, message, fields }) => [level, message, fields.plugins]),
        [["warn", "plugins that are not known here are not enabled", ["acl", "cors"]]]
      )
    })
  )
})

describe("an embedder's mistakes", () => {
  const wrong = [mine("House Rules"), mine("mine"), mine(""), mine("mine"), mine("__proto__")]
  const faults = [
    `plugins[0].name: expected a name of lower-case letters and digits, with '-' or '_' between, got "House Rules"`,
    `plugins[2].name: expected a name of lower-case letters and digits, with '-' or '_' between, got ""`,
    `plugins[3].name: expected each name once, got "mine"`,
    `plugins[4].name: expected a name of lower-case letters and digits, with '-' or '_' between, got "__proto__"`
  ]
  const programs: ReadonlyArray<readonly [string, Layer.Layer<never, StartError>]> = [
    ["a data plane", DataPlane.layer({ plugins: wrong })],
    ["a control plane", ControlPlane.layer({ settings: { cluster_cert: "-", cluster_cert_key: "-" }, plugins: wrong })]
  ]
  for (const [program, layer] of programs) {
    it.live(`keep ${program} from starting, all told at once`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(Effect.scoped(Layer.build(layer)))
        assert.deepStrictEqual(error.faults.map(formatFault), faults)
        assert.strictEqual(error.exitCode, 2)
      }).pipe(Effect.provide(Logger.layer([])))
    )
  }
})
