/** What every Disk keeps (`src/services/Disk.ts`), whatever it is made of: each layer's tests run this suite. */
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, type Scope } from "effect"
import { type Disk, type DiskError, replaceFile } from "../../src/services/Disk.ts"

export interface DiskUnderTest {
  readonly disk: Disk["Service"]
  /** A folder that is there and empty. */
  readonly folder: string
}

const ownerOnly = 0o600

export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)

const textOf = (disk: Disk["Service"], path: string) =>
  Effect.map(disk.read(path, 1_000_000), ({ bytes }) => new TextDecoder().decode(bytes))

const put = (disk: Disk["Service"], path: string, ...texts: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const file = yield* disk.create(path, ownerOnly)
    for (const text of texts) yield* file.write(bytesOf(text))
    yield* file.sync
    yield* file.close
  })

const codeOf = <A>(call: Effect.Effect<A, DiskError>) =>
  Effect.match(call, { onFailure: ({ code }) => code, onSuccess: () => "done" })

export const diskConformance = (name: string, make: Effect.Effect<DiskUnderTest, never, Scope.Scope>): void => {
  const test = (says: string, body: (disk: Disk["Service"], folder: string) => Effect.Effect<void, DiskError>) =>
    it.live(says, () => Effect.flatMap(make, ({ disk, folder }) => body(disk, folder)))

  describe(`${name} is a Disk`, () => {
    test("gives back what was written, piece by piece, also before it is flushed", (disk, folder) =>
      Effect.gen(function* () {
        const path = join(folder, "a")
        const file = yield* disk.create(path, ownerOnly)
        assert.strictEqual(yield* textOf(disk, path), "")
        yield* file.write(bytesOf("one "))
        yield* file.write(bytesOf("two"))
        assert.strictEqual(yield* textOf(disk, path), "one two")
        yield* file.sync
        yield* file.close
        assert.strictEqual(yield* textOf(disk, path), "one two")
      }))

    test("makes a file empty that was there", (disk, folder) =>
      Effect.gen(function* () {
        const path = join(folder, "a")
        yield* put(disk, path, "a longer text")
        yield* put(disk, path, "short")
        assert.strictEqual(yield* textOf(disk, path), "short")
      }))

    test("writes behind what a file holds, makes it when there is none, and goes on where it was moved to", (disk, folder) =>
      Effect.gen(function* () {
        const path = join(folder, "log")
        const first = yield* disk.append(path, ownerOnly)
        yield* first.write(bytesOf("one "))
        yield* first.close
        const second = yield* disk.append(path, ownerOnly)
        yield* second.write(bytesOf("two "))
        yield* disk.rename(path, join(folder, "log.1"))
        yield* second.write(bytesOf("three"))
        yield* second.close
        const third = yield* disk.append(path, ownerOnly)
        yield* third.close
        assert.strictEqual(yield* textOf(disk, join(folder, "log.1")), "one two three")
        assert.strictEqual(yield* textOf(disk, path), "")
        assert.strictEqual(yield* codeOf(disk.append(join(folder, "no", "log"), ownerOnly)), "ENOENT")
      }))

    test("reads up to a limit, and nothing beyond it", (disk, folder) =>
      Effect.gen(function* () {
        const path = join(folder, "a")
        yield* put(disk, path, "12345")
        assert.strictEqual((yield* disk.read(path, 5)).bytes.length, 5)
        assert.strictEqual(yield* codeOf(disk.read(path, 4)), "EFBIG")
      }))

    test("says with Node's code what can't be done, and for which call and path", (disk, folder) =>
      Effect.gen(function* () {
        const [missing, file, sub] = [join(folder, "missing"), join(folder, "file"), join(folder, "sub")] as const
        yield* put(disk, file, "x")
        yield* disk.makeFolder(sub)
        const codes = yield* Effect.all({
          read: codeOf(disk.read(missing, 10)),
          stat: codeOf(disk.stat(missing)),
          list: codeOf(disk.list(missing)),
          listOfFile: codeOf(disk.list(file)),
          create: codeOf(disk.create(join(missing, "a"), ownerOnly)),
          createOverFolder: codeOf(disk.create(sub, ownerOnly)),
          createBelowFile: codeOf(disk.create(join(file, "a"), ownerOnly)),
          rename: codeOf(disk.rename(missing, file)),
          renameOverFolder: codeOf(disk.rename(file, sub)),
          renameIntoNowhere: codeOf(disk.rename(file, join(missing, "a"))),
          link: codeOf(disk.link(missing, join(folder, "a"))),
          linkOverFile: codeOf(disk.link(file, file)),
          linkIntoNowhere: codeOf(disk.link(file, join(missing, "a"))),
          remove: codeOf(disk.remove(missing)),
          syncFolder: codeOf(disk.syncFolder(missing)),
          makeFolder: codeOf(disk.makeFolder(file)),
          makeFolderBelowFile: codeOf(disk.makeFolder(join(file, "a")))
        })
        assert.deepStrictEqual(codes, {
          read: "ENOENT",
          stat: "ENOENT",
          list: "ENOENT",
          listOfFile: "ENOTDIR",
          create: "ENOENT",
          createOverFolder: "EISDIR",
          createBelowFile: "ENOTDIR",
          rename: "ENOENT",
          renameOverFolder: "EISDIR",
          renameIntoNowhere: "ENOENT",
          link: "ENOENT",
          linkOverFile: "EEXIST",
          linkIntoNowhere: "ENOENT",
          remove: "ENOENT",
          syncFolder: "ENOENT",
          makeFolder: "EEXIST",
          makeFolderBelowFile: "ENOTDIR"
        })
        const error = yield* Effect.flip(disk.stat(missing))
        assert.strictEqual(error.operation, "stat")
        assert.strictEqual(error.path, missing)
        assert.include(error.message, missing)
        assert.strictEqual(yield* textOf(disk, file), "x")
      }) as Effect.Effect<void, DiskError>)

    test("renames in one step over what was there", (disk, folder) =>
      Effect.gen(function* () {
        const [from, to] = [join(folder, "from"), join(folder, "to")] as const
        yield* put(disk, from, "new")
        yield* put(disk, to, "old")
        yield* disk.rename(from, to)
        yield* disk.syncFolder(folder)
        assert.strictEqual(yield* textOf(disk, to), "new")
        assert.deepStrictEqual([...(yield* disk.list(folder))], ["to"])
      }))

    test("lists names, folders among them, and forgets what is removed", (disk, folder) =>
      Effect.gen(function* () {
        yield* put(disk, join(folder, "b"), "x")
        yield* put(disk, join(folder, "a"), "x")
        yield* disk.makeFolder(join(folder, "deep", "er"))
        yield* disk.makeFolder(join(folder, "deep", "er"))
        assert.deepStrictEqual([...(yield* disk.list(folder))].sort(), ["a", "b", "deep"])
        assert.deepStrictEqual([...(yield* disk.list(join(folder, "deep")))], ["er"])
        yield* disk.remove(join(folder, "a"))
        assert.deepStrictEqual([...(yield* disk.list(folder))].sort(), ["b", "deep"])
      }))

    test("keeps an open file's bytes with the file, wherever it is moved", (disk, folder) =>
      Effect.gen(function* () {
        const [from, to] = [join(folder, "from"), join(folder, "to")] as const
        const file = yield* disk.create(from, ownerOnly)
        yield* file.write(bytesOf("one"))
        yield* disk.rename(from, to)
        yield* file.write(bytesOf(" two"))
        yield* file.close
        assert.strictEqual(yield* textOf(disk, to), "one two")
      }))

    test("gives a file a second name, which keeps it when the first is taken by another", (disk, folder) =>
      Effect.gen(function* () {
        const [path, kept, beside] = [join(folder, "a"), join(folder, "kept"), join(folder, "beside")] as const
        yield* put(disk, path, "old")
        yield* disk.link(path, kept)
        assert.deepStrictEqual([...(yield* disk.list(folder))].sort(), ["a", "kept"])
        yield* put(disk, beside, "new")
        yield* disk.rename(beside, path)
        assert.strictEqual(yield* textOf(disk, path), "new")
        assert.strictEqual(yield* textOf(disk, kept), "old")
        yield* disk.remove(path)
        assert.strictEqual(yield* textOf(disk, kept), "old")
      }))

    test("takes no more bytes for a file that was closed", (disk, folder) =>
      Effect.gen(function* () {
        const path = join(folder, "a")
        const file = yield* disk.create(path, ownerOnly)
        yield* file.write(bytesOf("one"))
        yield* file.close
        assert.strictEqual(yield* codeOf(file.write(bytesOf(" two"))), "EBADF")
        assert.strictEqual(yield* codeOf(file.sync), "EBADF")
        assert.strictEqual(yield* textOf(disk, path), "one")
      }))

    test("stamps a file anew whatever is done to it, and not when it is looked at", (disk, folder) =>
      Effect.gen(function* () {
        const [path, other] = [join(folder, "a"), join(folder, "other")] as const
        const stamp = Effect.map(disk.stat(path), (facts) => facts.stamp)
        yield* put(disk, path, "one")
        const first = yield* stamp
        yield* disk.read(path, 10)
        assert.strictEqual(yield* stamp, first)
        // Real file systems count time in steps of some milliseconds.
        yield* Effect.sleep("20 millis")
        yield* put(disk, path, "two")
        const second = yield* stamp
        assert.notStrictEqual(second, first)
        yield* put(disk, other, "two")
        yield* disk.rename(other, path)
        assert.notStrictEqual(yield* stamp, second)
        assert.strictEqual((yield* disk.stat(path)).sizeBytes, 3)
      }))

    test("dates a file by its last write, by whatever way it is asked", (disk, folder) =>
      Effect.gen(function* () {
        const path = join(folder, "a")
        const beforeMs = yield* Clock.currentTimeMillis
        yield* put(disk, path, "one")
        const { modifiedAtMs } = yield* disk.read(path, 10)
        assert.closeTo(modifiedAtMs, beforeMs, 60_000)
        assert.closeTo((yield* disk.stat(path)).modifiedAtMs, modifiedAtMs, 1)
      }))

    test("carries replaceFile: the new one whole, nothing beside it, folders made for it", (disk, folder) =>
      Effect.gen(function* () {
        const path = join(folder, "made", "for", "it", "a")
        yield* replaceFile(disk, { path, bytes: bytesOf("one"), mode: ownerOnly })
        yield* replaceFile(disk, { path, bytes: bytesOf("two"), mode: ownerOnly })
        assert.strictEqual(yield* textOf(disk, path), "two")
        assert.deepStrictEqual([...(yield* disk.list(join(folder, "made", "for", "it")))], ["a"])
      }))
  })
}
