/** The rung of the declarative file. */
import { rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { Effect, Layer } from "effect"
import * as FileDeclarativeConfig from "../../src/layers/FileDeclarativeConfig.ts"
import * as NodeDisk from "../../src/layers/NodeDisk.ts"
import { DeclarativeConfig } from "../../src/services/DeclarativeConfig.ts"
import { TrustedClock } from "../../src/services/TrustedClock.ts"
import { rungConformance } from "../conformance/rung.ts"
import { temporaryFolder } from "../support/folder.ts"
import { testPlugins } from "../support/plugins.ts"
import { settingsLayer } from "../support/settings.ts"

rungConformance(
  "the declarative file",
  false,
  Effect.gen(function* () {
    const file = join(yield* temporaryFolder, "kong.json")
    // Without a file there is no setting that names one: a named file that is missing is a fault of its own.
    let isThere = false
    const layerNow = () =>
      FileDeclarativeConfig.layer.pipe(
        Layer.provide([
          testPlugins,
          settingsLayer(isThere ? { declarative_config: file } : {}),
          NodeDisk.layer,
          TrustedClock.layerWall
        ])
      )
    const write = (text: string) =>
      Effect.promise(() => {
        isThere = true
        return writeFile(file, text)
      })
    return {
      source: "declarative_file",
      start: Effect.suspend(() => {
        const now = DeclarativeConfig.pipe(Effect.provide(layerNow()))
        return Effect.as(now, {
          source: "declarative_file" as const,
          offer: Effect.suspend(() =>
            Effect.flatMap(DeclarativeConfig.pipe(Effect.provide(layerNow())), (rung) => rung.offer)
          )
        })
      }),
      put: (raw) => write(JSON.stringify(raw)),
      damage: write('{"services": [}'),
      remove: Effect.promise(() => {
        isThere = false
        return rm(file, { force: true })
      }),
      keepsRefused: true
    }
  })
)
