/** The cache as a person meets it: `resilience.md` §2 and §4, `DESIGN.md` "The surface". Real files throughout. */
import { chmod, link, mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { gzipSync } from "node:zlib"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Logger } from "effect"
import { hashTable } from "../../../src/model/ConfigHash.ts"
import type { Row } from "../../../src/model/Entity.ts"
import { describeTable } from "../../../src/model/TableContent.ts"
import { version } from "../../../src/model/version.ts"
import type { WritableRung } from "../../../src/services/ConfigCache.ts"
import { ConfigRejected, type Offer } from "../../../src/services/LiveConfig.ts"
import type { Candidate, RungAnswer } from "../../../src/services/Rung.ts"
import { contentOf, fileIn, plainFile, startCache } from "../../support/diskCache.ts"
import { temporaryFolder } from "../../support/folder.ts"
import { deepText, snapshotOf, table } from "../../support/tables.ts"

const hash = "0123456789abcdef0123456789abcdef"

const withCache = <A, E>(test: (prefix: string, cache: WritableRung) => Effect.Effect<A, E>) =>
  Effect.gen(function* () {
    const prefix = join(yield* temporaryFolder, "prefix")
    return yield* test(prefix, yield* startCache(prefix))
  }).pipe(Effect.provide(Logger.layer([])))

const put = (prefix: string, bytes: Uint8Array | string, name = "config.json.gz") =>
  Effect.promise(async () => {
    await mkdir(prefix, { recursive: true })
    await writeFile(join(prefix, name), bytes)
  })

const content = (path: string) =>
  Effect.map(
    Effect.promise(() => readFile(path)),
    contentOf
  )
const names = (folder: string) =>
  Effect.promise(async () => {
    try {
      return (await readdir(folder)).sort()
    } catch {
      return []
    }
  })

const candidate = (answer: RungAnswer): Candidate => {
  assert(answer._tag === "Candidate", JSON.stringify(answer))
  return answer
}

const offered = (cache: WritableRung): Effect.Effect<Offer> =>
  Effect.map(cache.offer, (answer) => candidate(answer).offer)

/** What it has, and what becomes of the rest once that serves. */
const serve = (cache: WritableRung) => Effect.flatMap(cache.offer, (answer) => candidate(answer).served)

const refusal = new ConfigRejected({
  source: "disk",
  hash: undefined,
  stage: "schema",
  faults: [{ path: ["services", 0, "port"], message: "expected a port" }]
})

/** Goes on until there is something or nothing. */
const settle = Effect.fnUntraced(function* (first: RungAnswer) {
  const stages: Array<string> = []
  let answer = first
  while (answer._tag === "Unusable") {
    stages.push(answer.stage)
    answer = yield* answer.next
  }
  return { stages, answer }
})

describe("the cache on disk", () => {
  it.live("reads back what it wrote, under the control plane's own hash, after any number of writes", () =>
    withCache((prefix, cache) =>
      Effect.gen(function* () {
        for (const path of ["/a", "/b", "/ü"]) {
          yield* cache.write({ ...snapshotOf(table(path), hash), epoch: "e", sequence: 7 })
          assert.deepEqual(yield* offered(cache), {
            raw: table(path),
            hash,
            sha256: describeTable(table(path)).sha256,
            epoch: "e",
            sequence: 7,
            receivedAtMs: 1_700_000_000_123,
            source: "disk",
            place: fileIn(prefix)
          })
        }
      })
    )
  )

  it.live("is the config table itself, for zcat and jq, with its provenance, readable by its owner alone", () =>
    withCache((prefix, cache) =>
      Effect.gen(function* () {
        yield* cache.write(snapshotOf(table(), hash))
        const { _holdfast, ...raw } = yield* content(fileIn(prefix))
        assert.deepEqual(raw, table())
        assert.deepInclude(_holdfast, {
          format: 3,
          hash,
          source: "control_plane",
          received_at: "2023-11-14T22:13:20.123Z",
          written_by: version
        })
        assert.strictEqual((yield* Effect.promise(() => stat(fileIn(prefix)))).mode & 0o777, 0o600)
        assert.deepEqual(yield* names(prefix), ["config.json.gz"])
      })
    )
  )

  it.live("has nothing when there is no file: a deleted cache means an empty start", () =>
    withCache((prefix, cache) =>
      Effect.gen(function* () {
        assert.strictEqual((yield* cache.offer)._tag, "Nothing")
        yield* put(prefix, "", "config.json.gz.new")
        assert.strictEqual((yield* cache.offer)._tag, "Nothing")
      })
    )
  )

  it.live("accepts a table without provenance, and a copy of Kong 2.x under its former name", () =>
    withCache((prefix, cache) =>
      Effect.gen(function* () {
        yield* put(prefix, plainFile(table("/former")), "config.cache.json.gz")
        const offer = yield* offered(cache)
        assert.deepEqual(offer.raw, table("/former"))
        assert.strictEqual(offer.hash, hashTable(table("/former")).config)
        yield* put(prefix, "torn", "config.cache.json.gz")
        assert.deepInclude(yield* settle(yield* cache.offer), { stages: ["gzip"] })
        assert.deepEqual(yield* names(prefix), ["quarantine"])
      })
    )
  )

  it.live("does not mind another order of keys, other spaces, another level of gzip", () =>
    withCache((prefix, cache) =>
      Effect.gen(function* () {
        yield* cache.write(snapshotOf(table("/a"), hash))
        const { _holdfast, ...raw } = yield* content(fileIn(prefix))
        const reordered = { _holdfast, ...Object.fromEntries(Object.entries(raw).reverse()) }
        yield* put(prefix, gzipSync(JSON.stringify(reordered, null, 4), { level: 9 }))
        assert.strictEqual((yield* offered(cache)).hash, hash)
      })
    )
  )

  it.live("refuses an edit that left the provenance in, names the command that mends it, and loses nothing", () =>
    withCache((prefix, cache) =>
      Effect.gen(function* () {
        yield* cache.write(snapshotOf(table("/a"), hash))
        const kept = yield* content(fileIn(prefix))
        const edited = gzipSync(JSON.stringify({ ...kept, routes: table("/by-hand").routes }))
        yield* put(prefix, edited)
        const answer = yield* cache.offer
        assert(answer._tag === "Unusable")
        assert.strictEqual(answer.stage, "digest")
        assert.strictEqual(answer.faults[0]?.place, fileIn(prefix))
        assert.match(answer.faults[0]?.message ?? "", /holdfast config seal FILE/)
        assert.strictEqual((yield* answer.next)._tag, "Nothing")
        const [file = "", reasons = ""] = yield* names(join(prefix, "quarantine"))
        assert.deepEqual(yield* Effect.promise(() => readFile(join(prefix, "quarantine", file))), edited)
        const text = yield* Effect.promise(() => readFile(join(prefix, "quarantine", reasons), "utf8"))
        assert.match(text, /config\.json\.gz, refused at \d{4}-.*, step digest:\n.*SHA-256.*\n$/)
        assert.deepEqual(yield* names(prefix), ["quarantine"])
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
          assert.strictEqual(hashTable(before).config, hashTable(after).config)
          yield* cache.write(snapshotOf(before, hash))
          const { _holdfast } = yield* content(fileIn(prefix))
          yield* put(prefix, gzipSync(JSON.stringify({ ...after, _holdfast })))
          assert.deepInclude(yield* cache.offer, { _tag: "Unusable", stage: "digest" })
        }
      })
    )
  )

  it.live("believes the control plane's hash of a table that came with provenance of another node", () =>
    withCache((_, cache) =>
      Effect.gen(function* () {
        yield* cache.write(snapshotOf({ ...table(), _holdfast: { hash: "of another" } }, hash))
        assert.deepInclude(yield* offered(cache), { raw: table(), hash })
      })
    )
  )

  it.live("says at which step a file is refused, and moves it out of the way with the reason", () =>
    withCache((prefix, cache) =>
      Effect.gen(function* () {
        const whole = plainFile(table())
        const cases: ReadonlyArray<readonly [Uint8Array, string, RegExp]> = [
          [new Uint8Array(), "gzip", /expected gzip/],
          [whole.subarray(0, whole.length - 20), "gzip", /expected gzip/],
          [Buffer.from("PK\u0003\u0004 not ours"), "gzip", /expected gzip/],
          [gzipSync("[1,2]"), "json", /expected a config table/],
          [gzipSync("{"), "json", /expected a config table/],
          [
            gzipSync(`{"_format_version":"3.0","_holdfast":{"sha256":"x"},"x":${deepText}}`),
            "json",
            /can't be processed/
          ]
        ]
        for (const [index, [bytes, stage, expected]] of cases.entries()) {
          yield* put(prefix, bytes)
          const answer = yield* cache.offer
          assert(answer._tag === "Unusable")
          assert.deepEqual([answer.stage, answer.faults[0]?.place], [stage, fileIn(prefix)])
          assert.match(answer.faults[0]?.message ?? "", expected)
          const end = yield* answer.next
          assert.deepInclude(end, { _tag: "Nothing" })
          assert.deepEqual(yield* names(prefix), ["quarantine"])
          assert.lengthOf(yield* names(join(prefix, "quarantine")), 2 * (index + 1))
        }
      })
    )
  )

  it.live("puts the same content into quarantine once, and keeps the ten newest", () =>
    withCache((prefix, cache) =>
      Effect.gen(function* () {
        const quarantine = join(prefix, "quarantine")
        for (const text of ["same", "same", ...Array.from({ length: 12 }, (_, n) => `other ${n}`)]) {
          yield* put(prefix, text)
          yield* settle(yield* cache.offer)
        }
        const left = yield* names(quarantine)
        assert.lengthOf(left, 20)
        const oldest = yield* Effect.promise(() => readFile(join(quarantine, left[0] ?? ""), "utf8"))
        assert.strictEqual(oldest, "other 2")
        assert.match(left[0] ?? "", /^000004-[0-9a-f]{12}\.json\.gz$/)
        const mode = (yield* Effect.promise(() => stat(join(quarantine, left[0] ?? "")))).mode & 0o777
        assert.isTrue(mode === 0o600 || mode === 0o644, "moved as it was")
      })
    )
  )

  it.live("leaves alone what it can't read here and now, and asks what is older", () =>
    withCache((prefix, cache) =>
      Effect.gen(function* () {
        for (const path of ["/a", "/b"]) yield* cache.write(snapshotOf(table(path)))
        yield* Effect.promise(async () => {
          await rm(fileIn(prefix))
          await mkdir(fileIn(prefix))
        })
        const { stages, answer } = yield* settle(yield* cache.offer)
        assert.deepEqual(stages, ["read"])
        assert.deepEqual(candidate(answer).offer.raw, table("/a"))
        yield* candidate(answer).served
        assert.deepEqual(yield* names(prefix), ["config.json.gz", "generations"])
        assert.lengthOf(yield* names(join(prefix, "generations")), 1)
        const error = yield* Effect.flip(cache.write(snapshotOf(table("/c"))))
        assert.match(error.code ?? "", /EISDIR|ENOTEMPTY|EEXIST|EPERM/)
      })
    )
  )

  it.live("is not used at all when config_sources leaves it out", () =>
    Effect.gen(function* () {
      const prefix = yield* temporaryFolder
      yield* put(prefix, plainFile(table()))
      const cache = yield* startCache(prefix, { config_sources: "control_plane, declarative_file" })
      yield* cache.write(snapshotOf(table("/b")))
      assert.deepEqual(yield* content(fileIn(prefix)), table())
      assert.isUndefined(cache.byHand)
    })
  )
})

describe("files of other versions", () => {
  const written = (provenance: Row, raw: Row = table()) => gzipSync(JSON.stringify({ ...raw, _holdfast: provenance }))

  it.live("serves a newer version's file that readers of this one understand", () =>
    withCache((prefix, cache) =>
      Effect.gen(function* () {
        yield* put(prefix, written({ format: 9, readable_by: 2, written_by: "9.0.0", hash }))
        assert.deepEqual((yield* offered(cache)).raw, table())
      })
    )
  )

  it.live("refuses one that they don't, says who wrote what, and leaves it where that version finds it again", () =>
    withCache((prefix, cache) =>
      Effect.gen(function* () {
        for (const path of ["/a", "/b"]) yield* cache.write(snapshotOf(table(path)))
        yield* put(prefix, written({ format: 9, readable_by: 8, written_by: "9.0.0", hash }))
        const next = yield* startCache(prefix)
        const answer = yield* next.offer
        assert(answer._tag === "Unusable")
        assert.strictEqual(answer.stage, "format")
        assert.match(answer.faults[0]?.message ?? "", /Holdfast 9\.0\.0 wrote format 9, for readers of 8 and newer/)
        const older = candidate(yield* answer.next)
        assert.deepEqual(older.offer.raw, table("/a"))
        yield* older.served
        assert.deepInclude((yield* content(fileIn(prefix)))._holdfast, { written_by: "9.0.0" })
        assert.deepEqual(yield* names(join(prefix, "quarantine")), [])
      })
    )
  )

  it.live("leaves another version's file that this one's schema refuses, and moves its own", () =>
    withCache((prefix, cache) =>
      Effect.gen(function* () {
        yield* put(prefix, written({ format: 2, written_by: "0.0.9", hash }))
        assert.match(
          JSON.stringify(yield* candidate(yield* cache.offer).refused(refusal)),
          /"reason":"the refused file stays: it may serve yet"/
        )
        assert.deepEqual(yield* names(prefix), ["config.json.gz"])
        yield* put(prefix, written({ format: 2, written_by: version, hash }))
        yield* candidate(yield* cache.offer).refused(refusal)
        assert.deepEqual(yield* names(prefix), ["quarantine"])
      })
    )
  )

  it.live("serves files of the first format, by what they said of their content", () =>
    withCache((prefix, cache) =>
      Effect.gen(function* () {
        const { createHash } = yield* Effect.promise(() => import("node:crypto"))
        const table_hash = createHash("sha256").update(JSON.stringify(table())).digest("hex")
        yield* put(prefix, written({ hash, table_hash, received_at_ms: 7 }))
        assert.deepInclude(yield* offered(cache), { raw: table(), hash, receivedAtMs: 7 })
        yield* put(prefix, written({ hash, table_hash, received_at_ms: 7 }, table("/edited")))
        assert.deepInclude(yield* cache.offer, { _tag: "Unusable", stage: "digest" })
      })
    )
  )

  it.live("does not believe the name of one that went by the wire's hash, which is blind to some edits", () =>
    withCache((prefix, cache) =>
      Effect.gen(function* () {
        const computed = hashTable(table()).config
        yield* put(prefix, written({ hash, table_hash: computed, received_at_ms: 7 }))
        assert.deepInclude(yield* offered(cache), { raw: table(), hash: computed, receivedAtMs: 7 })
      })
    )
  )
})

describe("older configurations", () => {
  it.live("stand beside the current one, the newest with the largest number, to be read and copied by people", () =>
    withCache((prefix, cache) =>
      Effect.gen(function* () {
        for (let n = 0; n < 8; n++) yield* cache.write(snapshotOf(table(`/${n}`)))
        const generations = join(prefix, "generations")
        assert.deepEqual(
          yield* names(generations),
          ["000003", "000004", "000005", "000006", "000007"].map((n) => `${n}.json.gz`)
        )
        assert.deepInclude(yield* content(join(generations, "000007.json.gz")), table("/6"))
        assert.deepInclude(yield* content(join(generations, "000003.json.gz")), table("/2"))
        const { mode } = yield* Effect.promise(() => stat(join(generations, "000007.json.gz")))
        assert.strictEqual(mode & 0o777, 0o600)
      })
    )
  )

  it.live("are none when the setting says so, and those that stand there go", () =>
    withCache((prefix, cache) =>
      Effect.gen(function* () {
        for (const path of ["/a", "/b", "/c"]) yield* cache.write(snapshotOf(table(path)))
        const without = yield* startCache(prefix, { config_cache_generations: "0" })
        yield* serve(without)
        yield* put(prefix, "torn")
        assert.strictEqual((yield* settle(yield* without.offer)).answer._tag, "Nothing")
        yield* put(prefix, plainFile(table("/d")))
        yield* serve(without)
        yield* without.write(snapshotOf(table("/e")))
        assert.deepEqual(yield* names(join(prefix, "generations")), [])
      })
    )
  )

  it.live("become the current file at once; what was refused lies in quarantine, with the command that mends it", () =>
    withCache((prefix, cache) =>
      Effect.gen(function* () {
        for (const path of ["/a", "/b", "/c"]) yield* cache.write(snapshotOf(table(path)))
        yield* put(prefix, "torn")
        const next = yield* startCache(prefix)
        const { answer } = yield* settle(yield* next.offer)
        assert.deepEqual(candidate(answer).offer.raw, table("/b"))
        assert.strictEqual(yield* Effect.promise(() => readFile(fileIn(prefix), "utf8")), "torn", "until it serves")
        yield* candidate(answer).served
        assert.deepInclude(yield* content(fileIn(prefix)), table("/b"))
        assert.deepEqual(yield* names(join(prefix, "generations")), ["000001.json.gz"])
        assert.lengthOf(yield* names(join(prefix, "quarantine")), 2)
        assert.strictEqual(yield* next.byHand?.state ?? Effect.succeed("absent" as const), "own")
      })
    )
  )

  it.live("are not made of what a person put there and never served", () =>
    withCache((prefix, cache) =>
      Effect.gen(function* () {
        yield* cache.write(snapshotOf(table("/a")))
        yield* put(prefix, plainFile(table("/hand")))
        yield* cache.write(snapshotOf(table("/b")))
        assert.deepEqual(yield* names(join(prefix, "generations")), [])
        yield* put(prefix, plainFile(table("/hand")))
        yield* Effect.flatMap(cache.byHand?.offer ?? Effect.die("not followed"), (answer) => candidate(answer).served)
        yield* cache.write(snapshotOf(table("/c")))
        assert.deepEqual(yield* content(join(prefix, "generations", "000001.json.gz")), table("/hand"))
      })
    )
  )

  it.live("are not made of what was refused and stays, such as another version's file", () =>
    withCache((prefix) =>
      Effect.gen(function* () {
        yield* put(prefix, gzipSync(JSON.stringify({ ...table(), _holdfast: { format: 9, written_by: "9.0.0" } })))
        const cache = yield* startCache(prefix)
        yield* cache.byHand?.adopt ?? Effect.void
        yield* settle(yield* cache.offer)
        yield* cache.write(snapshotOf(table("/a")))
        assert.deepEqual(yield* names(join(prefix, "generations")), [])
      })
    )
  )

  it.live("are left alone when somebody was quicker: the file was replaced or removed since it was refused", () =>
    withCache((prefix, cache) =>
      Effect.gen(function* () {
        for (const path of ["/a", "/b"]) yield* cache.write(snapshotOf(table(path)))
        for (const since of [plainFile(table("/quick")), undefined]) {
          yield* put(prefix, "torn")
          const { answer } = yield* settle(yield* (yield* startCache(prefix)).offer)
          if (since === undefined) yield* Effect.promise(() => rm(fileIn(prefix)))
          else yield* put(prefix, since)
          yield* candidate(answer).served
          assert.lengthOf(yield* names(join(prefix, "generations")), 1)
          assert.strictEqual((yield* names(prefix)).includes("config.json.gz"), since !== undefined)
        }
      })
    )
  )
})

describe("changed by hand (resilience.md §4)", () => {
  it.live("knows what others wrote from what it wrote or read itself, by content alone", () =>
    withCache((prefix, cache) =>
      Effect.gen(function* () {
        const { byHand } = cache
        assert(byHand !== undefined)
        assert.strictEqual(yield* byHand.state, "absent")
        yield* cache.write(snapshotOf(table("/a"), hash))
        const own = yield* Effect.promise(() => readFile(fileIn(prefix)))
        yield* put(prefix, plainFile(table("/b")))
        assert.strictEqual(yield* byHand.state, "foreign")
        yield* put(prefix, own)
        assert.strictEqual(yield* byHand.state, "own")
        yield* put(prefix, plainFile(table("/b")))
        assert.deepEqual(candidate(yield* byHand.offer).offer.raw, table("/b"))
        assert.strictEqual(yield* byHand.state, "known")
        yield* cache.write(snapshotOf(table("/a"), hash))
        assert.strictEqual(yield* byHand.state, "own")
      })
    )
  )

  it.live("counts as its own what it found when it first looked, and no more than that", () =>
    withCache((prefix, cache) =>
      Effect.gen(function* () {
        const { byHand } = cache
        assert(byHand !== undefined)
        yield* put(prefix, plainFile(table("/left-over")))
        yield* byHand.adopt
        assert.strictEqual(yield* byHand.state, "own")
        yield* put(prefix, plainFile(table("/hand")))
        assert.strictEqual(yield* byHand.state, "foreign")
      })
    )
  )

  it.live("keeps a copy of what it refuses, and leaves the file to its author", () =>
    withCache((prefix, cache) =>
      Effect.gen(function* () {
        const { byHand } = cache
        assert(byHand !== undefined)
        yield* cache.write(snapshotOf(table("/a"), hash))
        yield* put(prefix, "no gzip")
        const { stages, answer } = yield* settle(yield* byHand.offer)
        assert.deepEqual([stages, answer], [["gzip"], { _tag: "Nothing", reason: "it stays as it is" }])
        assert.strictEqual(yield* Effect.promise(() => readFile(fileIn(prefix), "utf8")), "no gzip")
        yield* put(prefix, "written on")
        const [kept = ""] = yield* names(join(prefix, "quarantine"))
        assert.strictEqual(
          yield* Effect.promise(() => readFile(join(prefix, "quarantine", kept), "utf8")),
          "no gzip",
          "not the same file under another name"
        )
      })
    )
  )
})

describe("when the disk fails", () => {
  it.live("leaves the former file whole when it can't write, and says what the disk said", () =>
    withCache((prefix, cache) =>
      Effect.gen(function* () {
        yield* cache.write(snapshotOf(table("/a"), hash))
        yield* Effect.promise(() => mkdir(join(prefix, "config.json.gz.new")))
        const error = yield* Effect.flip(cache.write(snapshotOf(table("/b"), hash)))
        assert.deepInclude(error, { operation: "write", file: fileIn(prefix), code: "EISDIR" })
        assert.deepEqual((yield* offered(cache)).raw, table("/a"))
      })
    )
  )

  it.live("says that it can't write what can't be processed", () =>
    withCache((prefix, cache) =>
      Effect.gen(function* () {
        yield* cache.write(snapshotOf(table("/a"), hash))
        const error = yield* Effect.flip(cache.write(snapshotOf({ ...table("/b"), x: JSON.parse(deepText) }, hash)))
        assert.match(error.message, /can't be processed/)
        assert.isUndefined(error.code)
        assert.deepEqual((yield* offered(cache)).raw, table("/a"))
        assert.deepEqual(yield* names(prefix), ["config.json.gz"])
      })
    )
  )

  it.live("does not keep the mode of a file that a crash left behind", () =>
    withCache((prefix, cache) =>
      Effect.gen(function* () {
        yield* put(prefix, new Uint8Array(100), "config.json.gz.new")
        yield* Effect.promise(() => chmod(join(prefix, "config.json.gz.new"), 0o644))
        yield* cache.write(snapshotOf(table("/a"), hash))
        assert.strictEqual((yield* Effect.promise(() => stat(fileIn(prefix)))).mode & 0o777, 0o600)
      })
    )
  )

  it.live("keeps texts that are no Unicode, which a control plane may send: JSON carries them", () =>
    withCache((_, cache) =>
      Effect.gen(function* () {
        const raw = table("/a", { parameters: [{ key: "half", value: "\ud800" }] })
        yield* cache.write(snapshotOf(raw, hash))
        assert.deepInclude(yield* offered(cache), { raw, hash })
      })
    )
  )

  it.live("writes over a generation that shares its file with the current one without touching it", () =>
    withCache((prefix, cache) =>
      Effect.gen(function* () {
        // As a crash leaves it between two steps: the current file has become a generation, and nothing replaced it yet.
        yield* cache.write(snapshotOf(table("/a"), hash))
        yield* Effect.promise(async () => {
          await mkdir(join(prefix, "generations"))
          await link(fileIn(prefix), join(prefix, "generations", "000001.json.gz"))
        })
        yield* cache.write(snapshotOf(table("/b"), hash))
        assert.deepEqual(yield* names(join(prefix, "generations")), ["000001.json.gz"])
        assert.deepInclude(yield* content(join(prefix, "generations", "000001.json.gz")), table("/a"))
        assert.deepInclude(yield* content(fileIn(prefix)), table("/b"))
      })
    )
  )
})
