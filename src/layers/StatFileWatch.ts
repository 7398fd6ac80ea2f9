/**
 * FileWatch by asking for the file's state four times a second. The system's own notices are lost on network and overlay file
 * systems, at the swap of a mounted ConfigMap, and with a folder that is removed and made again; four questions a second
 * cost nothing and miss none of these.
 *
 * The files of one folder are asked for one after the other: a dead disk is asked one question, however many files of it
 * are followed, and what lies elsewhere is followed on.
 */
import { dirname, resolve } from "node:path"
import { Effect, Layer, Option, Scope } from "effect"
import { Disk } from "../services/Disk.ts"
import { whileDiskAnswers } from "../services/DiskSilence.ts"
import { FileWatch, type WatchedFile } from "../services/FileWatch.ts"
import { supervise } from "../services/supervise.ts"

const interval = "250 millis"

/** A file as it was seen last, by however many it is followed. */
interface Followed {
  readonly file: string
  stamp: string | undefined
  /** The last look saw what the one before it saw. */
  isResting: boolean
  looks: number
  readonly woken: Set<() => void>
}

const nextLook = ({ woken }: Followed): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    const wake = () => resume(Effect.void)
    woken.add(wake)
    return Effect.sync(() => void woken.delete(wake))
  })

const take = (followed: Followed, stamp: string): void => {
  followed.isResting = stamp === followed.stamp
  followed.stamp = stamp
  followed.looks++
  const woken = [...followed.woken]
  followed.woken.clear()
  for (const wake of woken) wake()
}

const make = Effect.gen(function* () {
  const disk = yield* Disk
  const scope = yield* Effect.scope
  const folders = new Map<string, Map<string, Followed>>()

  /** Whatever can't be seen counts as absent. */
  const stampOf = (file: string): Effect.Effect<string> =>
    Effect.match(disk.stat(file), { onSuccess: ({ stamp }) => stamp, onFailure: () => "absent" })

  const scan = (files: Map<string, Followed>) =>
    Effect.gen(function* () {
      for (;;) {
        for (const followed of files.values()) take(followed, yield* stampOf(followed.file))
        yield* Effect.sleep(interval)
      }
    })

  const follow = Effect.fnUntraced(function* (file: string) {
    const [folder, path] = [dirname(resolve(file)), resolve(file)]
    const files = folders.get(folder) ?? new Map<string, Followed>()
    const followed = files.get(path) ?? { file, stamp: undefined, isResting: false, looks: 0, woken: new Set() }
    files.set(path, followed)
    if (!folders.has(folder)) {
      folders.set(folder, files)
      yield* supervise("file watch", scan(files)).pipe(Scope.provide(scope))
    }
    return followed
  })

  const watch = Effect.fnUntraced(function* (file: string): Effect.fn.Return<WatchedFile> {
    // Seen late, a file may have changed since: then the first sight of it is told.
    let told = Option.getOrUndefined(yield* whileDiskAnswers(stampOf(file)).pipe(Scope.provide(scope)))
    const followed = yield* follow(file)
    // A look that is under way may have seen what was there before.
    const settledLooks = followed.looks + 2
    const changed = Effect.gen(function* () {
      for (;;) {
        const { stamp, isResting, looks } = followed
        if (isResting && looks >= settledLooks && stamp !== undefined && stamp !== told) {
          told = stamp
          return
        }
        yield* nextLook(followed)
      }
    })
    return { changed }
  })

  return { watch }
})

export const layer: Layer.Layer<FileWatch, never, Disk> = Layer.effect(FileWatch, make)
