/** The worker that carries a vendor's client: its life, its death, and who waits for it meanwhile (`resilience.md` §5). */
import { cpSync, mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Scope } from "effect"
import { TestClock } from "effect/testing"
import { carriedStore } from "../../../src/layers/object-storage/carriedStore.ts"
import { makeWorkerCarrier } from "../../../src/layers/object-storage/workerCarrier.ts"
import type { ObjectStore } from "../../../src/services/ObjectStore.ts"
import { bytesOf } from "../../conformance/disk.ts"
import { failureOf, troubleOf } from "../../conformance/objectStore.ts"
import { temporaryFolder } from "../../support/folder.ts"

/** Writes are tagged with the thread that did them; some keys do to the worker what they say. */
const fixture = `
  import { parentPort, threadId } from "node:worker_threads"
  const aborted = []
  const held = new Map()
  const deeds = {
    exit: () => process.exit(3),
    throw: () => { throw new Error("boom") },
    tell: () => { throw new Error("by " + process.env.AWS_SECRET_ACCESS_KEY + process.env.GCP_SERVICE_ACCOUNT) },
    "tell key": () => { throw new Error("by " + JSON.parse(process.env.GCP_SERVICE_ACCOUNT).private_key) },
    spin: () => { for (;;); },
    hold: (id) => held.set(id, true)
  }
  parentPort.on("message", ({ id, question }) => {
    if (question === "abort") return void aborted.push(id)
    const { key } = question
    if (key in deeds) return deeds[key](id)
    const tag = key === "aborted" ? aborted.join() : key === "length" ? String(question.bytes.length) : String(threadId)
    parentPort.postMessage({ id, outcome: { _tag: "Written", tag } })
  })
`

const location = { kind: "s3", bucket: "bucket", prefix: "" } as const

const openWith = Effect.fnUntraced(function* (env: Record<string, string>) {
  const path = join(yield* temporaryFolder, "worker.mjs")
  writeFileSync(path, fixture)
  const carry = yield* makeWorkerCarrier({
    location,
    putObject: {},
    connectMs: 1_000,
    totalMs: 30_000,
    idleMs: 60_000,
    env,
    file: pathToFileURL(path)
  })
  return carriedStore("s3://bucket", carry)
})

const open = openWith({})

const ask = (store: ObjectStore, key: string) =>
  store.write(key, { bytes: bytesOf("one"), contentType: "text/plain", expects: { _tag: "Anything" } })

const realTime = (ms: number) => Effect.promise(() => new Promise<void>((resolve) => setTimeout(resolve, ms)))

describe("a worker for object storage", () => {
  it.effect("is one for all calls, and ends when none came for a while", () =>
    Effect.gen(function* () {
      const store = yield* open
      const first = yield* ask(store, "a")
      assert.deepStrictEqual(yield* Effect.all([ask(store, "a"), ask(store, "b")], { concurrency: 2 }), [first, first])
      yield* TestClock.adjust("59 seconds")
      assert.strictEqual(yield* ask(store, "a"), first)
      yield* TestClock.adjust("61 seconds")
      assert.notStrictEqual(yield* ask(store, "a"), first)
    })
  )

  it.effect("does not end while somebody waits for it", () =>
    Effect.gen(function* () {
      const store = yield* open
      const first = yield* ask(store, "a")
      const waiting = yield* Effect.forkChild(ask(store, "hold"), { startImmediately: true })
      yield* TestClock.adjust("34 seconds")
      assert.strictEqual(yield* ask(store, "a"), first)
      yield* Fiber.interrupt(waiting)
    })
  )

  for (const [death, message] of [
    ["exit", /ended/],
    ["throw", /boom/]
  ] as const)
    it.live(`fails the calls under way when it dies (${death}), and the next call has another one`, () =>
      Effect.gen(function* () {
        const store = yield* open
        const first = yield* ask(store, "a")
        const held = yield* Effect.forkChild(failureOf(ask(store, "hold")), { startImmediately: true })
        const died = yield* failureOf(ask(store, death))
        assert.deepInclude(died, { trouble: "unavailable", operation: "write", key: death })
        assert.match(died.message, message)
        assert.strictEqual((yield* Fiber.join(held)).trouble, "unavailable")
        assert.notStrictEqual(yield* ask(store, "a"), first)
      })
    )

  it.live("tells none of its secrets when it dies", () =>
    Effect.gen(function* () {
      const lines = ["MIIEvQIBADANBgkqhkiG9w0BAQEFAASC", "BKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj"]
      const private_key = `-----BEGIN PRIVATE KEY-----\n${lines.join("\n")}\n-----END PRIVATE KEY-----\n`
      const store = yield* openWith({
        AWS_SECRET_ACCESS_KEY: "very secret indeed",
        GCP_SERVICE_ACCOUNT: JSON.stringify({ client_email: "a@b", private_key })
      })
      for (const deed of ["tell", "tell key"]) {
        const { message } = yield* failureOf(ask(store, deed))
        assert.include(message, "***")
        for (const secret of ["very secret", ...lines]) assert.notInclude(message, secret)
      }
    })
  )

  it.live("is replaced when it died while nobody waited", () =>
    Effect.gen(function* () {
      const store = yield* open
      yield* failureOf(ask(store, "exit"))
      yield* realTime(50)
      assert.isNotEmpty(yield* ask(store, "a"))
      assert.isNotEmpty(yield* ask(store, "b"))
    })
  )

  it.effect("counts as stuck when it keeps no time of its own, and is ended", () =>
    Effect.gen(function* () {
      const store = yield* open
      const first = yield* ask(store, "a")
      const stuck = yield* Effect.forkChild(failureOf(ask(store, "spin")), { startImmediately: true })
      yield* realTime(50)
      yield* TestClock.adjust("36 seconds")
      assert.strictEqual((yield* Fiber.join(stuck)).trouble, "unavailable")
      assert.notStrictEqual(yield* ask(store, "a"), first)
    })
  )

  it.live("hears that nobody waits any more", () =>
    Effect.gen(function* () {
      const store = yield* open
      const held = yield* Effect.forkChild(ask(store, "hold"), { startImmediately: true })
      yield* ask(store, "a")
      yield* Fiber.interrupt(held)
      assert.strictEqual(yield* ask(store, "aborted"), "1")
    })
  )

  it.live("ends with the scope, and whoever waits is told", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const store = yield* Scope.provide(open, scope)
      const held = yield* Effect.forkDetach(failureOf(ask(store, "hold")), { startImmediately: true })
      yield* realTime(50)
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual((yield* Fiber.join(held)).trouble, "unavailable")
    })
  )

  it.live("leaves the caller's bytes with the caller", () =>
    Effect.gen(function* () {
      const store = yield* open
      const bytes = new Uint8Array(1_000)
      const object = {
        bytes: bytes.subarray(10, 20),
        contentType: "text/plain",
        expects: { _tag: "Anything" }
      } as const
      assert.strictEqual(yield* store.write("length", object), "10")
      assert.lengthOf(bytes, 1_000)
    })
  )

  it.live("names the package that is not installed", () =>
    Effect.gen(function* () {
      // Our own worker, where no vendor's client is in reach.
      const folder = yield* temporaryFolder
      writeFileSync(join(folder, "package.json"), '{"type":"module"}')
      mkdirSync(join(folder, "layers"))
      for (const part of ["layers/object-storage", "model"])
        cpSync(`src/${part}`, join(folder, part), { recursive: true })
      for (const [kind, name] of [
        ["s3", "@aws-sdk/client-s3"],
        ["gcs", "@google-cloud/storage"]
      ] as const) {
        const carry = yield* makeWorkerCarrier({
          location: { kind, bucket: "bucket", prefix: "" },
          putObject: {},
          connectMs: 1_000,
          totalMs: 10_000,
          idleMs: 60_000,
          env: {},
          file: pathToFileURL(join(folder, "layers/object-storage/storageWorker.ts"))
        })
        const error = yield* failureOf(carriedStore("s3://bucket", carry).read("a", 10))
        assert.deepInclude(error, { trouble: "misconfigured" })
        assert.include(error.message, `npm install ${name}`)
        assert.strictEqual(yield* troubleOf(ask(carriedStore("s3://bucket", carry), "a")), "misconfigured")
      }
    })
  )
})
