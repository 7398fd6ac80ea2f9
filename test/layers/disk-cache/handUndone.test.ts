/** A person's change and its undoing: both are changes by hand (`resilience.md` §4, `docs/life-of-a-node.md` "Changed by hand"). */
import { readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Logger } from "effect"
import type { WritableRung } from "../../../src/services/ConfigCache.ts"
import { fileIn, plainFile, startCache } from "../../support/diskCache.ts"
import { temporaryFolder } from "../../support/folder.ts"
import { snapshotOf, table } from "../../support/tables.ts"

const withCache = <A, E>(test: (file: string, cache: WritableRung) => Effect.Effect<A, E>) =>
  Effect.gen(function* () {
    const prefix = join(yield* temporaryFolder, "prefix")
    return yield* test(fileIn(prefix), yield* startCache(prefix))
  }).pipe(Effect.provide(Logger.layer([])))

const put = (file: string, bytes: Uint8Array) => Effect.promise(() => writeFile(file, bytes))

const stateOf = ({ byHand }: WritableRung) => byHand?.state ?? Effect.die("a cache that nobody changes")

const serveByHand = Effect.fnUntraced(function* ({ byHand }: WritableRung) {
  const answer = yield* byHand?.offer ?? Effect.die("a cache that nobody changes")
  assert(answer._tag === "Candidate")
  yield* answer.served
})

describe("the current file, changed by hand and back", () => {
  it.live("is changed when the node's own file is put back in the place of what serves", () =>
    withCache((file, cache) =>
      Effect.gen(function* () {
        yield* cache.write(snapshotOf(table("/a"), "a".repeat(32)))
        const backup = yield* Effect.promise(() => readFile(file))
        yield* put(file, plainFile(table("/hand")))
        yield* serveByHand(cache)
        yield* put(file, backup)
        assert.strictEqual(yield* stateOf(cache), "foreign")
      })
    )
  )

  it.live("is changed when a person puts the same file there again, after the node wrote another", () =>
    withCache((file, cache) =>
      Effect.gen(function* () {
        const hand = plainFile(table("/hand"))
        yield* cache.write(snapshotOf(table("/a"), "a".repeat(32)))
        yield* put(file, hand)
        yield* serveByHand(cache)
        yield* cache.write(snapshotOf(table("/b"), "b".repeat(32)))
        yield* put(file, hand)
        assert.strictEqual(yield* stateOf(cache), "foreign")
      })
    )
  )
})
