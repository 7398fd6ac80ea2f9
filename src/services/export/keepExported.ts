/** Exporting, as part of a program: nothing at all unless `cluster_fallback_config_export` is on. */
import { Effect, type MutableRef, type Stream } from "effect"
import { ConfigStorage } from "../ObjectStore.ts"
import { Settings } from "../Settings.ts"
import { supervise } from "../supervise.ts"
import type { ExportFacts } from "./ExportStatus.ts"
import { type Exportable, makeExporter } from "./exportConfigs.ts"

/** Until the scope closes. */
export const keepExported = Effect.fnUntraced(function* <R>(
  exportablesOf: Effect.Effect<Stream.Stream<Exportable>, never, R>,
  facts: MutableRef.MutableRef<ExportFacts | undefined>
) {
  const { cluster_fallback_config_export } = yield* Settings
  const store = yield* ConfigStorage
  if (store === undefined || !cluster_fallback_config_export) return
  const exporter = yield* makeExporter({ store, exportables: yield* exportablesOf, facts })
  yield* supervise("exporting configurations", exporter.run)
})
