/**
 * A lock between processes and machines that share a folder: a second name for a file of one's own, which only one can
 * give (`link` fails where the name is taken, on NFS as well).
 *
 * Whoever dies with it leaves it behind; so it holds for a minute only, by the clock of the file system alone, as the
 * dates of two files show it. The limits of that: a holder whose disk hangs for longer than that may write after another
 * has the lock, and of several who find a lock left behind at the same instant two may believe that they took it. Even
 * then every object is whole, for it is renamed into place.
 */
import { randomUUID } from "node:crypto"
import { basename, dirname, join } from "node:path"
import { Effect } from "effect"
import type { Disk, DiskError } from "../../services/Disk.ts"

const staleMs = 60_000
const betweenMs = 50
/** What somebody who died left beside the object: nothing that is at work is as old. */
const forgottenMs = 86_400_000
/** A lock holds the path of its holder's own file. */
const lockMaxBytes = 10_000
const ownerOnly = 0o600

type Files = Disk["Service"]

const isCode =
  (...codes: ReadonlyArray<string>) =>
  ({ code }: DiskError): boolean =>
    codes.includes(code)

/** Gone already is as good. */
const removeAnyway = (disk: Files, path: string) => Effect.ignore(disk.remove(path))

const makeOwn = (disk: Files, path: string) =>
  Effect.acquireUseRelease(
    disk.create(path, ownerOnly),
    (file) => file.write(new TextEncoder().encode(path)),
    (file) => Effect.ignore(file.close)
  )

/** Both dates are the file system's own. */
const isLeftBehind = (disk: Files, lock: string, own: string) =>
  Effect.gen(function* () {
    const { modifiedAtMs } = yield* disk.stat(lock)
    return (yield* disk.stat(own)).modifiedAtMs - modifiedAtMs > staleMs
  })

/** Moves aside what was left behind; should a living one have come in between, it gets its name back. */
const breakOpen = Effect.fnUntraced(function* (disk: Files, lock: string, own: string) {
  const aside = `${own}.broken`
  yield* disk.rename(lock, aside)
  if (!(yield* isLeftBehind(disk, aside, own))) yield* Effect.ignore(disk.link(aside, lock))
  yield* disk.remove(aside)
})

const tryOnce = (disk: Files, lock: string, own: string): Effect.Effect<boolean, DiskError> =>
  disk.link(own, lock).pipe(
    Effect.as(true),
    Effect.catchIf(isCode("EEXIST"), () =>
      isLeftBehind(disk, lock, own).pipe(
        Effect.flatMap((isOld) => (isOld ? breakOpen(disk, lock, own) : Effect.void)),
        // Whoever held it may have let go meanwhile.
        Effect.catchIf(isCode("ENOENT"), () => Effect.void),
        Effect.as(false)
      )
    )
  )

const take = (disk: Files, lock: string, own: string) =>
  Effect.gen(function* () {
    // Each attempt with a fresh date of one's own.
    for (;;) {
      yield* makeOwn(disk, own)
      if (yield* tryOnce(disk, lock, own)) return
      yield* Effect.sleep(betweenMs)
    }
  })

/** It may be somebody else's by now. */
const release = (disk: Files, lock: string, own: string) =>
  disk.read(lock, lockMaxBytes).pipe(
    Effect.flatMap(({ bytes }) => (new TextDecoder().decode(bytes) === own ? disk.remove(lock) : Effect.void)),
    Effect.ignore
  )

/** `….new.*` and `….lock.*` of this object, by the dates of the file system. Where that fails, they stay. */
const cleanUp = (disk: Files, path: string, lock: string) =>
  Effect.gen(function* () {
    const { modifiedAtMs: nowMs } = yield* disk.stat(lock)
    const starts = [`${basename(path)}.new.`, `${basename(lock)}.`]
    const names = (yield* disk.list(dirname(path))).filter((name) => starts.some((start) => name.startsWith(start)))
    for (const each of names.map((name) => join(dirname(path), name))) {
      const age = nowMs - (yield* disk.stat(each)).modifiedAtMs
      if (age > forgottenMs) yield* disk.remove(each)
    }
  }).pipe(Effect.ignore)

export const withLock = <A, E>(disk: Files, path: string, use: Effect.Effect<A, E>): Effect.Effect<A, E | DiskError> =>
  Effect.suspend(() => {
    const lock = `${path}.lock`
    const own = `${lock}.${randomUUID()}`
    return Effect.acquireUseRelease(
      take(disk, lock, own).pipe(Effect.ensuring(removeAnyway(disk, own)), Effect.interruptible),
      () => Effect.andThen(cleanUp(disk, path, lock), use),
      () => release(disk, lock, own)
    )
  })
