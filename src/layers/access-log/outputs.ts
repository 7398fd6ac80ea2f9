/** Where lines go: behind a file, or to whoever reads the process's standard output. */
import { fstatSync, write as writeToDescriptor } from "node:fs"
import { Socket } from "node:net"
import { dirname } from "node:path"
import { Data, Effect, type Scope } from "effect"
import type { Disk, OpenFile } from "../../services/Disk.ts"

export class OutputFailed extends Data.TaggedError("OutputFailed")<{ readonly message: string }> {}

export interface Output {
  /** Done when the system has the bytes. */
  readonly write: (bytes: Uint8Array) => Effect.Effect<void, OutputFailed>
  readonly reopen: Effect.Effect<void>
}

/** As nginx makes it: readable for the group that reads logs. */
const fileMode = 0o640

/** What failed is opened anew for the next lines: the disk may have room by then, or be back. */
export const fileOutput = (disk: Disk["Service"], path: string): Effect.Effect<Output, never, Scope.Scope> =>
  Effect.gen(function* () {
    let open: OpenFile | undefined
    /** A failed write may have left a part of a line. */
    let isTorn = false

    const close = Effect.suspend(() => {
      const before = open
      open = undefined
      return before === undefined ? Effect.void : Effect.ignore(before.close)
    })

    const opened = Effect.gen(function* () {
      if (open !== undefined) return open
      yield* disk.makeFolder(dirname(path))
      open = yield* disk.append(path, fileMode)
      return open
    })

    const write = (bytes: Uint8Array) =>
      Effect.gen(function* () {
        const file = yield* opened
        if (isTorn) yield* file.write(new Uint8Array([newline]))
        isTorn = true
        yield* file.write(bytes)
        isTorn = false
      }).pipe(
        Effect.tapError(() => close),
        Effect.mapError(({ message }) => new OutputFailed({ message }))
      )

    yield* Effect.addFinalizer(() => close)
    return { write, reopen: close }
  })

const newline = 0x0a

const descriptors: Readonly<Record<string, number>> = { "/dev/stdout": 1, "/dev/stderr": 2 }

/** The descriptor that a path stands for. */
export const descriptorOf = (path: string): number | undefined => descriptors[path]

type Write = (bytes: Uint8Array, done: (error?: Error | null) => void) => void

const kindOf = (fd: number): "pipe" | "file" | "terminal" => {
  try {
    const stats = fstatSync(fd)
    if (stats.isFIFO() || stats.isSocket()) return "pipe"
    return stats.isFile() ? "file" : "terminal"
  } catch {
    return "terminal"
  }
}

const toFile =
  (fd: number): Write =>
  (bytes, done) =>
    writeToDescriptor(fd, bytes, (error, written) => {
      if (error !== null || written >= bytes.length) done(error)
      else toFile(fd)(bytes.subarray(written), done)
    })

/** Node writes to pipes and files of these descriptors synchronously: a reader that stalls would stop the proxy. */
const writerTo = (fd: number): Write => {
  const own = fd === 1 ? process.stdout : process.stderr
  // Unheard, an error here would end the process; every write is told of its own.
  own.on("error", () => {})
  const kind = kindOf(fd)
  if (kind === "file") return toFile(fd)
  if (kind === "terminal") return (bytes, done) => void own.write(bytes, done)
  const pipe = new Socket({ fd, readable: false, writable: true })
  pipe.on("error", () => {})
  pipe.unref()
  return (bytes, done) => void pipe.write(bytes, done)
}

/** The descriptor is the process's, and stays open. */
export const streamOutput = (fd: number): Effect.Effect<Output> =>
  Effect.sync(() => {
    const write = writerTo(fd)
    return {
      write: (bytes) =>
        Effect.callback<void, OutputFailed>((resume) => {
          write(bytes, (error) =>
            resume(error ? Effect.fail(new OutputFailed({ message: error.message })) : Effect.void)
          )
        }),
      reopen: Effect.void
    }
  })
