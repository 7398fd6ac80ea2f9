/**
 * Objects as files in a folder that all nodes see, over the node's own Disk: no worker, for its calls don't run on the
 * thread that asks. An object is replaced as a whole, by a rename; what a write expects is looked up under a lock
 * (`fileLock.ts`, with its limits). The tag is the digest of the content.
 */
import { randomUUID } from "node:crypto"
import { dirname, join } from "node:path"
import { Effect, Fiber } from "effect"
import { type Disk, type DiskError, replaceFile } from "../../services/Disk.ts"
import {
  type Expectation,
  type ObjectStore,
  ObjectStoreError,
  type ObjectStoreTrouble,
  type StoredObject
} from "../../services/ObjectStore.ts"
import { withLock } from "./fileLock.ts"

/** Read by whoever may read the folder: other nodes may run as other users. */
const mode = 0o640

/** A dead network mount answers never. */
const limitMs = 30_000

/** What the write compares with what lies there, of whatever length. */
const comparedMaxBytes = 1_000_000_000

const troubles: Readonly<Record<string, ObjectStoreTrouble>> = {
  EACCES: "denied",
  EPERM: "denied",
  EROFS: "denied",
  EFBIG: "tooLarge",
  ENAMETOOLONG: "misconfigured",
  ELOOP: "misconfigured"
}

/** A file system without hard links has no lock. */
const noLinks = new Set(["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"])

const troubleOf = ({ operation, code }: DiskError): ObjectStoreTrouble =>
  operation === "link" && noLinks.has(code) ? "unsupported" : (troubles[code] ?? "unavailable")

const isAbsent = ({ code }: DiskError): boolean => code === "ENOENT" || code === "ENOTDIR" || code === "EISDIR"

/** By Node's pool of threads: a large configuration is not digested on the thread that asks. */
const tagOf = (bytes: Uint8Array): Effect.Effect<string> =>
  Effect.map(
    Effect.promise(() => crypto.subtle.digest("SHA-256", new Uint8Array(bytes))),
    (digest) => Buffer.from(digest).toString("hex")
  )

/** A dead disk holds its own calls, and nobody who has waited long enough for them: those end by themselves, if they do. */
const apart = <A, E>(work: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.flatMap(Effect.forkDetach(work, { startImmediately: true }), (fiber) =>
    Effect.onInterrupt(Fiber.join(fiber), () => Effect.sync(() => fiber.interruptUnsafe()))
  )

const isBelow = (key: string): boolean => key.split("/").every((part) => part !== "" && part !== "." && part !== "..")

const isAsExpected = (expects: Expectation, found: StoredObject | undefined): boolean => {
  if (expects._tag === "Anything") return true
  return expects._tag === "Nothing" ? found === undefined : found?.tag === expects.tag
}

export const fileStore = (disk: Disk["Service"], folder: string): ObjectStore => {
  const failing = (operation: "read" | "write", key: string) => (trouble: ObjectStoreTrouble, message: string) =>
    new ObjectStoreError({ trouble, operation, key, message })

  /** The folder is what a bucket is elsewhere: somebody makes it, or mounts it. */
  const folderIsThere = disk.list(folder)

  const readFile = (path: string, maxBytes: number): Effect.Effect<StoredObject | undefined, DiskError> =>
    disk.read(path, maxBytes).pipe(
      Effect.flatMap(({ bytes }) => Effect.map(tagOf(bytes), (tag) => ({ bytes, tag }))),
      Effect.catchIf(isAbsent, () => Effect.as(folderIsThere, undefined))
    )

  const replace = (path: string, bytes: Uint8Array) =>
    replaceFile(disk, { path, bytes, mode, beside: `${path}.new.${randomUUID()}` })

  const call = <A>(
    operation: "read" | "write",
    key: string,
    work: (path: string) => Effect.Effect<A, DiskError | ObjectStoreError>
  ): Effect.Effect<A, ObjectStoreError> => {
    const fails = failing(operation, key)
    if (!isBelow(key)) return Effect.fail(fails("misconfigured", `expected a key without empty parts, . and ..`))
    const missing = `the folder ${folder} is not there`
    return apart(work(join(folder, key))).pipe(
      Effect.catchTag("DiskError", (error) =>
        Effect.fail(
          (error.code === "ENOENT" || error.code === "ENOTDIR") && error.path === folder
            ? fails("misconfigured", `${error.code}: ${missing}`)
            : fails(troubleOf(error), error.message)
        )
      ),
      Effect.timeoutOrElse({
        duration: limitMs,
        orElse: () => Effect.fail(fails("unavailable", `no answer from the disk within ${limitMs} ms`))
      })
    )
  }

  return {
    place: `file://${folder}`,
    read: (key, maxBytes) => call("read", key, (path) => readFile(path, maxBytes)),
    write: (key, { bytes, expects }) =>
      call("write", key, (path) =>
        Effect.gen(function* () {
          yield* folderIsThere
          const tag = yield* tagOf(bytes)
          if (expects._tag === "Anything") {
            yield* replace(path, bytes)
            return tag
          }
          yield* disk.makeFolder(dirname(path))
          const compareAndReplace = Effect.gen(function* () {
            const found = yield* readFile(path, comparedMaxBytes)
            if (!isAsExpected(expects, found))
              return yield* Effect.fail(failing("write", key)("conflict", "the file is not what was expected"))
            yield* replace(path, bytes)
          })
          yield* withLock(disk, path, compareAndReplace)
          return tag
        })
      )
  }
}
