/**
 * FileWatch by asking for the file's state four times a second. The system's own notices are lost on network and overlay file
 * systems, at the swap of a mounted ConfigMap, and with a folder that is removed and made again; four questions a second
 * cost nothing and miss none of these.
 */
import { Effect, Layer } from "effect"
import { Disk } from "../services/Disk.ts"
import { FileWatch, type WatchedFile } from "../services/FileWatch.ts"

const interval = "250 millis"

const make = Effect.gen(function* () {
  const disk = yield* Disk

  /** Whatever can't be seen counts as absent. */
  const stampOf = (file: string): Effect.Effect<string> =>
    Effect.match(disk.stat(file), { onSuccess: ({ stamp }) => stamp, onFailure: () => "absent" })

  const watch = Effect.fnUntraced(function* (file: string): Effect.fn.Return<WatchedFile> {
    const look = stampOf(file)
    let told = yield* look
    const changed = Effect.gen(function* () {
      let before = told
      for (;;) {
        const now = yield* look
        if (now !== told && now === before) {
          told = now
          return
        }
        before = now
        yield* Effect.sleep(interval)
      }
    })
    return { changed }
  })

  return { watch }
})

export const layer: Layer.Layer<FileWatch, never, Disk> = Layer.effect(FileWatch, make)
