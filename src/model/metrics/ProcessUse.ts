/** What the process takes of its machine, under the names that Prometheus' own client libraries give it. */
import { counter, gauge, one, type SamplesOf } from "./Series.ts"

export interface ProcessUse {
  readonly rssBytes: number
  readonly heapUsedBytes: number
  readonly heapTotalBytes: number
  readonly externalBytes: number
  readonly cpuSeconds: number
  readonly startedAtMs: number
}

export const processSeries = {
  process_cpu_seconds_total: counter("User and system CPU time of the process, in seconds"),
  process_resident_memory_bytes: gauge("Resident memory of the process"),
  process_start_time_seconds: gauge("When the process started, in seconds since the epoch, by the machine's clock"),
  nodejs_heap_size_used_bytes: gauge("Used part of the JavaScript heap"),
  nodejs_heap_size_total_bytes: gauge("Size of the JavaScript heap"),
  nodejs_external_memory_bytes: gauge("Memory outside of the JavaScript heap that its objects hold: buffers, mostly")
}

export const processSamples = (use: ProcessUse): SamplesOf<typeof processSeries> => ({
  process_cpu_seconds_total: one(use.cpuSeconds),
  process_resident_memory_bytes: one(use.rssBytes),
  process_start_time_seconds: one(use.startedAtMs / 1000),
  nodejs_heap_size_used_bytes: one(use.heapUsedBytes),
  nodejs_heap_size_total_bytes: one(use.heapTotalBytes),
  nodejs_external_memory_bytes: one(use.externalBytes)
})
