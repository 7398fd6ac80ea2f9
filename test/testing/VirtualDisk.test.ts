/** The virtual disk: a Disk like the real one, and as bad as it promises to be. */
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Effect, Exit, Fiber, Schema } from "effect"
import { TestClock } from "effect/testing"
import * as NodeDisk from "../../src/layers/NodeDisk.ts"
import { Disk, type DiskError, type OpenFile, replaceFile } from "../../src/services/Disk.ts"
import * as VirtualDisk from "../../src/testing/VirtualDisk.ts"
import { bytesOf, diskConformance } from "../conformance/disk.ts"
import { temporaryFolder } from "../support/folder.ts"
import { propertyRuns } from "../support/propertyRuns.ts"

const folder = "/usr/local/kong"

const prepared = Effect.gen(function* () {
  const made = VirtualDisk.make()
  yield* Effect.orDie(made.disk.makeFolder(folder))
  return made
})

diskConformance(
  "VirtualDisk",
  Effect.map(prepared, ({ disk }) => ({ disk, folder }))
)

const path = join(folder, "a")
const replace = (disk: Disk["Service"], text: string, to = path) =>
  replaceFile(disk, { path: to, bytes: bytesOf(text), mode: 0o600 })
const textAt = ({ hand }: VirtualDisk.VirtualDisk, at = path) => {
  const bytes = hand.read(at)
  return bytes === undefined ? undefined : new TextDecoder().decode(bytes)
}
const seeds = Array.from({ length: 200 }, (_, seed) => seed)
const endsOf = (
  made: VirtualDisk.VirtualDisk,
  kind: "process" | "power",
  look: (found: VirtualDisk.VirtualDisk) => unknown
) => new Set(seeds.map((seed) => look(made.crash({ kind, seed }))))

const unflushed = Effect.fnUntraced(function* (made: VirtualDisk.VirtualDisk, text: string, to = path) {
  const file = yield* made.disk.create(to, 0o600)
  yield* file.write(bytesOf(text))
  return file
})

/** One command of a small language, for both disks to follow. */
const files = Schema.Literals(["a", "b", "sub/a"])
const folders = Schema.Literals(["sub", "sub/deep"])
const names = Schema.Union([files, folders])
const command = Schema.Union([
  Schema.Struct({ op: Schema.tag("create"), name: names }),
  Schema.Struct({ op: Schema.tag("append"), name: names }),
  Schema.Struct({ op: Schema.tag("write"), text: Schema.Literals(["", "x", "long"]) }),
  Schema.Struct({ op: Schema.tag("close") }),
  Schema.Struct({ op: Schema.tag("read"), name: names }),
  Schema.Struct({ op: Schema.tag("list"), name: names }),
  Schema.Struct({ op: Schema.tag("rename"), name: files, to: names }),
  Schema.Struct({ op: Schema.tag("link"), name: files, to: names }),
  Schema.Struct({ op: Schema.tag("remove"), name: names }),
  Schema.Struct({ op: Schema.tag("makeFolder"), name: folders })
])
type Command = typeof command.Type

const follow = Effect.fnUntraced(function* (disk: Disk["Service"], root: string, commands: ReadonlyArray<Command>) {
  let open: OpenFile | undefined
  const seen: Array<unknown> = []
  const one = (each: Command): Effect.Effect<unknown, DiskError> => {
    const at = "name" in each ? join(root, each.name) : root
    switch (each.op) {
      case "create":
        return Effect.map(disk.create(at, 0o600), (file) => {
          open = file
        })
      case "append":
        return Effect.map(disk.append(at, 0o600), (file) => {
          open = file
        })
      case "write":
        return open === undefined ? Effect.void : open.write(bytesOf(each.text))
      case "close":
        return open === undefined ? Effect.void : open.close
      case "read":
        return Effect.map(disk.read(at, 1_000_000), ({ bytes }) => new TextDecoder().decode(bytes))
      case "list":
        return Effect.map(disk.list(at), (found) => [...found].sort())
      case "rename":
        return disk.rename(at, join(root, each.to))
      case "link":
        return disk.link(at, join(root, each.to))
      case "remove":
        return disk.remove(at)
      case "makeFolder":
        return disk.makeFolder(at)
    }
  }
  for (const each of commands) {
    if ((each.op === "create" || each.op === "append") && open !== undefined) yield* open.close
    seen.push(yield* Effect.match(one(each), { onFailure: ({ code }) => code, onSuccess: (answer) => answer }))
  }
  if (open !== undefined) yield* open.close
  return seen
})

describe("VirtualDisk", () => {
  it.effect.prop(
    "answers like the real one, whatever is asked of both in whatever order",
    [Arbitrary.array(Arbitrary.schema(command), { minLength: 1, maxLength: 20 })],
    ([commands]) =>
      Effect.gen(function* () {
        const real = yield* Disk.pipe(Effect.provide(NodeDisk.layer))
        const virtual = yield* prepared
        assert.deepStrictEqual(
          yield* follow(virtual.disk, folder, commands),
          yield* follow(real, yield* temporaryFolder, commands)
        )
      }).pipe(Effect.scoped, Effect.asVoid),
    propertyRuns
  )

  it.effect("loses at a power cut what was not flushed, wholly, partly, or to zeros; a kill loses nothing", () =>
    Effect.gen(function* () {
      const made = yield* prepared
      yield* replace(made.disk, "old")
      yield* unflushed(made, "newer")
      const found = endsOf(made, "power", textAt)
      assert.includeMembers([...found], ["old", "newer", "", "ne", "ne\0\0\0"])
      for (const text of found) assert.match(String(text), /^(old|n?e?w?e?r?\0*)$/)
      assert.deepStrictEqual(endsOf(made, "process", textAt), new Set(["newer"]))
    })
  )

  it.effect("undoes steps that were not flushed with their folder: a prefix of each folder's survives", () =>
    Effect.gen(function* () {
      const three = Effect.gen(function* () {
        const made = yield* prepared
        for (const name of ["1", "2", "3"]) {
          yield* Effect.flatMap(unflushed(made, "x", join(folder, name)), (file) => file.sync)
        }
        return made
      })
      const list = ({ hand }: VirtualDisk.VirtualDisk) => [...hand.list(folder)].sort().join()
      assert.deepStrictEqual(endsOf(yield* three, "power", list), new Set(["", "1", "1,2", "1,2,3"]))
      const flushed = yield* three
      yield* flushed.disk.syncFolder(folder)
      assert.deepStrictEqual(endsOf(flushed, "power", list), new Set(["1,2,3"]))
    })
  )

  it.effect("moves a file between two folders in both or in neither", () =>
    Effect.gen(function* () {
      const moved = Effect.gen(function* () {
        const made = yield* prepared
        yield* made.disk.makeFolder("/other")
        yield* replace(made.disk, "x")
        yield* made.disk.rename(path, "/other/a")
        return made
      })
      const where = (found: VirtualDisk.VirtualDisk) => `${textAt(found)} ${textAt(found, "/other/a")}`
      assert.deepStrictEqual(endsOf(yield* moved, "power", where), new Set(["x undefined", "undefined x"]))
      for (const flushed of ["/other", folder]) {
        const made = yield* moved
        yield* made.disk.syncFolder(flushed)
        assert.deepStrictEqual(endsOf(made, "power", where), new Set(["undefined x"]))
      }
    })
  )

  it.effect("may show a renamed file before its bytes: whoever renames must have flushed", () =>
    Effect.gen(function* () {
      const made = yield* prepared
      yield* replace(made.disk, "old")
      yield* unflushed(made, "newer", `${path}.new`)
      yield* made.disk.rename(`${path}.new`, path)
      yield* made.disk.syncFolder(folder)
      assert.includeMembers([...endsOf(made, "power", textAt)], ["", "newer"])
    })
  )

  it.effect(
    "keeps, at every call of replaceFile and both ways to die, the former file or the new one; after it, the new",
    () =>
      Effect.gen(function* () {
        let isDone = false
        for (let n = 1; !isDone; n++) {
          for (const part of [0, 0.5, 1]) {
            const made = yield* prepared
            yield* replace(made.disk, "old")
            const before = made.callCount()
            made.become({ faultOf: (call) => (call.n === before + n ? { _tag: "Hangs", part } : undefined) })
            const fiber = yield* Effect.forkChild(Effect.exit(replace(made.disk, "new")), { startImmediately: true })
            isDone = made.callCount() < before + n
            for (const kind of ["process", "power"] as const) {
              const found = endsOf(made, kind, textAt)
              const allowed = isDone ? ["new"] : ["old", "new"]
              for (const text of found) assert.include(allowed, text, `call ${n}, part ${part}, ${kind}`)
            }
            assert.strictEqual(Exit.isSuccess(yield* Fiber.join(fiber)), isDone)
          }
        }
      })
  )

  it.effect("lets a lost flush and a torn write pass for success, and shows them after a power cut", () =>
    Effect.gen(function* () {
      const made = yield* prepared
      made.become({ losesFlushes: true })
      yield* replace(made.disk, "new")
      assert.strictEqual(textAt(made), "new")
      assert.includeMembers([...endsOf(made, "power", textAt)], [undefined, "", "new"])
      const other = yield* prepared
      other.become({ faultOf: ({ operation }) => (operation === "write" ? { _tag: "Loses", part: 0.5 } : undefined) })
      yield* replace(other.disk, "12345678")
      assert.strictEqual(textAt(other), "1234")
    })
  )

  it.effect("forgets the pages of a failed flush: the next one succeeds without them", () =>
    Effect.gen(function* () {
      const made = yield* prepared
      const file = yield* unflushed(made, "new")
      yield* made.disk.syncFolder(folder)
      made.become({ faultOf: ({ operation }) => (operation === "sync" ? { _tag: "Fails", code: "EIO" } : undefined) })
      assert.strictEqual((yield* Effect.flip(file.sync)).code, "EIO")
      made.become({})
      yield* file.sync
      assert.includeMembers([...endsOf(made, "power", textAt)], ["", "new"])
      const again = yield* prepared
      yield* replace(again.disk, "new")
      assert.deepStrictEqual(endsOf(again, "power", textAt), new Set(["new"]))
    })
  )

  it.effect("is full after so many bytes, and has room again for what is removed", () =>
    Effect.gen(function* () {
      const made = yield* prepared
      yield* replace(made.disk, "old")
      made.become({ capacityBytes: 5 })
      const beside = yield* made.disk.create(`${path}.new`, 0o600)
      assert.strictEqual((yield* Effect.flip(beside.write(bytesOf("newer")))).code, "ENOSPC")
      assert.strictEqual(textAt(made, `${path}.new`), "ne")
      assert.strictEqual((yield* Effect.flip(replace(made.disk, "newer"))).code, "ENOSPC")
      assert.deepEqual([textAt(made), textAt(made, `${path}.new`)], ["old", undefined])
      yield* made.disk.remove(path)
      yield* replace(made.disk, "newer")
      assert.strictEqual(textAt(made), "newer")
      yield* made.disk.link(path, `${path}2`)
      yield* made.disk.remove(path)
      assert.strictEqual(made.usedBytes(), 5)
      assert.strictEqual(made.crash({ kind: "power", seed: 1 }).usedBytes(), 5)
    })
  )

  it.effect("changes nothing while it is read-only, and reads all the same", () =>
    Effect.gen(function* () {
      const made = yield* prepared
      yield* replace(made.disk, "old")
      const open = yield* made.disk.create(join(folder, "open"), 0o600)
      made.become({ isReadOnly: true })
      for (const call of [
        Effect.asVoid(made.disk.create(path, 0o600)),
        made.disk.remove(path),
        made.disk.rename(path, `${path}2`),
        made.disk.makeFolder("/new"),
        open.write(bytesOf("x"))
      ]) {
        assert.strictEqual((yield* Effect.flip(call)).code, "EROFS")
      }
      yield* made.disk.makeFolder(folder)
      assert.strictEqual((yield* made.disk.read(path, 10)).bytes.length, 3)
    })
  )

  it.effect("takes its time by the clock of whoever calls, and waits while it is stuck", () =>
    Effect.gen(function* () {
      const made = yield* prepared
      made.become({ slowMs: 1000 })
      const slow = yield* Effect.forkChild(made.disk.makeFolder("/a"), { startImmediately: true })
      yield* TestClock.adjust(999)
      assert.deepStrictEqual(made.hand.list("/"), ["usr"])
      yield* TestClock.adjust(1)
      yield* Fiber.join(slow)
      made.become({ isStuck: true })
      const stuck = yield* Effect.forkChild(made.disk.makeFolder("/b"), { startImmediately: true })
      made.become({ isStuck: true, slowMs: 1 })
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual([...made.hand.list("/")].sort(), ["a", "usr"])
      made.become({})
      yield* Fiber.join(stuck)
      assert.deepStrictEqual([...made.hand.list("/")].sort(), ["a", "b", "usr"])
    })
  )

  it.effect("lets the ghost of a process that is gone do nothing, whatever it was at", () =>
    Effect.gen(function* () {
      const made = yield* prepared
      made.become({ isStuck: true })
      const stuck = yield* Effect.forkChild(Effect.flip(made.disk.makeFolder("/b")), { startImmediately: true })
      const found = made.crash({ kind: "process", seed: 1 })
      assert.match((yield* Fiber.join(stuck)).message, /gone/)
      assert.match((yield* Effect.flip(made.disk.read(path, 10))).message, /gone/)
      yield* found.disk.makeFolder("/c")
      assert.deepStrictEqual([...found.hand.list("/")].sort(), ["c", "usr"])
      assert.deepStrictEqual(made.hand.list("/"), ["usr"])
    })
  )

  it.effect("turns one bit, wherever it is told to", () =>
    Effect.gen(function* () {
      const made = yield* prepared
      yield* replace(made.disk, "aaaa")
      assert.deepStrictEqual(made.hand.paths(), [path])
      made.hand.flipBit(path, 0)
      assert.strictEqual(textAt(made), "`aaa")
      const copy = made.crash({ kind: "process", seed: 0 })
      const held = Buffer.from("aaaa")
      copy.hand.write(path, held)
      copy.hand.flipBit(path, 0)
      assert.strictEqual(held.toString(), "aaaa")
      made.hand.flipBit(path, 1)
      assert.strictEqual(textAt(made)?.length, 4)
      assert.notStrictEqual(textAt(made), "`aaa")
      assert.strictEqual(textAt(made.crash({ kind: "power", seed: 1 })), textAt(made))
    })
  )

  it.effect("draws the same faults from the same seed, each kind as often as asked", () =>
    Effect.gen(function* () {
      const draw = (seed: number) => {
        const faultOf = VirtualDisk.drawnFaults(seed, { fails: 0.2, loses: 0.1, slow: 0.1, hangs: 0.1 })
        return seeds.map((n) => faultOf({ n, operation: "write", path }))
      }
      assert.deepStrictEqual(draw(7), draw(7))
      assert.notDeepEqual(draw(7), draw(8))
      const counts = new Map<string, number>()
      for (const fault of seeds.flatMap(draw)) {
        counts.set(fault?._tag ?? "none", (counts.get(fault?._tag ?? "none") ?? 0) + 1 / 40_000)
      }
      for (const [kind, share] of [
        ["Fails", 0.2],
        ["Loses", 0.1],
        ["Slow", 0.1],
        ["Hangs", 0.1]
      ] as const) {
        assert.closeTo(counts.get(kind) ?? 0, share, 0.02)
      }
      const made = yield* prepared
      made.become({ faultOf: VirtualDisk.drawnFaults(3, { fails: 0.3 }) })
      const codes = yield* Effect.forEach(seeds, (n) =>
        Effect.match(replace(made.disk, `${n}`), { onFailure: ({ code }) => code, onSuccess: () => "done" })
      )
      assert.includeMembers(codes, ["EIO", "ENOSPC", "EROFS", "done"])
    })
  )
})
