import { createHash } from "node:crypto"
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import * as FileDeclarativeConfig from "../../src/layers/FileDeclarativeConfig.ts"
import * as NodeDisk from "../../src/layers/NodeDisk.ts"
import { formatFault } from "../../src/model/Fault.ts"
import type { SettingName } from "../../src/model/SettingTable.ts"
import { DeclarativeConfig } from "../../src/services/DeclarativeConfig.ts"
import { ConfigRejected } from "../../src/services/LiveConfig.ts"
import { TrustedClock } from "../../src/services/TrustedClock.ts"
import { temporaryFolder } from "../support/folder.ts"
import { testPlugins } from "../support/plugins.ts"
import { settingsLayer } from "../support/settings.ts"

const yaml = `
_format_version: "3.0"
services:
  - name: echo
    url: http://127.0.0.1:9000
    routes:
      - name: all
        paths: [/]
`
const json = JSON.stringify({
  _format_version: "3.0",
  services: [{ name: "echo", host: "h", routes: [{ name: "all", paths: ["/"] }] }]
})

const ask = (given: Partial<Record<SettingName, string>>) =>
  Effect.flatMap(DeclarativeConfig, (config) => config.offer).pipe(
    Effect.provide(
      FileDeclarativeConfig.layer.pipe(
        Layer.provide([settingsLayer(given), testPlugins, NodeDisk.layer, TrustedClock.layerWall])
      )
    )
  )

/** What it offers; fails with all that makes it unusable. */
const read = (given: Partial<Record<SettingName, string>>) =>
  Effect.gen(function* () {
    const answer = yield* ask(given)
    if (answer._tag === "Candidate") return answer.offer
    const { stage, faults } = answer._tag === "Unusable" ? answer : { stage: "nothing", faults: [] }
    return yield* new ConfigRejected({ source: "declarative_file", hash: undefined, stage, faults })
  })

const readFileNamed = (name: string, content: string) =>
  Effect.gen(function* () {
    const file = join(yield* temporaryFolder, name)
    yield* Effect.promise(() => writeFile(file, content))
    return yield* read({ declarative_config: file })
  })

describe("the declarative file (config-model.md §4)", () => {
  it.live.each([
    { name: "a.yml", content: yaml },
    { name: "a.yaml", content: yaml },
    { name: "a.json", content: json },
    { name: "no-ending", content: json },
    { name: "other-ending.conf", content: yaml }
  ])("reads $name by its ending, named by the md5 of its bytes", ({ name, content }) =>
    Effect.gen(function* () {
      const offer = yield* readFileNamed(name, content)
      assert.strictEqual(offer.source, "declarative_file")
      assert.strictEqual(offer.hash, createHash("md5").update(content).digest("hex"))
      assert.lengthOf(offer.raw.routes as ReadonlyArray<unknown>, 1)
    })
  )

  it.live("reads the text of declarative_config_string, JSON or YAML", () =>
    Effect.gen(function* () {
      for (const text of [json, yaml])
        assert.strictEqual((yield* read({ declarative_config_string: text })).place, "declarative_config_string")
      assert.deepEqual(yield* ask({}), { _tag: "Nothing", reason: "no setting names one" })
    })
  )

  it.live("tells every fault: syntax and schema with file, line and column, a missing file by name", () =>
    Effect.gen(function* () {
      const syntax = yield* Effect.flip(readFileNamed("a.yml", "services:\n  - name: [\n  x"))
      assert.match(syntax.message, /a\.yml:3:3: expected YAML \(/)
      assert.strictEqual(syntax.stage, "syntax")
      const text =
        '_format_version: "3.0"\nservices:\n  - name: a\n    port: 99999\n    routes:\n      - paths: [x]\nplugs: []\n'
      const lines = (yield* Effect.flip(readFileNamed("a.yml", text))).faults
        .map(formatFault)
        .map((line) => line.replace(/^.*\/a\.yml/, "a.yml"))
      assert.deepEqual(
        [
          /^a\.yml:3:5: services\[0\]\.host: required field missing/,
          /^a\.yml:4:5: services\[0\]\.port: expected an integer between 0 and 65535/,
          /^a\.yml:6:17: services\[0\]\.routes\[0\]\.paths\[0\]: /,
          /^a\.yml:7:1: plugs: unknown entity/
        ].filter((pattern) => !lines.some((line) => pattern.test(line))),
        [],
        lines.join("\n")
      )
      const missing = yield* Effect.flip(read({ declarative_config: "/nowhere/kong.yml" }))
      assert.match(missing.message, /declarative_config: expected a readable file \(ENOENT.*\/nowhere\/kong\.yml/)
      const nothing = yield* Effect.flip(readFileNamed("a.yml", ""))
      assert.match(nothing.message, /a\.yml:1:1: expected a declarative document/)
    })
  )

  it.live("finds the places of JSON too, of its syntax errors and of its faults", () =>
    Effect.gen(function* () {
      const places = [
        ['{\n  "a": 1,\n  b\n}', /a\.json:3:3: expected JSON/],
        ['{\n  "a": [1\n', /a\.json:3:1: expected JSON \(/],
        ['{\n "_format_version": "3.0",\n "services": [{\n  "host": 5}]}', /a\.json:4:3: services\[0\]\.host: expected/]
      ] as const
      for (const [content, expected] of places)
        assert.match((yield* Effect.flip(readFileNamed("a.json", content))).message, expected)
    })
  )

  it.live("gives rows without id and key the same ids whenever it reads the same text", () =>
    Effect.gen(function* () {
      const text = '{"_format_version":"3.0","services":[{"host":"a"},{"host":"b"}]}'
      const [one, two] = [yield* readFileNamed("a.json", text), yield* readFileNamed("b.json", text)]
      assert.deepEqual(one.raw, two.raw)
      const ids = (one.raw.services as ReadonlyArray<{ readonly id: string }>).map(({ id }) => id)
      assert.strictEqual(new Set(ids).size, 2)
    })
  )

  it.live("survives a document that unfolds without end", () =>
    Effect.gen(function* () {
      const bomb = ["a: &a [x, x, x, x, x, x, x, x, x, x]"]
      for (const [from, to] of [
        ["a", "b"],
        ["b", "c"],
        ["c", "d"],
        ["d", "e"]
      ])
        bomb.push(`${to}: &${to} [${Array.from({ length: 10 }, () => `*${from}`).join(", ")}]`)
      assert.match((yield* Effect.flip(readFileNamed("a.yml", bomb.join("\n")))).message, /expected YAML \(.*alias/)
    })
  )
})
