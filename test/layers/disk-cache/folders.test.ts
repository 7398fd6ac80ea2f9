/** The two folders beside the cache file: what they hold, in which order, under which names, and what they leave alone. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Logger } from "effect"
import { cachePathsIn, nextNumber, numberOf } from "../../../src/layers/disk-cache/cachePaths.ts"
import { makeGenerations } from "../../../src/layers/disk-cache/generations.ts"
import { makeQuarantine, quarantineMax, type Refused } from "../../../src/layers/disk-cache/quarantine.ts"
import { fingerprint } from "../../../src/layers/disk-cache/readCacheFile.ts"
import * as VirtualDisk from "../../../src/testing/VirtualDisk.ts"
import { eventsInto, type LoggedEvent } from "../../support/logged.ts"

const paths = cachePathsIn("/prefix")
const bytes = (text: string) => new TextEncoder().encode(text)
const text = (disk: VirtualDisk.VirtualDisk, path: string) => new TextDecoder().decode(disk.hand.read(path))

describe("numbers in names", () => {
  it("stand at the beginning, six digits or more, before a sign that ends them", () => {
    assert.strictEqual(numberOf("000041.json.gz"), 41)
    assert.strictEqual(numberOf("1000000-1a2b.json.gz"), 1_000_000)
    for (const name of ["41.json.gz", "000041", "x000041.json.gz", "000041x.json.gz", ""])
      assert.isUndefined(numberOf(name))
  })

  it("go on from the largest; names of others count for nothing", () => {
    assert.strictEqual(nextNumber([]), 1)
    assert.strictEqual(nextNumber(["notes.txt"]), 1)
    assert.strictEqual(nextNumber(["000009.json.gz", "000010.json.gz", "notes.txt"]), 11)
  })
})

describe("the generations", () => {
  const withFiles = (names: ReadonlyArray<string>) => {
    const disk = VirtualDisk.make()
    for (const name of names) disk.hand.write(`${paths.generations}/${name}`, bytes(name))
    return disk
  }

  it.effect("are told from what else is there, and the newest comes first, by number and not by letter", () =>
    Effect.gen(function* () {
      const strange = ["x000003.json.gz", "000003.json.gz.new", "3.json.gz", "notes.txt"]
      const { disk } = withFiles(["000009.json.gz", "1000000.json.gz", "000010.json.gz", ...strange])
      assert.deepEqual(yield* makeGenerations(disk, paths, 5).newestFirst, [
        "/prefix/generations/1000000.json.gz",
        "/prefix/generations/000010.json.gz",
        "/prefix/generations/000009.json.gz"
      ])
      assert.deepEqual(yield* makeGenerations(disk, paths, 0).newestFirst, [])
      assert.deepEqual(yield* makeGenerations(VirtualDisk.make().disk, paths, 5).newestFirst, [])
    })
  )

  it.effect("begin with a folder, and lose the oldest of themselves and nothing of others", () =>
    Effect.gen(function* () {
      const made = VirtualDisk.make()
      made.hand.write(paths.current, bytes("first"))
      yield* makeGenerations(made.disk, paths, 2).keepCurrent("digest")
      assert.deepEqual(made.hand.list(paths.generations), ["000001.json.gz"])
      assert.strictEqual(text(made, `${paths.generations}/000001.json.gz`), "first")

      const full = withFiles(["000001.json.gz", "000002.json.gz", "notes.txt"])
      full.hand.write(paths.current, bytes("next"))
      yield* makeGenerations(full.disk, paths, 2).keepCurrent("digest")
      assert.deepEqual([...full.hand.list(paths.generations)].sort(), ["000002.json.gz", "000003.json.gz", "notes.txt"])
    })
  )
})

describe("a generation", () => {
  it.effect("is a second name of the file wherever there is such a thing, also the first one in its folder", () =>
    Effect.gen(function* () {
      const made = VirtualDisk.make()
      made.hand.write(paths.current, bytes("first"))
      const disk = { ...made.disk, create: () => Effect.die("copied") }
      yield* makeGenerations(disk, paths, 2).keepCurrent("digest")
      assert.deepEqual(made.hand.list(paths.generations), ["000001.json.gz"])
    })
  )
})

describe("the quarantine", () => {
  const refusedFile = (more: Partial<Refused> = {}): Refused => ({
    path: paths.current,
    digest: "1a2b3c4d5e6f7a8b9c0d",
    stage: "gzip",
    reasons: ["expected gzip"],
    ...more
  })

  const bench = () => {
    const made = VirtualDisk.make()
    const events: Array<LoggedEvent> = []
    const { put } = makeQuarantine(made.disk, paths)
    const logged = (refused: Refused, manner: "move" | "link" | "copy") =>
      put(refused, manner).pipe(Effect.provide(Logger.layer([eventsInto(events)])))
    const list = () => [...made.hand.list(paths.quarantine)].sort()
    return { ...made, events, put: logged, list }
  }

  const name = "000001-1a2b3c4d5e6f"

  it.effect("keeps the file and why, and says what to do about it", () =>
    Effect.gen(function* () {
      const { hand, put, list, events } = bench()
      hand.write(paths.current, bytes("broken"))
      assert.isTrue(yield* put(refusedFile(), "move"))
      assert.deepEqual(list(), [`${name}.json.gz`, `${name}.reason.txt`])
      assert.isUndefined(hand.read(paths.current))
      const keptAs = `/prefix/quarantine/${name}.json.gz`
      assert.deepEqual(
        events.map(({ message, fields }) => [message, fields]),
        [
          [
            "refused cache file is kept in quarantine",
            {
              file: paths.current,
              step: "gzip",
              keptAs,
              mend: `holdfast config seal ${keptAs} --out ${paths.current}`
            }
          ]
        ]
      )
    })
  )

  it.effect("tells the same content once, unless it goes away, and has it once", () =>
    Effect.gen(function* () {
      const { hand, put, list, events } = bench()
      for (const [manner, lines] of [
        ["copy", 1],
        ["copy", 1],
        ["link", 1],
        ["move", 2]
      ] as const) {
        hand.write(paths.current, bytes("broken"))
        assert.isTrue(yield* put(refusedFile(), manner))
        assert.lengthOf(events, lines, manner)
        assert.deepEqual(list(), [`${name}.json.gz`, `${name}.reason.txt`])
      }
    })
  )

  it.effect("takes what could not be read under a name that says so", () =>
    Effect.gen(function* () {
      const { hand, put, list } = bench()
      hand.write(paths.current, bytes("broken"))
      assert.isTrue(yield* put(refusedFile({ digest: undefined }), "move"))
      assert.deepEqual(list(), ["000001-unread.json.gz", "000001-unread.reason.txt"])
      hand.write(paths.current, bytes("another"))
      assert.isTrue(yield* put(refusedFile({ digest: undefined }), "move"))
      assert.lengthOf(list(), 4, "nobody knows whether it is the same")
    })
  )

  it.effect("loses its oldest by number, and nothing of others", () =>
    Effect.gen(function* () {
      const { hand, put, list } = bench()
      const numbers = [999_999, 1_000_000, ...Array.from({ length: quarantineMax - 2 }, (_, n) => 1_000_001 + n)]
      for (const number of numbers) hand.write(`${paths.quarantine}/${number}-aaaaaaaaaaaa.json.gz`, bytes("x"))
      hand.write(`${paths.quarantine}/notes.txt`, bytes("x"))
      hand.write(paths.current, bytes("broken"))
      assert.isTrue(yield* put(refusedFile(), "move"))
      const left = list().filter((one) => one.endsWith(".gz"))
      assert.lengthOf(left, quarantineMax)
      assert.notInclude(left, "999999-aaaaaaaaaaaa.json.gz")
      assert.include(list(), "notes.txt")
    })
  )

  it.effect("loses its oldest in whichever order the disk lists them, and nothing without a number", () =>
    Effect.gen(function* () {
      const numbers = Array.from({ length: quarantineMax + 2 }, (_, n) => String(n).padStart(6, "0"))
      for (const turn of [
        (names: ReadonlyArray<string>) => names,
        (names: ReadonlyArray<string>) => names.toReversed()
      ]) {
        const { disk, hand, list } = bench()
        for (const number of numbers) hand.write(`${paths.quarantine}/${number}-aaaaaaaaaaaa.json.gz`, bytes("x"))
        hand.write(`${paths.quarantine}/notes.txt`, bytes("x"))
        hand.write(paths.current, bytes("broken"))
        const turned = { ...disk, list: (folder: string) => Effect.map(disk.list(folder), turn) }
        yield* makeQuarantine(turned, paths)
          .put(refusedFile(), "move")
          .pipe(Effect.provide(Logger.layer([])))
        const newest = numbers.slice(-(quarantineMax - 1)).map((number) => `${number}-aaaaaaaaaaaa.json.gz`)
        const kept = [...newest, "000012-1a2b3c4d5e6f.json.gz", "000012-1a2b3c4d5e6f.reason.txt", "notes.txt"]
        assert.deepEqual(list(), kept)
      }
    })
  )

  it.effect("flushes its folder, and that of a file that was moved away, so that no power cut undoes it", () =>
    Effect.gen(function* () {
      for (const manner of ["move", "link", "copy"] as const) {
        const { disk, hand } = bench()
        hand.write(paths.current, bytes("broken"))
        /** Since a file got its name last. */
        let flushed: Array<string> = []
        const named = (call: typeof disk.rename) => (from: string, to: string) =>
          Effect.suspend(() => {
            flushed = []
            return call(from, to)
          })
        const syncFolder: typeof disk.syncFolder = (folder) =>
          Effect.suspend(() => {
            flushed.push(folder)
            return disk.syncFolder(folder)
          })
        yield* makeQuarantine({ ...disk, syncFolder, rename: named(disk.rename), link: named(disk.link) }, paths)
          .put(refusedFile(), manner)
          .pipe(Effect.provide(Logger.layer([])))
        assert.include(flushed, paths.quarantine, manner)
        assert.strictEqual(flushed.includes(paths.prefix), manner === "move", manner)
      }
    })
  )

  it.effect("says that it could not, and leaves the file", () =>
    Effect.gen(function* () {
      const { hand, become, put, events } = bench()
      hand.write(paths.current, bytes("broken"))
      become({ isReadOnly: true })
      assert.isFalse(yield* put(refusedFile(), "move"))
      assert.deepEqual(
        events.map(({ message }) => message),
        ["refused cache file can't be put into quarantine, and stays"]
      )
      assert.isDefined(hand.read(paths.current))
    })
  )
})

describe("the fingerprint of a file", () => {
  it.effect("is one for all that is not there, and one for all that can't be read", () =>
    Effect.gen(function* () {
      const made = VirtualDisk.make()
      assert.strictEqual(yield* fingerprint(made.disk, paths.current), "absent")
      made.hand.write(paths.current, bytes("x"))
      made.become({ faultOf: () => ({ _tag: "Fails", code: "EIO", part: 0 }) })
      assert.strictEqual(yield* fingerprint(made.disk, paths.current), "unreadable")
    })
  )
})
