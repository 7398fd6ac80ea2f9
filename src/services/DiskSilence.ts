/**
 * A dead disk (a network mount whose server is gone) neither does what it is asked nor says no. Whoever needs a file in
 * order to go on waits for it as long as it answers, however long that takes, and no longer: the disk is silent when one
 * of its calls has had no answer for two seconds, and until any call gets one.
 *
 * The time is counted in looks, a quarter of a second apart, so that a process that was busy with something else takes no
 * answer that waits to be heard for none.
 */
import { Cause, Context, Effect, Exit, Fiber, Option } from "effect"
import { type Disk, DiskError, type DiskOperation, type OpenFile } from "./Disk.ts"

const lookInterval = "250 millis"
const silentAfterLooks = 8

/** Returns once the disk is silent. Where nobody listens to the disk, two seconds stand for it. */
export const DiskSilence = Context.Reference<Effect.Effect<void>>("holdfast/services/DiskSilence", {
  defaultValue: () => Effect.sleep("2 seconds")
})

export const noAnswer = "the disk does not answer"

/** The same disk, listened to. */
export const listenedTo = (
  disk: Disk["Service"]
): { readonly disk: Disk["Service"]; readonly silence: Effect.Effect<void> } => {
  /** In the order in which they were made. */
  const unanswered = new Set<symbol>()
  let isSilent = false

  const call = <A>(asked: Effect.Effect<A, DiskError>): Effect.Effect<A, DiskError> =>
    Effect.suspend(() => {
      const self = Symbol()
      unanswered.add(self)
      return Effect.onExit(asked, (exit) =>
        Effect.sync(() => {
          unanswered.delete(self)
          if (Exit.isSuccess(exit) || !Cause.hasInterruptsOnly(exit.cause)) isSilent = false
        })
      )
    })

  const silence = Effect.gen(function* () {
    let oldest: symbol | undefined
    let looks = 0
    for (;;) {
      const [now] = unanswered
      looks = now !== undefined && now === oldest ? looks + 1 : 0
      oldest = now
      if (looks >= (isSilent ? 1 : silentAfterLooks)) break
      yield* Effect.sleep(lookInterval)
    }
    isSilent = true
  })

  const openFile = ({ write, sync, close }: OpenFile): OpenFile => ({
    write: (bytes) => call(write(bytes)),
    sync: call(sync),
    close: call(close)
  })

  return {
    silence,
    disk: {
      read: (path, maxBytes) => call(disk.read(path, maxBytes)),
      stat: (path) => call(disk.stat(path)),
      list: (folder) => call(disk.list(folder)),
      makeFolder: (folder) => call(disk.makeFolder(folder)),
      create: (path, mode) => Effect.map(call(disk.create(path, mode)), openFile),
      append: (path, mode) => Effect.map(call(disk.append(path, mode)), openFile),
      rename: (from, to) => call(disk.rename(from, to)),
      link: (from, to) => call(disk.link(from, to)),
      remove: (path) => call(disk.remove(path)),
      syncFolder: (folder) => call(disk.syncFolder(folder))
    }
  }
}

/**
 * Waits for the work as long as the disk answers. After that the work goes on beside, to its end or to that of the scope,
 * so that nothing of it is ever half done; nobody gets its result.
 */
export const whileDiskAnswers = Effect.fnUntraced(function* <A, R>(work: Effect.Effect<A, never, R>) {
  let isAwaited = true
  const told = Effect.tapCause(work, (cause) =>
    isAwaited || Cause.hasInterruptsOnly(cause)
      ? Effect.void
      : Effect.logError("what had waited for the disk failed").pipe(Effect.annotateLogs({ cause: Cause.pretty(cause) }))
  )
  const fiber = yield* Effect.forkDetach(told, { startImmediately: true })
  // An end of the scope breaks the work off and does not wait for it: that might never come.
  yield* Fiber.await(fiber).pipe(
    Effect.onInterrupt(() => Effect.sync(() => fiber.interruptUnsafe())),
    Effect.forkScoped({ startImmediately: true })
  )
  const done = yield* Effect.raceFirst(
    Effect.map(Fiber.join(fiber), Option.some),
    Effect.as(yield* DiskSilence, Option.none())
  )
  isAwaited = false
  return done
})

/**
 * The same disk for whoever can do without: a look fails with `ETIMEDOUT` once the disk is silent. What changes something
 * waits as ever, for it may happen yet.
 */
export const impatient = (disk: Disk["Service"], silence: Effect.Effect<void>): Disk["Service"] => {
  const look = <A>(operation: DiskOperation, path: string, asked: Effect.Effect<A, DiskError>) => {
    const message = `ETIMEDOUT: ${noAnswer}, ${operation} '${path}'`
    const tooLate = Effect.fail(new DiskError({ operation, path, code: "ETIMEDOUT", message }))
    return Effect.raceFirst(asked, Effect.andThen(silence, tooLate))
  }
  return {
    ...disk,
    read: (path, maxBytes) => look("read", path, disk.read(path, maxBytes)),
    stat: (path) => look("stat", path, disk.stat(path)),
    list: (folder) => look("list", folder, disk.list(folder))
  }
}
