/** How a control plane's exporting fares, apart from the part that exports, so that whoever scrapes can ask at any time. */
import { Context, Effect, Layer, MutableRef } from "effect"
import type { ExportFacts } from "../export/ExportStatus.ts"

/** `undefined` where nothing is exported. */
export class ExportHealth extends Context.Service<ExportHealth, MutableRef.MutableRef<ExportFacts | undefined>>()(
  "holdfast/services/control/ExportHealth"
) {
  static readonly layer = Layer.effect(
    ExportHealth,
    Effect.sync(() => MutableRef.make<ExportFacts | undefined>(undefined))
  )
}
