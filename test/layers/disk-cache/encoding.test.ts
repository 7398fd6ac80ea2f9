/** What can't become a cache file, and why (`docs/cache-file.md`, "What is checked"): nothing is written that no start would read. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { makeEncoding } from "../../../src/layers/disk-cache/encoding.ts"
import { describeTable } from "../../../src/model/TableContent.ts"
import { snapshotOf, table } from "../../support/tables.ts"

const compression = { gzip: Effect.succeed, gunzip: Effect.succeed }
const snapshot = snapshotOf(table("/a"))

const encodingOf = (maxBytes: number, describe = describeTable) =>
  makeEncoding({ compression, describeTable: describe, file: "/p/config.json.gz", maxBytes })

const errorOf = Effect.fnUntraced(function* (encoding: ReturnType<typeof makeEncoding>) {
  const { operation, file, message, code } = yield* Effect.flip(encoding.encoded(snapshot))
  return { operation, file, message, code }
})

const blamed = { operation: "write", file: "/p/config.json.gz", code: undefined } as const

describe("the text of a configuration", () => {
  it.effect("is as large as it may be, and no larger", () =>
    Effect.gen(function* () {
      const { length } = yield* encodingOf(Number.POSITIVE_INFINITY).encoded(snapshot)
      assert.lengthOf(yield* encodingOf(length).encoded(snapshot), length)
      assert.deepEqual(yield* errorOf(encodingOf(length - 1)), {
        ...blamed,
        message: `expected at most ${length - 1} bytes of JSON`
      })
    })
  )

  it.effect("says what was wrong when it can't be made", () =>
    Effect.gen(function* () {
      const encoding = encodingOf(Number.POSITIVE_INFINITY, () => {
        throw new Error("too deep")
      })
      assert.deepEqual(yield* errorOf(encoding), { ...blamed, message: "can't be processed (too deep)" })
    })
  )
})
