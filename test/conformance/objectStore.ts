/**
 * What every ObjectStore keeps (`src/services/ObjectStore.ts`, reference `resilience.md` §5), whatever it is made of: the
 * twin's tests, each layer's and those against real servers run this suite.
 */
import { gzipSync } from "node:zlib"
import { assert, describe, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import type { Expectation, ObjectStore, ObjectStoreError } from "../../src/services/ObjectStore.ts"
import { bytesOf } from "./disk.ts"

/** Another client of the same bucket; what was written below one prefix stays from test to test. */
export type OpenStore = (prefix: string) => Effect.Effect<ObjectStore, never, Scope.Scope>

const json = "application/json"
const anything: Expectation = { _tag: "Anything" }
const nothing: Expectation = { _tag: "Nothing" }
const unchanged = (tag: string): Expectation => ({ _tag: "Unchanged", tag })

const maxBytes = 10_000_000

const put = (store: ObjectStore, key: string, text: string, expects: Expectation = anything) =>
  store.write(key, { bytes: bytesOf(text), contentType: json, expects })

export const textAt = (store: ObjectStore, key: string) =>
  Effect.map(store.read(key, maxBytes), (found) => found && new TextDecoder().decode(found.bytes))

export const troubleOf = <A>(call: Effect.Effect<A, ObjectStoreError>) =>
  Effect.match(call, { onFailure: ({ trouble }) => trouble, onSuccess: () => "done" as const })

/** Of a call that has to fail. */
export const failureOf = <A>(call: Effect.Effect<A, ObjectStoreError>): Effect.Effect<ObjectStoreError> =>
  Effect.orDie(Effect.flip(call))

/** Every byte there is, and none of the texts that a client might take for one. */
const allBytes = (count: number): Uint8Array =>
  Uint8Array.from({ length: count }, (_, at) => (at * 7 + (at >> 8)) % 256)

const same = (found: Uint8Array | undefined, wanted: Uint8Array) =>
  assert.isTrue(found !== undefined && Buffer.from(found).equals(wanted), "the bytes are not those that were written")

export const objectStoreConformance = (
  name: string,
  open: OpenStore,
  { writers = 8 }: { readonly writers?: number } = {}
): void => {
  let prefixes = 0
  const freshPrefix = () => `conformance-${process.pid}-${Date.now()}/${++prefixes}`

  const test = (
    says: string,
    body: (store: ObjectStore, prefix: string) => Effect.Effect<void, ObjectStoreError, Scope.Scope>
  ) =>
    it.live(says, () => {
      const prefix = freshPrefix()
      return Effect.flatMap(open(prefix), (store) => body(store, prefix))
    })

  describe(`${name} is an ObjectStore`, () => {
    test("has nothing under a key that nobody wrote", (store) =>
      Effect.gen(function* () {
        assert.isUndefined(yield* store.read("absent", maxBytes))
        assert.isUndefined(yield* store.read("deeper/down/absent", maxBytes))
      }))

    test("gives back what was written, byte for byte: gzip, every byte, many and none", (store) =>
      Effect.gen(function* () {
        const contents: Readonly<Record<string, [bytes: Uint8Array, contentType: string]>> = {
          text: [bytesOf('{"é":1}'), json],
          // Neither the store nor its client opens it.
          gzip: [gzipSync(allBytes(20_000)), "application/gzip"],
          bytes: [allBytes(65_537), "application/octet-stream"],
          large: [allBytes(3_000_001), "application/octet-stream"],
          empty: [new Uint8Array(), json]
        }
        for (const [key, [bytes, contentType]] of Object.entries(contents)) {
          const tag = yield* store.write(key, { bytes, contentType, expects: anything })
          const found = yield* store.read(key, maxBytes)
          same(found?.bytes, bytes)
          assert.strictEqual(found?.tag, tag, `the tag of ${key}`)
        }
      }))

    test("takes a part of a larger array for what it is, and keeps no hold of it", (store) =>
      Effect.gen(function* () {
        const larger = allBytes(100)
        yield* store.write("part", { bytes: larger.subarray(10, 20), contentType: json, expects: anything })
        larger.fill(0)
        same((yield* store.read("part", maxBytes))?.bytes, allBytes(100).subarray(10, 20))
        assert.lengthOf(larger, 100, "the caller's bytes stay with the caller")
      }))

    test("tells different contents apart by their tags, and every client the same", (store, prefix) =>
      Effect.gen(function* () {
        const first = yield* put(store, "a", "one")
        const second = yield* put(store, "a", "two")
        assert.isNotEmpty(first)
        assert.notStrictEqual(first, second)
        const other = yield* open(prefix)
        assert.strictEqual((yield* other.read("a", maxBytes))?.tag, second)
        assert.strictEqual(yield* textAt(other, "a"), "two")
      }))

    test("writes where nothing is expected and nothing is, and only there", (store, prefix) =>
      Effect.gen(function* () {
        yield* put(store, "a", "one", nothing)
        assert.strictEqual(yield* troubleOf(put(yield* open(prefix), "a", "two", nothing)), "conflict")
        assert.strictEqual(yield* textAt(store, "a"), "one")
      }))

    test("writes over what was read, and not over what came since", (store, prefix) =>
      Effect.gen(function* () {
        const first = yield* put(store, "a", "one", nothing)
        const second = yield* put(store, "a", "two", unchanged(first))
        assert.strictEqual(yield* troubleOf(put(yield* open(prefix), "a", "stale", unchanged(first))), "conflict")
        assert.strictEqual(yield* textAt(store, "a"), "two")
        yield* put(store, "a", "three", unchanged(second))
        assert.strictEqual(yield* textAt(store, "a"), "three")
      }))

    test("has a conflict where something is expected and nothing is", (store) =>
      Effect.gen(function* () {
        const tag = yield* put(store, "a", "one")
        assert.strictEqual(yield* troubleOf(put(store, "b", "two", unchanged(tag))), "conflict")
        assert.isUndefined(yield* store.read("b", maxBytes))
      }))

    test("writes over anything where anything is expected", (store) =>
      Effect.gen(function* () {
        for (const text of ["one", "a longer text", "3"]) yield* put(store, "a", text)
        assert.strictEqual(yield* textAt(store, "a"), "3")
      }))

    test("lets exactly one of many writers win, and tells the others so", (store, prefix) =>
      Effect.gen(function* () {
        const clients = yield* Effect.forEach([...Array(writers).keys()], () => open(prefix))
        // Never the same bytes twice: what is equal may have the same tag.
        const textOf = (round: number, n: number) => `round ${round}, writer ${n}`
        const race = (round: number, expects: Expectation) =>
          Effect.forEach(clients, (client, n) => troubleOf(put(client, "a", textOf(round, n), expects)), {
            concurrency: "unbounded"
          })
        let expects: Expectation = nothing
        for (let round = 0; round < 3; round++) {
          const outcomes = yield* race(round, expects)
          assert.deepStrictEqual([...outcomes].sort(), [...Array(writers - 1).fill("conflict"), "done"])
          const found = yield* store.read("a", maxBytes)
          assert.strictEqual(new TextDecoder().decode(found?.bytes), textOf(round, outcomes.indexOf("done")))
          expects = unchanged(found?.tag ?? "")
        }
      }))

    test("reads up to a limit, and nothing beyond it", (store) =>
      Effect.gen(function* () {
        yield* put(store, "a", "12345")
        assert.strictEqual((yield* store.read("a", 5))?.bytes.length, 5)
        const error = yield* failureOf(store.read("a", 4))
        assert.deepInclude(error, { trouble: "tooLarge", operation: "read", key: "a" })
        assert.isNotEmpty(error.message)
      }))

    test("keeps keys apart: with slashes, dots and signs, and one below another", (store) =>
      Effect.gen(function* () {
        const keys = ["3.9.0.1/config.json", "3.9.0.1/config.json.gz", "v=1/a+b/c d/e~f", "3.9.0.2/config.json"]
        for (const key of keys) yield* put(store, key, key, nothing)
        for (const key of keys) assert.strictEqual(yield* textAt(store, key), key)
        assert.isUndefined(yield* store.read("3.9.0.1", maxBytes))
      }))

    test("does not show what lies below another prefix", (store, prefix) =>
      Effect.gen(function* () {
        yield* put(store, "a", "here")
        const [beside, below] = [yield* open(`${prefix}x`), yield* open(`${prefix}/b`)]
        assert.isUndefined(yield* beside.read("a", maxBytes))
        assert.isUndefined(yield* below.read("a", maxBytes))
        yield* put(beside, "a", "there", nothing)
        assert.strictEqual(yield* textAt(store, "a"), "here")
      }))
  })
}
