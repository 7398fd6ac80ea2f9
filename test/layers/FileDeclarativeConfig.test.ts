import { createHash } from "node:crypto"
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Option } from "effect"
import * as FileDeclarativeConfig from "../../src/layers/FileDeclarativeConfig.ts"
import type { SettingName } from "../../src/model/SettingTable.ts"
import { DeclarativeConfig } from "../../src/services/DeclarativeConfig.ts"
import { temporaryFolder } from "../support/folder.ts"
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

const read = (given: Partial<Record<SettingName, string>>) =>
  Effect.flatMap(DeclarativeConfig, (config) => config.read).pipe(
    Effect.provide(FileDeclarativeConfig.layer.pipe(Layer.provide(settingsLayer(given))))
  )

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
      const offer = Option.getOrThrow(yield* readFileNamed(name, content))
      assert.strictEqual(offer.source, "declarative_file")
      assert.strictEqual(offer.hash, createHash("md5").update(content).digest("hex"))
      assert.lengthOf(offer.raw.routes as ReadonlyArray<unknown>, 1)
    })
  )

  it.live("reads the text of declarative_config_string, JSON or YAML", () =>
    Effect.gen(function* () {
      for (const text of [json, yaml]) assert.isTrue(Option.isSome(yield* read({ declarative_config_string: text })))
      assert.isTrue(Option.isNone(yield* read({})))
    })
  )

  it.live("tells every fault: syntax with line and column, schema with place, a missing file by name", () =>
    Effect.gen(function* () {
      const syntax = yield* Effect.flip(readFileNamed("a.yml", "services:\n  - name: [\n  x"))
      assert.match(syntax.message, /expected YAML \(.*line \d+, column \d+/s)
      const schema = yield* Effect.flip(
        readFileNamed("a.yml", '_format_version: "3.0"\nservices:\n  - name: a\n    port: 99999\n')
      )
      assert.match(schema.message, /services\[0\]\.host: required field missing/)
      assert.match(schema.message, /services\[0\]\.port: expected an integer between 0 and 65535/)
      const missing = yield* Effect.flip(read({ declarative_config: "/nowhere/kong.yml" }))
      assert.match(missing.message, /declarative_config: expected a readable file \(ENOENT.*\/nowhere\/kong\.yml/)
      const nothing = yield* Effect.flip(readFileNamed("a.yml", ""))
      assert.match(nothing.message, /expected a declarative document/)
    })
  )
})
