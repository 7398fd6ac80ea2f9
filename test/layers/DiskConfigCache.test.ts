import { chmod, mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { gunzipSync, gzipSync } from "node:zlib"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Option } from "effect"
import * as DiskConfigCache from "../../src/layers/DiskConfigCache.ts"
import * as ZlibCompression from "../../src/layers/ZlibCompression.ts"
import { hashTable } from "../../src/model/ConfigHash.ts"
import { emptyTable } from "../../src/model/ConfigTable.ts"
import type { Row } from "../../src/model/Entity.ts"
import type { Snapshot } from "../../src/model/Snapshot.ts"
import { ConfigCache } from "../../src/services/ConfigCache.ts"
import { temporaryFolder } from "../support/folder.ts"
import { settingsLayer } from "../support/settings.ts"
import { deepText, table } from "../support/tables.ts"

const snapshot = (raw: Row, hash: string): Snapshot => ({
  raw,
  hash,
  table: emptyTable,
  source: "control_plane",
  receivedAtMs: 1_700_000_000_123,
  notServed: []
})

const withCache = <A, E>(test: (prefix: string, cache: ConfigCache["Service"]) => Effect.Effect<A, E>) =>
  Effect.gen(function* () {
    const prefix = join(yield* temporaryFolder, "prefix")
    const layer = DiskConfigCache.layer.pipe(
      Layer.provide(ZlibCompression.layer),
      Layer.provide(settingsLayer({ prefix }))
    )
    const cache = yield* ConfigCache.pipe(Effect.provide(layer))
    return yield* test(prefix, cache)
  })

const fileOf = (prefix: string) => join(prefix, "config.json.gz")
const put = (prefix: string, bytes: Uint8Array, name = "config.json.gz") =>
  Effect.promise(async () => {
    await mkdir(prefix, { recursive: true })
    await writeFile(join(prefix, name), bytes)
  })
const hash = "0123456789abcdef0123456789abcdef"

describe("the cache on disk", () => {
  it.live("reads back what it wrote, under the control plane's own hash, after any number of writes", () =>
    withCache((_, cache) =>
      Effect.gen(function* () {
        for (const path of ["/a", "/b", "/ü"]) {
          yield* cache.write(snapshot(table(path), hash))
          const offer = Option.getOrThrow(yield* cache.read)
          assert.deepEqual(offer, { raw: table(path), hash, receivedAtMs: 1_700_000_000_123, source: "disk" })
        }
      })
    )
  )

  it.live("is the config table itself, for zcat and jq, readable by its owner alone", () =>
    withCache((prefix, cache) =>
      Effect.gen(function* () {
        yield* cache.write(snapshot(table(), hash))
        const { _holdfast, ...content } = JSON.parse(
          gunzipSync(yield* Effect.promise(() => readFile(fileOf(prefix)))).toString()
        )
        assert.deepEqual(content, table())
        assert.strictEqual(_holdfast.hash, hash)
        assert.strictEqual((yield* Effect.promise(() => stat(fileOf(prefix)))).mode & 0o777, 0o600)
        assert.deepEqual(yield* Effect.promise(() => readdir(prefix)), ["config.json.gz"])
      })
    )
  )

  it.live("has nothing when there is no file: a deleted cache means an empty start", () =>
    withCache((prefix, cache) =>
      Effect.gen(function* () {
        assert.isTrue(Option.isNone(yield* cache.read))
        yield* put(prefix, new Uint8Array(), "config.json.gz.new")
        assert.isTrue(Option.isNone(yield* cache.read))
      })
    )
  )

  it.live("accepts a table without provenance, and a copy of Kong 2.x under its former name", () =>
    withCache((prefix, cache) =>
      Effect.gen(function* () {
        yield* put(prefix, gzipSync(JSON.stringify(table("/former"))), "config.cache.json.gz")
        const offer = Option.getOrThrow(yield* cache.read)
        assert.deepEqual(offer.raw, table("/former"))
        assert.strictEqual(offer.hash, hashTable(table("/former")).config)
      })
    )
  )

  it.live("no longer believes the control plane's hash of a file that a person has changed", () =>
    withCache((prefix, cache) =>
      Effect.gen(function* () {
        yield* cache.write(snapshot(table("/a"), hash))
        const kept = JSON.parse(gunzipSync(yield* Effect.promise(() => readFile(fileOf(prefix)))).toString())
        kept.routes[0].paths = ["/by-hand"]
        yield* put(prefix, gzipSync(JSON.stringify(kept)))
        const offer = Option.getOrThrow(yield* cache.read)
        assert.strictEqual(offer.hash, hashTable(table("/by-hand")).config)
      })
    )
  )

  it.live("notices edits to which the wire's own hash is blind (hybrid-protocol-v1.md §5)", () =>
    withCache((prefix, cache) =>
      Effect.gen(function* () {
        const edits: ReadonlyArray<readonly [Row, Row]> = [
          [{ services: [{ port: 80 }] }, { services: [{ port: "80" }] }],
          [{ routes: [{ paths: ["/a", "/b"] }] }, { routes: [{ paths: ["/a;/b"] }] }]
        ]
        for (const [before, after] of edits) {
          const computed = hashTable(after).config
          assert.strictEqual(hashTable(before).config, computed)
          for (const given of [hash, computed]) {
            yield* cache.write(snapshot(before, given))
            const { _holdfast } = JSON.parse(
              gunzipSync(yield* Effect.promise(() => readFile(fileOf(prefix)))).toString()
            )
            yield* put(prefix, gzipSync(JSON.stringify({ ...after, _holdfast })))
            const offer = Option.getOrThrow(yield* cache.read)
            assert.notStrictEqual(offer.hash, given)
            assert.match(offer.hash ?? "", /^[0-9a-f]{32}$/)
          }
        }
      })
    )
  )

  it.live("believes the control plane's hash of a table that came with provenance of another node", () =>
    withCache((_, cache) =>
      Effect.gen(function* () {
        yield* cache.write(snapshot({ ...table(), _holdfast: { hash: "of another" } }, hash))
        assert.deepInclude(Option.getOrThrow(yield* cache.read), { raw: table(), hash })
      })
    )
  )

  it.live("takes a file of a former version, whose content went by the wire's hash, for a changed one", () =>
    withCache((prefix, cache) =>
      Effect.gen(function* () {
        const computed = hashTable(table()).config
        const _holdfast = { hash, table_hash: computed, received_at_ms: 7 }
        yield* put(prefix, gzipSync(JSON.stringify({ ...table(), _holdfast })))
        const offer = Option.getOrThrow(yield* cache.read)
        assert.deepEqual(offer, { raw: table(), hash: computed, receivedAtMs: 7, source: "disk" })
      })
    )
  )

  it.live("says what is wrong with a file that is empty, cut short, foreign or no table", () =>
    withCache((prefix, cache) =>
      Effect.gen(function* () {
        const whole = gzipSync(JSON.stringify(table()))
        const cases: ReadonlyArray<readonly [Uint8Array, RegExp]> = [
          [new Uint8Array(), /expected gzip/],
          [whole.subarray(0, whole.length - 20), /expected gzip/],
          [Buffer.from("PK\u0003\u0004 not ours"), /expected gzip/],
          [gzipSync("[1,2]"), /expected a config table/],
          [gzipSync("{"), /expected a config table/],
          [gzipSync(`{"_format_version":"3.0","x":${deepText}}`), /can't be processed \(.*call stack/]
        ]
        for (const [bytes, expected] of cases) {
          yield* put(prefix, bytes)
          const error = yield* Effect.flip(cache.read)
          assert.match(error.message, expected)
          assert.strictEqual(error.file, fileOf(prefix))
        }
      })
    )
  )

  it.live("knows what others wrote from what it wrote or read itself, by content alone (resilience.md §4)", () =>
    withCache((prefix, cache) =>
      Effect.gen(function* () {
        const { byHand } = cache
        assert(byHand !== undefined)
        assert.strictEqual(yield* byHand.state, "absent")
        yield* cache.write(snapshot(table("/a"), hash))
        assert.strictEqual(yield* byHand.state, "own")
        const own = yield* Effect.promise(() => readFile(fileOf(prefix)))
        yield* put(prefix, gzipSync(JSON.stringify(table("/b"))))
        assert.strictEqual(yield* byHand.state, "foreign")
        yield* put(prefix, own)
        assert.strictEqual(yield* byHand.state, "own")
        yield* put(prefix, gzipSync(JSON.stringify(table("/b"))))
        assert.deepEqual(Option.getOrThrow(yield* byHand.read).raw, table("/b"))
        assert.strictEqual(yield* byHand.state, "known")
        yield* put(prefix, new Uint8Array([1]))
        assert.match((yield* Effect.flip(byHand.read)).message, /expected gzip/)
        assert.strictEqual(yield* byHand.state, "known")
        yield* cache.write(snapshot(table("/a"), hash))
        assert.strictEqual(yield* byHand.state, "own")
        assert.deepEqual(yield* Effect.promise(() => readdir(prefix)), ["config.json.gz"])
      })
    )
  )

  it.live("leaves the former file whole when it can't write, and mends the mode of a left-over", () =>
    withCache((prefix, cache) =>
      Effect.gen(function* () {
        yield* cache.write(snapshot(table("/a"), hash))
        yield* Effect.promise(() => mkdir(join(prefix, "config.json.gz.new")))
        const error = yield* Effect.flip(cache.write(snapshot(table("/b"), hash)))
        assert.strictEqual(error.operation, "write")
        assert.deepEqual(Option.getOrThrow(yield* cache.read).raw, table("/a"))
      })
    )
  )

  it.live("says that it can't write what can't be processed", () =>
    withCache((prefix, cache) =>
      Effect.gen(function* () {
        yield* cache.write(snapshot(table("/a"), hash))
        const error = yield* Effect.flip(cache.write(snapshot({ ...table("/b"), x: JSON.parse(deepText) }, hash)))
        assert.strictEqual(error.operation, "write")
        assert.match(error.message, /can't be processed/)
        assert.deepEqual(Option.getOrThrow(yield* cache.read).raw, table("/a"))
        assert.deepEqual(yield* Effect.promise(() => readdir(prefix)), ["config.json.gz"])
      })
    )
  )

  it.live("does not keep the mode of a file that a crash left behind", () =>
    withCache((prefix, cache) =>
      Effect.gen(function* () {
        yield* put(prefix, new Uint8Array(100), "config.json.gz.new")
        yield* Effect.promise(() => chmod(join(prefix, "config.json.gz.new"), 0o644))
        yield* cache.write(snapshot(table("/a"), hash))
        assert.strictEqual((yield* Effect.promise(() => stat(fileOf(prefix)))).mode & 0o777, 0o600)
      })
    )
  )
})
