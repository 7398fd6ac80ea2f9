/**
 * An exporter that is stopped for a while before or after any of its calls, while another one exports something newer
 * from beginning to end (`faults.md`, "nothing older replaces newer").
 */
import { gunzipSync } from "node:zlib"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import type { Row } from "../../../src/model/Entity.ts"
import type { ObjectStore } from "../../../src/services/ObjectStore.ts"
import { make } from "../../../src/testing/MemoryObjectStore.ts"
import { configOf, startExporter } from "../../support/exporting.ts"
import { settle } from "../../support/live.ts"
import { table } from "../../support/tables.ts"

const parsed = (bytes: Uint8Array | undefined): Row => JSON.parse(Buffer.from(bytes ?? "{}").toString())

/** At the call of this number, from 1, somebody else has the time that they need. */
const stoppedAt = (store: ObjectStore, stop: number, when: "before" | "after") => {
  let calls = 0
  const call = <A, E>(deed: Effect.Effect<A, E>): Effect.Effect<A, E> =>
    Effect.suspend(() => {
      if (++calls !== stop) return deed
      return when === "before" ? Effect.andThen(Effect.sleep(1_000), deed) : Effect.tap(deed, Effect.sleep(1_000))
    })
  return {
    count: () => calls,
    store: {
      place: store.place,
      read: (key, maxBytes) => call(store.read(key, maxBytes)),
      write: (key, object) => call(store.write(key, object))
    } satisfies ObjectStore
  }
}

const sequenceOf = (bytes: Uint8Array | undefined) => parsed(gunzipSync(bytes ?? "")) as { _holdfast: Row }

const x = table("/x")
const histories = [
  { name: "other contents", raws: [table("/1"), table("/2"), table("/3")] },
  { name: "the first content comes back", raws: [x, table("/2"), x] },
  { name: "all of one content", raws: [x, x, x] }
] as const

/** The first lies there; the second is being exported when the third comes. */
const play = Effect.fnUntraced(function* (
  raws: readonly [Row, Row, Row],
  tags: "content" | "generation",
  stop: number,
  when: "before" | "after"
) {
  const bucket = make({ tags })
  yield* (yield* startExporter(bucket.client())).give(configOf(1, { raw: raws[0] }))
  const slow = stoppedAt(bucket.client(), stop, when)
  const exporter = yield* startExporter(slow.store)
  yield* exporter.give(configOf(2, { raw: raws[1] }))
  yield* (yield* startExporter(bucket.client())).give(configOf(3, { raw: raws[2] }))
  for (let n = 0; n < 10; n++) yield* Effect.andThen(TestClock.adjust(1_000), settle)
  for (const key of ["3.9.0.0/envelope.json.gz", "latest.json.gz"])
    assert.strictEqual(sequenceOf(bucket.hand.get(key))._holdfast.sequence, 3, `${key}, stopped ${when} call ${stop}`)
  assert.deepEqual(parsed(bucket.hand.get("3.9.0.0/config.json")), raws[2], `config.json, stopped ${when} call ${stop}`)
  return slow.count()
})

describe("an exporter that is stopped at any of its calls while another one exports something newer", () => {
  for (const { name, raws } of histories)
    for (const tags of ["content", "generation"] as const)
      it.effect(`leaves the newer one everywhere: ${name}, tags by ${tags}`, () =>
        Effect.gen(function* () {
          for (const when of ["before", "after"] as const) {
            let isReached = true
            let stop = 0
            while (isReached) isReached = (yield* Effect.scoped(play(raws, tags, ++stop, when))) >= stop
            assert.isAbove(stop, 9, "it has so many calls")
          }
        })
      )
})
