/** Brings metrics to somebody who does not scrape; off unless a setting asks for it. */
import { Context, Layer } from "effect"

export class MetricsExport extends Context.Service<MetricsExport, { readonly isOn: boolean }>()(
  "holdfast/services/MetricsExport"
) {
  static readonly none = Layer.succeed(MetricsExport, { isOn: false })
}
