/** The disk rung's answers one by one, what it does between them, and what it tells (`resilience.md` §2 and §4). */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Logger } from "effect"
import { cachePathsIn } from "../../../src/layers/disk-cache/cachePaths.ts"
import { makeDiskRung } from "../../../src/layers/disk-cache/diskRung.ts"
import { makeGenerations } from "../../../src/layers/disk-cache/generations.ts"
import { makeOwnership } from "../../../src/layers/disk-cache/ownership.ts"
import { makeQuarantine } from "../../../src/layers/disk-cache/quarantine.ts"
import { unreadable } from "../../../src/layers/disk-cache/readCacheFile.ts"
import { hashTable } from "../../../src/model/ConfigHash.ts"
import { describeTable } from "../../../src/model/TableContent.ts"
import { Compression } from "../../../src/services/Compression.ts"
import { type Disk, DiskError } from "../../../src/services/Disk.ts"
import { ConfigRejected } from "../../../src/services/LiveConfig.ts"
import type { RungAnswer } from "../../../src/services/Rung.ts"
import * as VirtualDisk from "../../../src/testing/VirtualDisk.ts"
import { plainFile, quickCompression } from "../../support/diskCache.ts"
import { eventsInto, type LoggedEvent } from "../../support/logged.ts"
import { table } from "../../support/tables.ts"

const paths = cachePathsIn("/prefix")
const { current, generations, quarantine } = paths
const generation = (number: number) => `${generations}/00000${number}.json.gz`
const torn = (text = "torn") => new TextEncoder().encode(text)
const good = (path: string) => plainFile(table(path))

const renewFault = new DiskError({ operation: "list", path: generations, code: "EIO", message: "EIO: list" })

/** The rung by itself, with its real neighbours, on a disk with these files. */
const makeBench = Effect.fnUntraced(function* (files: Readonly<Record<string, Uint8Array>>, isStale = false) {
  const { disk: made, hand, become } = VirtualDisk.make()
  for (const [path, bytes] of Object.entries(files)) hand.write(path, bytes)
  const flushed: Array<string> = []
  const events: Array<LoggedEvent> = []
  const syncFolder: Disk["Service"]["syncFolder"] = (folder) => {
    flushed.push(folder)
    return made.syncFolder(folder)
  }
  const disk = { ...made, syncFolder }
  const ownership = makeOwnership()
  const protection = { protect: Effect.succeed, unprotect: (bytes: Uint8Array) => Effect.succeed({ bytes, isStale }) }
  const rung = makeDiskRung({
    reader: { disk, compression: yield* Compression, protection, describeTable },
    paths,
    generations: makeGenerations(disk, paths, 5),
    quarantine: makeQuarantine(disk, paths),
    ownership,
    sees: () => Effect.void,
    renew: Effect.fail(renewFault)
  })
  const logged = Effect.provide(Logger.layer([eventsInto(events)]))
  return { ...rung, hand, become, ownership, flushed, events, logged }
}, Effect.provide(quickCompression))

const failing = (operation: string, ...where: ReadonlyArray<string>): VirtualDisk.DiskConditions => ({
  faultOf: (call) =>
    call.operation === operation && where.includes(call.path) ? { _tag: "Fails", code: "EIO" } : undefined
})

/** Without a step, as one that its judge did not name. */
const refusal = new ConfigRejected({ source: "disk", hash: undefined, faults: [{ path: [], message: "not this one" }] })

const candidate = (answer: RungAnswer) => {
  assert(answer._tag === "Candidate", JSON.stringify(answer))
  return answer
}

const refuse = (answer: RungAnswer): Effect.Effect<RungAnswer> => {
  if (answer._tag === "Unusable") return answer.next
  return candidate(answer).refused(refusal)
}

const shown = (answer: RungAnswer): string => {
  if (answer._tag === "Nothing") return answer.reason
  if (answer._tag === "Unusable") return `${answer.stage}: ${answer.faults[0]?.place}`
  return candidate(answer).offer.place ?? ""
}

/** All that it says while everything is refused, up to the reason why there is nothing more. */
const refuseAll = Effect.fnUntraced(function* (offer: Effect.Effect<RungAnswer>) {
  let answer = yield* offer
  const said = [shown(answer)]
  while (answer._tag !== "Nothing") {
    answer = yield* refuse(answer)
    said.push(shown(answer))
  }
  return said
})

describe("what the disk rung answers", () => {
  it.effect("is the table that it found, and no more of it than the file says", () =>
    Effect.gen(function* () {
      const { offer } = yield* makeBench({ [current]: good("/a") })
      const raw = table("/a")
      const hash = hashTable(raw).config
      assert.deepEqual(candidate(yield* offer).offer, {
        isByHand: true,
        raw,
        hash,
        receivedAtMs: 0,
        source: "disk",
        place: current
      })
    })
  )

  it.effect("is the step and the file where one can't be used", () =>
    Effect.gen(function* () {
      const { offer } = yield* makeBench({ [current]: torn() })
      const answer = yield* offer
      assert(answer._tag === "Unusable")
      assert.strictEqual(answer.stage, "gzip")
      assert.deepEqual(answer.faults, [{ path: [], place: current, message: "gzip: expected gzip" }])
    })
  )

  it.effect("is Kong 2.x's file where there is no other, to which nothing is owed when it serves", () =>
    Effect.gen(function* () {
      const { offer, hand, flushed } = yield* makeBench({ [paths.former]: good("/a") })
      yield* candidate(yield* offer).served
      assert.deepEqual([hand.paths(), flushed], [[paths.former], []])
    })
  )
})

describe("the disk rung, refused again and again", () => {
  it.effect("passes over an older file that is gone since they were listed", () =>
    Effect.gen(function* () {
      const { offer, hand, logged } = yield* makeBench({
        [current]: torn(),
        [generation(3)]: good("/c"),
        [generation(2)]: good("/b"),
        [generation(1)]: good("/a")
      })
      const newest = candidate(yield* refuse(yield* offer).pipe(logged))
      hand.remove(generation(2))
      const next = candidate(yield* newest.refused(refusal).pipe(logged))
      assert.strictEqual(next.offer.place, generation(1))
    })
  )

  it.effect("offers the same content once, under however many names it stands", () =>
    Effect.gen(function* () {
      const { offer, logged } = yield* makeBench({
        [current]: good("/a"),
        [generation(4)]: good("/b"),
        [generation(3)]: good("/a"),
        [generation(2)]: good("/b"),
        [generation(1)]: good("/c")
      })
      const said = yield* refuseAll(offer).pipe(logged)
      assert.deepEqual(said.slice(0, -1), [current, generation(4), generation(1)])
    })
  )

  it.effect("moves everything to quarantine in the end, the current file last, and says where it is", () =>
    Effect.gen(function* () {
      const files = { [current]: torn("one"), [generation(2)]: torn("two"), [generation(1)]: good("/a") }
      const { offer, hand, events, logged } = yield* makeBench(files)
      const said = yield* refuseAll(offer).pipe(logged)
      assert.strictEqual(said.at(-1), `the refused files are in ${quarantine}`)
      assert.isEmpty(hand.paths().filter((path) => !path.startsWith(quarantine)))
      assert.deepEqual(
        events.map(({ fields }) => [fields.file, fields.step]),
        [
          [generation(2), "gzip"],
          [generation(1), "schema"],
          [current, "gzip"]
        ]
      )
    })
  )

  it.effect("says that nothing is left where nothing can be put away", () =>
    Effect.gen(function* () {
      const { offer, become, logged } = yield* makeBench({ [current]: torn() })
      become({ isReadOnly: true })
      assert.deepEqual(yield* refuseAll(offer).pipe(logged), [`gzip: ${current}`, "nothing older is left"])
    })
  )

  it.effect("tells of each file that can't be read: nobody knows that two of them are the same", () =>
    Effect.gen(function* () {
      const { offer, become, ownership } = yield* makeBench({ [current]: good("/a"), [generation(1)]: good("/b") })
      become(failing("read", current, generation(1)))
      assert.deepEqual(yield* refuseAll(offer), [
        `read: ${current}`,
        `read: ${generation(1)}`,
        "the refused file stays: it may serve yet"
      ])
      assert.strictEqual(ownership.stateOf(unreadable), "own")
    })
  )
})

describe("an older configuration that serves", () => {
  const files = { [current]: torn(), [generation(1)]: good("/a") }

  it.effect("becomes the current file for good: both folders are flushed after that", () =>
    Effect.gen(function* () {
      const { offer, hand, flushed, logged } = yield* makeBench(files)
      const older = candidate(yield* refuse(yield* offer))
      yield* older.served.pipe(logged)
      assert.deepEqual(hand.read(current), files[generation(1)])
      assert.deepEqual(flushed.slice(-2), [paths.prefix, generations])
    })
  )

  it.effect("is told with the reason when it can't become the current file", () =>
    Effect.gen(function* () {
      const { offer, become, events, logged } = yield* makeBench(files)
      const older = candidate(yield* refuse(yield* offer))
      become(failing("rename", generation(1)))
      yield* older.served.pipe(logged)
      const { message, fields } = events.at(-1) ?? assert.fail("nothing was told")
      assert.strictEqual(message, "an older configuration serves but can't become the current cache file")
      assert.strictEqual(fields.file, generation(1))
      assert.match(String(fields.cause), /EIO/)
    })
  )

  it.effect("is told of when the current file can't be read and stays in its place", () =>
    Effect.gen(function* () {
      const { offer, become, events, logged } = yield* makeBench(files)
      become(failing("read", current))
      const older = candidate(yield* refuse(yield* offer))
      yield* older.served.pipe(logged)
      const said = events.map(({ message, fields }) => [message, fields.file, fields.older])
      const stays = "an older configuration serves; the refused cache file stays in its place"
      assert.deepEqual(said, [[stays, current, generation(1)]])
    })
  )

  it.effect("serves also when nothing can be protected anew, which is told", () =>
    Effect.gen(function* () {
      const { offer, events, logged } = yield* makeBench({ [current]: good("/a") }, true)
      yield* candidate(yield* offer).served.pipe(logged)
      const said = events.map(({ message, fields }) => [message, fields.file, fields.cause])
      assert.deepEqual(said, [["cache files can't be protected anew", generations, "EIO: list"]])
    })
  )
})

describe("the current file, asked for by hand", () => {
  it.effect("is nothing where there is none", () =>
    Effect.gen(function* () {
      const { offerByHand } = yield* makeBench({})
      assert.deepEqual(yield* offerByHand, { _tag: "Nothing", reason: `there is no ${current}` })
    })
  )

  it.effect("is known, and not copied, when it can't be read", () =>
    Effect.gen(function* () {
      const { offerByHand, hand, become, ownership, events, logged } = yield* makeBench({ [current]: good("/a") })
      become(failing("read", current))
      assert.deepEqual(yield* refuseAll(offerByHand).pipe(logged), [`read: ${current}`, "it stays as it is"])
      assert.deepEqual([hand.paths(), events], [[current], []])
      assert.strictEqual(ownership.stateOf(unreadable), "known")
    })
  )
})
