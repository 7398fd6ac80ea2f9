/** What can't be written down, and why (`docs/cache-file.md`, "What is checked"): nothing is written that nobody would read. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { describeTable } from "../../src/model/TableContent.ts"
import { Compression } from "../../src/services/Compression.ts"
import { ConfigCodec } from "../../src/services/ConfigCodec.ts"
import { makeConfigEncoding } from "../../src/services/ConfigEncoding.ts"
import { settingsLayer } from "../support/settings.ts"
import { snapshotOf, table } from "../support/tables.ts"

const snapshot = snapshotOf(table("/a"))

const encodingOf = (maxBytes: number, describe = describeTable) => {
  const gzips: Array<Uint8Array> = []
  const compression = Layer.succeed(Compression, {
    gzip: (bytes) =>
      Effect.as(
        Effect.sync(() => gzips.push(bytes)),
        bytes
      ),
    gunzip: Effect.succeed
  })
  const codec = Layer.effect(
    ConfigCodec,
    Effect.map(ConfigCodec, (given) => ({ ...given, describeTable: describe }))
  )
  return makeConfigEncoding(maxBytes).pipe(
    Effect.map(({ encoded }) => ({ encoded, gzips })),
    Effect.provide([compression, codec, settingsLayer({ kong_version: "3.9.1" })])
  )
}

describe("a configuration written down", () => {
  it.effect("is as large as it may be, and no larger", () =>
    Effect.gen(function* () {
      const { length } = yield* (yield* encodingOf(Number.POSITIVE_INFINITY)).encoded(snapshot)
      assert.lengthOf(yield* (yield* encodingOf(length)).encoded(snapshot), length)
      const { message, code } = yield* Effect.flip((yield* encodingOf(length - 1)).encoded(snapshot))
      assert.deepEqual({ message, code }, { message: `expected at most ${length - 1} bytes of JSON`, code: undefined })
    })
  )

  it.effect("says what was wrong when it can't be made", () =>
    Effect.gen(function* () {
      const { encoded } = yield* encodingOf(Number.POSITIVE_INFINITY, () => {
        throw new Error("too deep")
      })
      assert.strictEqual((yield* Effect.flip(encoded(snapshot))).message, "can't be processed (too deep)")
    })
  )

  it.effect(
    "is made once, whoever asks, and names the gateway version that it was written for (resilience.md §5.3)",
    () =>
      Effect.gen(function* () {
        const { encoded, gzips } = yield* encodingOf(Number.POSITIVE_INFINITY)
        const first = yield* encoded(snapshot)
        assert.strictEqual(yield* encoded(snapshot), first)
        assert.lengthOf(gzips, 1)
        assert.strictEqual(JSON.parse(new TextDecoder().decode(first))._holdfast.gateway_version, "3.9.1.0")
      })
  )
})
