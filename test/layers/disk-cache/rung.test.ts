/** The disk rung on real files and on a virtual disk. */
import { join } from "node:path"
import { Effect, type Layer } from "effect"
import * as NodeDisk from "../../../src/layers/NodeDisk.ts"
import { Disk } from "../../../src/services/Disk.ts"
import * as VirtualDisk from "../../../src/testing/VirtualDisk.ts"
import { type RungWorld, rungConformance } from "../../conformance/rung.ts"
import { fileIn, plainFile, startCache } from "../../support/diskCache.ts"
import { temporaryFolder } from "../../support/folder.ts"

const generationsMax = 3

const worldOn = (layer: Layer.Layer<Disk>, prefix: string) =>
  Effect.gen(function* () {
    const disk = yield* Disk
    const generations = join(prefix, "generations")
    const put = (path: string, bytes: Uint8Array) =>
      Effect.gen(function* () {
        yield* disk.makeFolder(prefix)
        // As an editor does it: a new file under the old name.
        const file = yield* disk.create(`${path}.edit`, 0o600)
        yield* file.write(bytes)
        yield* file.close
        yield* disk.rename(`${path}.edit`, path)
      }).pipe(Effect.orDie)
    const count = (folder: string, ending: RegExp) =>
      disk.list(folder).pipe(
        Effect.map((names) => names.filter((name) => ending.test(name)).length),
        Effect.orElseSucceed(() => 0)
      )
    const start = startCache(prefix, { config_cache_generations: String(generationsMax) }, layer)
    const world: RungWorld = {
      source: "disk",
      start,
      put: (raw) => put(fileIn(prefix), plainFile(raw)),
      damage: put(fileIn(prefix), new Uint8Array([31, 139, 8, 0])),
      remove: Effect.ignore(disk.remove(fileIn(prefix))),
      keepsRefused: false,
      writable: {
        start,
        generationsMax,
        damageOlder: (steps) =>
          Effect.gen(function* () {
            const names = (yield* disk.list(generations)).toSorted()
            yield* put(join(generations, names.at(-steps) ?? ""), new Uint8Array([1, 2, 3]))
          }).pipe(Effect.orDie),
        olderCount: count(generations, /\.json\.gz$/),
        quarantineCount: count(join(prefix, "quarantine"), /\.json\.gz$/),
        quarantineMax: 10
      }
    }
    return world
  }).pipe(Effect.provide(layer))

rungConformance(
  "the disk cache on real files",
  true,
  Effect.flatMap(temporaryFolder, (folder) => worldOn(NodeDisk.layer, join(folder, "prefix")))
)

rungConformance(
  "the disk cache on a virtual disk",
  true,
  Effect.suspend(() => worldOn(VirtualDisk.make().layer, "/prefix"))
)
