/** Writes to a store until it is killed, and says each name once its write was answered. */
import { Effect, Layer } from "effect"
import * as RandomIds from "../../../src/layers/RandomIds.ts"
import * as SqliteConfigStore from "../../../src/layers/sqlite/SqliteConfigStore.ts"
import * as StoreFile from "../../../src/layers/sqlite/StoreFile.ts"
import { consumers } from "../../../src/model/Entities.ts"
import type { Entity } from "../../../src/model/Entity.ts"
import { ConfigStore } from "../../../src/services/control/ConfigStore.ts"
import { testPlugins } from "../../support/plugins.ts"
import { settingsLayer } from "../../support/settings.ts"

const prefix = process.argv[2] ?? ""

const writeForever = Effect.gen(function* () {
  const store = yield* ConfigStore
  for (let i = 0; ; i++) {
    yield* store.create(consumers as unknown as Entity, { username: `user-${i}` })
    yield* Effect.callback<void>((resume) => {
      // Nobody listens any more: whoever started this is gone.
      process.stdout.write(`user-${i}\n`, (error) => (error ? process.exit(1) : resume(Effect.void)))
    })
  }
})

const store = SqliteConfigStore.layer.pipe(
  Layer.provide([RandomIds.layer, testPlugins]),
  Layer.provide(StoreFile.layer),
  Layer.provide(settingsLayer({ prefix }))
)

await Effect.runPromise(Effect.provide(writeForever, store))
