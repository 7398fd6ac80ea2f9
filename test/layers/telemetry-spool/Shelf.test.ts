/** What waits of many lives is looked through ten times a second, on the thread that serves requests. */
import { assert, it } from "@effect/vitest"
import { type Piece, Shelf } from "../../../src/layers/telemetry-spool/Shelf.ts"
import type { Lane } from "../../../src/model/telemetry/TelemetryRecord.ts"
import { uuidOf } from "../../support/telemetry.ts"

const piece = (life: number, lane: Lane): Piece => ({
  epoch: uuidOf(life),
  lane,
  first: 1,
  last: 5,
  requests: 10,
  firstEndMs: life,
  lastEndMs: life,
  bytes: 500,
  file: `${life} ${lane}`,
  text: undefined,
  failures: 0
})

it("of 10,000 lives drops what is too old, and keeps the last word of each, in a moment", () => {
  const lives = 10_000
  const shelf = new Shelf(uuidOf(0), { maxBytes: 2 ** 28, maxAgeMs: 1_000, memoryMaxBytes: 2 ** 25 })
  for (let life = 1; life <= lives; life++) {
    shelf.add(piece(life, "billing"))
    shelf.add(piece(life, "analytics"))
  }
  const startedMs = performance.now()
  assert.lengthOf(shelf.makeRoom(0, 100_000), lives)
  for (let n = 0; n < 100; n++) assert.lengthOf(shelf.makeRoom(0, 100_000), 0)
  // It took a minute and a half when each piece was compared with each other.
  assert.isBelow(performance.now() - startedMs, 20_000)
  assert.deepStrictEqual(shelf.dropped, { records: lives * 5, requests: lives * 10 })
  assert.strictEqual(shelf.records, lives * 5)
  const acknowledged = Array.from({ length: lives }, (_, n) => ({
    epoch: uuidOf(n + 1),
    lane: "billing" as const,
    sequence: n === 0 ? 3 : 5
  }))
  assert.lengthOf(shelf.acknowledge(acknowledged), lives - 1)
  assert.strictEqual(shelf.records, 2)
})
