/** Where lines go: behind a file, or to whoever reads the process's standard output. */
import { constants, fstatSync, openSync, write as writeToDescriptor } from "node:fs"
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

    /** The torn line may have been moved away. */
    const hasText = disk.stat(path).pipe(
      Effect.map(({ sizeBytes }) => sizeBytes > 0),
      Effect.orElseSucceed(() => true)
    )

    const write = (bytes: Uint8Array) =>
      Effect.gen(function* () {
        const file = yield* opened
        if (isTorn && (yield* hasText)) yield* file.write(new Uint8Array([newline]))
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

type Write = (bytes: Uint8Array) => Effect.Effect<void, OutputFailed>

type Done = (error?: Error | null) => void

/** What `start` gives back stops what was started. */
const written = (start: (done: Done) => () => void): Effect.Effect<void, OutputFailed> =>
  Effect.callback((resume) => {
    const done: Done = (error) =>
      resume(error ? Effect.fail(new OutputFailed({ message: error.message })) : Effect.void)
    return Effect.sync(start(done))
  })

const throughStream =
  (stream: NodeJS.WritableStream): Write =>
  (bytes) =>
    written((done) => {
      stream.write(bytes, done)
      return () => {}
    })

const kindOf = (fd: number): "pipe" | "file" | "terminal" => {
  try {
    const stats = fstatSync(fd)
    if (stats.isFIFO() || stats.isSocket()) return "pipe"
    return stats.isFile() ? "file" : "terminal"
  } catch {
    return "terminal"
  }
}

const fullPauseMs = 10

/** Off the thread that serves. A descriptor that somebody has made non-blocking says so when it is full. */
const byCalls =
  (fd: number): Write =>
  (bytes) =>
    written((done) => {
      let timer: NodeJS.Timeout | undefined
      let isStopped = false
      const go = (rest: Uint8Array): void =>
        writeToDescriptor(fd, rest, (error, count) => {
          if (isStopped) return
          if (error?.code === "EAGAIN") timer = setTimeout(go, fullPauseMs, rest)
          else if (error !== null || count >= rest.length) done(error)
          else go(rest.subarray(count))
        })
      go(bytes)
      return () => {
        isStopped = true
        clearTimeout(timer)
      }
    })

/**
 * The same pipe by a descriptor of our own. Of two handles in one process that wait for room on one descriptor only one is ever
 * woken, and the log of happenings, or an embedder's output, may have the other. A socket can't be opened anew.
 */
const openedAnew = (fd: number): number | undefined => {
  try {
    return openSync(`/dev/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK)
  } catch {
    return undefined
  }
}

const toPipe = (fd: number): Effect.Effect<Write, never, Scope.Scope> =>
  Effect.gen(function* () {
    const own = openedAnew(fd)
    if (own === undefined) return byCalls(fd)
    const pipe = new Socket({ fd: own, readable: false, writable: true })
    pipe.on("error", () => {})
    pipe.unref()
    yield* Effect.addFinalizer(() => Effect.sync(() => pipe.destroy()))
    return throughStream(pipe)
  })

const toTerminal = (fd: number): Effect.Effect<Write, never, Scope.Scope> =>
  Effect.gen(function* () {
    const own = fd === 1 ? process.stdout : process.stderr
    const ignore = () => {}
    // Unheard, an error here would end the process; every write is told of its own.
    yield* Effect.acquireRelease(
      Effect.sync(() => own.on("error", ignore)),
      () => Effect.sync(() => own.off("error", ignore))
    )
    return throughStream(own)
  })

const writerTo: Readonly<Record<ReturnType<typeof kindOf>, (fd: number) => Effect.Effect<Write, never, Scope.Scope>>> =
  {
    // Node writes to pipes and files of these descriptors synchronously: a reader that stalls would stop the proxy.
    pipe: toPipe,
    file: (fd) => Effect.succeed(byCalls(fd)),
    terminal: toTerminal
  }

/** The descriptor is the process's, and stays open. */
export const streamOutput = (fd: number): Effect.Effect<Output, never, Scope.Scope> =>
  Effect.map(writerTo[kindOf(fd)](fd), (write) => ({ write, reopen: Effect.void }))
