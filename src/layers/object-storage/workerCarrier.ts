/**
 * Carries calls to a worker, which is started by the first of them, ended when none came for a while and when the scope
 * closes. When it dies, the calls under way fail as passing troubles, and the next one starts another.
 */
import { Worker } from "node:worker_threads"
import { Effect, RcRef, type Scope } from "effect"
import { messageOf } from "../../model/thrown.ts"
import type { Carry } from "./carriedStore.ts"
import { withoutSecrets } from "./credentials.ts"
import type { FromWorker, Outcome, Question, ToWorker } from "./messages.ts"
import type { StoreEnvironment, VendorOptions } from "./vendorStore.ts"

export interface WorkerOptions extends VendorOptions {
  readonly env: StoreEnvironment
  /** How long a worker without a call lives. */
  readonly idleMs: number
  /** Another worker than our own, for tests. */
  readonly file?: URL
}

/** Beside this file whatever it has become: TypeScript, a module of the library, a chunk of the bundle. */
const workerFile = (): URL =>
  new URL(import.meta.url.endsWith(".ts") ? "./storageWorker.ts" : "./storageWorker.js", import.meta.url)

/** The worker keeps its own time; this much later it counts as stuck. */
const graceMs = 5_000

const failed = (message: string): Outcome => ({ _tag: "Failed", trouble: "unavailable", message })

/** So much is copied at once, a fraction of a millisecond: whoever else waits for this thread gets a turn. */
const sliceBytes = 128 * 1024

/** The caller keeps its bytes: what is handed over to a worker is gone here. */
const ownBytes = Effect.fnUntraced(function* (bytes: Uint8Array) {
  const copy = new Uint8Array(bytes.length)
  for (let at = 0; at < bytes.length; at += sliceBytes) {
    if (at > 0) yield* Effect.yieldNow
    copy.set(bytes.subarray(at, at + sliceBytes), at)
  }
  return copy
})

const forWorker = (question: Question): Effect.Effect<Question> =>
  question.operation === "read"
    ? Effect.succeed(question)
    : Effect.map(ownBytes(question.bytes), (bytes) => ({ ...question, bytes }))

const transferOf = (question: Question): Array<ArrayBuffer> =>
  question.operation === "write" && question.bytes.buffer instanceof ArrayBuffer ? [question.bytes.buffer] : []

class StorageThread {
  readonly #worker: Worker
  readonly #waiting = new Map<number, (outcome: Outcome) => void>()
  #lastId = 0
  #end: string | undefined

  constructor({ location, putObject, connectMs, totalMs, env, file = workerFile() }: WorkerOptions) {
    const workerData: VendorOptions = { location, putObject, connectMs, totalMs }
    // What a vendor's client prints is no line of our log.
    this.#worker = new Worker(file, { name: "object storage", workerData, env, stdout: true, stderr: true })
    for (const output of [this.#worker.stdout, this.#worker.stderr]) output.resume()
    this.#worker.on("message", ({ id, outcome }: FromWorker) => this.#settle(id, outcome))
    this.#worker.on("error", (cause) =>
      this.#die(withoutSecrets(env, `the worker for object storage failed: ${messageOf(cause)}`))
    )
    this.#worker.on("exit", () => this.#die("the worker for object storage ended"))
    this.#worker.unref()
  }

  get isDead(): boolean {
    return this.#end !== undefined
  }

  /** Takes the question's bytes with it. */
  readonly ask = (question: Question): Effect.Effect<Outcome> =>
    Effect.callback((resume) => {
      if (this.#end !== undefined) return resume(Effect.succeed(failed(this.#end)))
      const id = ++this.#lastId
      this.#waiting.set(id, (outcome) => resume(Effect.succeed(outcome)))
      // A process does not end while somebody waits.
      this.#worker.ref()
      this.#worker.postMessage({ id, question } satisfies ToWorker, transferOf(question))
      return Effect.sync(() => this.#abort(id))
    })

  readonly end = (): Promise<unknown> => {
    this.#die("the worker for object storage was ended")
    return this.#worker.terminate()
  }

  readonly #settle = (id: number, outcome: Outcome): void => {
    const settle = this.#waiting.get(id)
    this.#forget(id)
    settle?.(outcome)
  }

  readonly #forget = (id: number): void => {
    this.#waiting.delete(id)
    if (this.#waiting.size === 0) this.#worker.unref()
  }

  readonly #abort = (id: number): void => {
    if (!this.#waiting.has(id)) return
    this.#forget(id)
    this.#worker.postMessage({ id, question: "abort" } satisfies ToWorker)
  }

  readonly #die = (why: string): void => {
    this.#end ??= why
    for (const id of [...this.#waiting.keys()]) this.#settle(id, failed(this.#end))
  }
}

export const makeWorkerCarrier = (options: WorkerOptions): Effect.Effect<Carry, never, Scope.Scope> =>
  Effect.map(
    RcRef.make({
      acquire: Effect.acquireRelease(
        Effect.sync(() => new StorageThread(options)),
        (thread) => Effect.promise(thread.end)
      ),
      idleTimeToLive: options.idleMs
    }),
    (threads) => {
      const living: Effect.Effect<StorageThread, never, Scope.Scope> = Effect.flatMap(RcRef.get(threads), (thread) =>
        thread.isDead ? Effect.andThen(RcRef.invalidate(threads), RcRef.get(threads)) : Effect.succeed(thread)
      )
      /** Stuck: nothing else can be done with it. */
      const giveUp = (thread: StorageThread) =>
        Effect.promise(thread.end).pipe(
          Effect.forkDetach,
          Effect.as(failed(`no answer from the worker within ${options.totalMs + graceMs} ms`))
        )
      return (question) =>
        Effect.scoped(
          Effect.flatMap(living, (thread) =>
            Effect.flatMap(forWorker(question), thread.ask).pipe(
              Effect.timeoutOrElse({ duration: options.totalMs + graceMs, orElse: () => giveUp(thread) })
            )
          )
        )
    }
  )
