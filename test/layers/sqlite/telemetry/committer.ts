/** Commits batches of both lanes until it is killed, and says each sequence once it was acknowledged. */
import { Effect, Layer } from "effect"
import * as StoreFile from "../../../../src/layers/sqlite/StoreFile.ts"
import * as SqliteTelemetryStore from "../../../../src/layers/sqlite/telemetry/SqliteTelemetryStore.ts"
import { TelemetryStore } from "../../../../src/services/control/TelemetryStore.ts"
import { settingsLayer } from "../../../support/settings.ts"
import { cellOf, uuidOf } from "../../../support/telemetry.ts"

const prefix = process.argv[2] ?? ""
const cellCount = 300

const commitForever = Effect.gen(function* () {
  const store = yield* TelemetryStore
  const fromMs = Date.now() - 60_000
  for (let sequence = 1; ; sequence++) {
    const common = { epoch: uuidOf(9), sequence, fromMs, toMs: fromMs + 1 }
    const cells = Array.from({ length: cellCount }, (_, n) => cellOf(n, 1))
    const apiCalls = sequence * cellCount
    yield* store.commit(uuidOf(1), {
      records: [
        { lane: "billing", ...common, apiCalls, services: 1, dropped: { records: 0, requests: 0 } },
        { lane: "analytics", ...common, cells }
      ],
      spool: { bytes: 0, records: 0, oldest_ms: null }
    })
    yield* Effect.callback<void>((resume) => {
      // Nobody listens any more: whoever started this is gone.
      process.stdout.write(`${sequence}\n`, (error) => (error ? process.exit(1) : resume(Effect.void)))
    })
  }
})

const settings = settingsLayer({ prefix })
const store = SqliteTelemetryStore.layer.pipe(Layer.provide(StoreFile.layer), Layer.provide(settings))

await Effect.runPromise(Effect.provide(commitForever, store))
