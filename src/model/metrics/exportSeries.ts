/** Series of exporting to object storage, the same on both planes; absent where nothing is exported. */
import { counter, gauge } from "./Series.ts"

export const exportSeries = {
  holdfast_config_exports_total: counter("Configurations that were written to object storage since the start"),
  holdfast_config_export_failures_total: counter("Attempts to export that failed since the start"),
  holdfast_config_export_failing: gauge("Whether the newest configuration could not be exported so far"),
  holdfast_config_exported_timestamp_seconds: gauge("When the last export ended, in seconds since the epoch")
}
