/**
 * FileWatch by asking for the file's state four times a second. The system's own notices are lost on network and overlay file
 * systems, at the swap of a mounted ConfigMap, and with a folder that is removed and made again; four questions a second
 * cost nothing and miss none of these.
 */
import { stat } from "node:fs/promises"
import { Effect, Layer } from "effect"
import { FileWatch } from "../services/FileWatch.ts"

const interval = "250 millis"

/** What no way of changing a file leaves as it was. Whatever can't be seen counts as absent. */
const stampOf = async (file: string): Promise<string> => {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(file, { bigint: true })
    return [dev, ino, size, mtimeNs, ctimeNs].join()
  } catch {
    return "absent"
  }
}

const watch = Effect.fnUntraced(function* (file: string) {
  const look = Effect.promise(() => stampOf(file))
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

export const layer: Layer.Layer<FileWatch> = Layer.succeed(FileWatch, { watch })
