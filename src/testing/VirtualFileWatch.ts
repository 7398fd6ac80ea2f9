/** FileWatch that tells of changes by the hand that plays fate, at once; what a node itself writes is no news to it. */
import { Deferred, Effect } from "effect"
import type { FileWatch, WatchedFile } from "../services/FileWatch.ts"
import type { Machine } from "./Machine.ts"

const watched = (machine: Machine, file: string): WatchedFile => {
  let isChanged = false
  let woken: Deferred.Deferred<void> | undefined
  machine.onTouch(file, () => {
    isChanged = true
    if (woken !== undefined) Deferred.doneUnsafe(woken, Effect.void)
  })
  const wait = Effect.suspend(() => {
    if (isChanged) return Effect.void
    woken = Deferred.makeUnsafe<void>()
    return Deferred.await(woken)
  })
  const settle = Effect.sync(() => {
    isChanged = false
    woken = undefined
  })
  return { changed: Effect.andThen(wait, settle) }
}

export const makeFileWatch = (machine: Machine): FileWatch["Service"] => ({
  watch: (file) => Effect.sync(() => watched(machine, file))
})
