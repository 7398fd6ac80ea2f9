/** `npm run bench -- NAME…`: runs the benchmarks of these names, or lists them. What they print is what was measured here and now. */
import { availableParallelism, cpus } from "node:os"
import type { Benchmark } from "./benchmark.ts"

const benchmarks: Readonly<Record<string, () => Promise<ReadonlyArray<Benchmark>>>> = {
  telemetry: async () => [
    (await import("./telemetry/record.ts")).record,
    (await import("./telemetry/endToEnd.ts")).endToEnd
  ]
}

const names = process.argv.slice(2)
const unknown = names.filter((name) => !Object.hasOwn(benchmarks, name))

if (names.length === 0 || unknown.length > 0) {
  for (const name of unknown) console.error(`${name}: no such benchmark`)
  console.error(`Benchmarks: ${Object.keys(benchmarks).join(", ")}`)
  process.exitCode = 2
} else {
  console.log(`Node ${process.versions.node}, ${availableParallelism()} × ${cpus()[0]?.model ?? "unknown processor"}\n`)
  for (const name of names) for (const run of (await benchmarks[name]?.()) ?? []) await run(console.log)
}
