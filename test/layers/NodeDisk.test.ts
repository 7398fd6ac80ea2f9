import { chmod, stat, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as NodeDisk from "../../src/layers/NodeDisk.ts"
import { Disk } from "../../src/services/Disk.ts"
import { diskConformance } from "../conformance/disk.ts"
import { temporaryFolder } from "../support/folder.ts"

const make = Effect.gen(function* () {
  return { disk: yield* Disk, folder: yield* temporaryFolder }
}).pipe(Effect.provide(NodeDisk.layer))

diskConformance("NodeDisk", make)

const modeOf = (path: string) => Effect.promise(async () => (await stat(path)).mode & 0o777)

describe("NodeDisk", () => {
  it.live("gives a file the mode that was asked for, also one that a crash left with another", () =>
    Effect.gen(function* () {
      const { disk, folder } = yield* make
      const path = join(folder, "a")
      yield* Effect.promise(() => writeFile(path, "left over"))
      yield* Effect.promise(() => chmod(path, 0o644))
      yield* Effect.flatMap(disk.create(path, 0o600), ({ close }) => close)
      assert.strictEqual(yield* modeOf(path), 0o600)
    })
  )

  it.live("makes folders relative to where the process stands, flushing each that is above a new one", () =>
    Effect.gen(function* () {
      const { disk, folder } = yield* make
      yield* disk.makeFolder(join(folder, "a", "..", "b", "c"))
      assert.deepStrictEqual([...(yield* disk.list(join(folder, "b")))], ["c"])
    })
  )
})
