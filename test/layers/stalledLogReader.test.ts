/** A log collector that stalls must not stop the node. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { run, until } from "../support/process.ts"

const consoleLog = new URL("../../src/layers/ConsoleLog.ts", import.meta.url).href

const logALot = `
  import { Effect } from "effect"
  import { consoleLogAt } from "${consoleLog}"
  setInterval(() => {}, 1000)
  const logger = consoleLogAt("info")
  await Effect.runPromise(Effect.gen(function* () {
    yield* Effect.forEach(Array.from({ length: 20_000 }), () => Effect.logInfo("x".repeat(100)), { discard: true })
    console.log("alive", process.uptime())
    yield* Effect.sleep("2 seconds")
    yield* Effect.logInfo("the last one")
    yield* Effect.sleep("1 second")
  }).pipe(Effect.provide(logger)))
  process.exit(0)
`

it.live("drops lines that nobody reads, goes on, and says how many", () =>
  Effect.gen(function* () {
    const node = yield* run(process.execPath, ["--input-type=module", "-e", logALot])
    node.child.stderr?.pause()
    yield* until(() => node.stdout().includes("alive"), 20_000)
    node.child.stderr?.resume()
    const { code, stderr } = yield* node.ended
    assert.strictEqual(code, 0)
    const lines = stderr
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line))
    assert.strictEqual(lines.at(-1).message, "the last one")
    const lost = lines.find(({ lostLines }) => lostLines !== undefined)?.lostLines
    assert.strictEqual(lines.length - 2 + lost, 20_000)
  })
)
