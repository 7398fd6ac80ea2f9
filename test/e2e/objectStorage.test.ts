/**
 * The vendors' clients against servers that speak like their stores, over real sockets and from the worker that carries
 * them in a node (`resilience.md` §5): what every object store keeps, and what becomes of each trouble. Which server
 * stands for which store, and why: `test/support/storeEmulators.ts`. Skipped aloud where one is missing.
 */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { afterAll, beforeAll } from "vitest"
import { carriedStore } from "../../src/layers/object-storage/carriedStore.ts"
import type { VendorLocation } from "../../src/layers/object-storage/vendorStore.ts"
import { makeWorkerCarrier } from "../../src/layers/object-storage/workerCarrier.ts"
import { showStorageLocation } from "../../src/model/StorageLocation.ts"
import type { Expectation, ObjectStore, ObjectStoreError } from "../../src/services/ObjectStore.ts"
import { bytesOf } from "../conformance/disk.ts"
import { failureOf, objectStoreConformance, textAt, troubleOf } from "../conformance/objectStore.ts"
import { temporaryFolder } from "../support/folder.ts"
import { azureMachine, googleMachine, token, trusting } from "../support/machineIdentity.ts"
import { run as runProcess } from "../support/process.ts"
import { freePort } from "../support/processes.ts"
import { type Emulator, emulators, type RunningEmulator } from "../support/storeEmulators.ts"
import { startTroubledProxy, type Trouble, type TroubledProxy } from "../support/troubledProxy.ts"

const nothing: Expectation = { _tag: "Nothing" }
const anything: Expectation = { _tag: "Anything" }

const put = (store: ObjectStore, key: string, text: string, expects: Expectation = anything) =>
  store.write(key, { bytes: bytesOf(text), contentType: "application/json", expects })

/** Somebody's program over the library as it is built, with its settings and the environment's credentials. */
const embedder = (place: string) => `
  import { Effect, Layer } from ${JSON.stringify(import.meta.resolve("effect"))}
  import { ConfigStorage, NodeDisk, parseSettings, Settings, WorkerConfigStorage }
    from ${JSON.stringify(pathToFileURL("dist/lib/index.js"))}
  const command = { cluster_fallback_config_export: "on", cluster_fallback_config_storage: ${JSON.stringify(place)}, role: "control_plane" }
  const { values } = parseSettings({ env: {}, command })
  const store = WorkerConfigStorage.layer.pipe(Layer.provide([Layer.succeed(Settings, values), NodeDisk.layer]))
  const text = await Effect.gen(function* () {
    const storage = yield* ConfigStorage
    const bytes = new TextEncoder().encode("one")
    yield* storage.write("a", { bytes, contentType: "text/plain", expects: { _tag: "Nothing" } })
    return new TextDecoder().decode((yield* storage.read("a", 100)).bytes)
  }).pipe(Effect.provide(store), Effect.runPromise)
  console.log(text)
`

/** Each store's way to say it. */
const words = {
  denied: {
    S3: "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>",
    Google: '{"error":{"code":403,"message":"no access","errors":[{"reason":"forbidden"}]}}',
    Azure: "<?xml version='1.0'?><Error><Code>AuthorizationPermissionMismatch</Code><Message>no</Message></Error>"
  }
} as const

const run = (emulator: Emulator) => {
  let running: RunningEmulator
  let proxy: TroubledProxy
  beforeAll(async () => {
    running = await emulator.start()
    proxy = await startTroubledProxy(running.port)
  })
  afterAll(async () => {
    await proxy?.close()
    await running?.stop()
  })

  /** Each with a worker of its own, as each node has. */
  const openAt = (
    location: VendorLocation,
    port: number,
    { totalMs = 20_000, file }: { readonly totalMs?: number; readonly file?: URL } = {}
  ) =>
    Effect.map(
      makeWorkerCarrier({
        location,
        putObject: {},
        connectMs: 5_000,
        totalMs,
        idleMs: 60_000,
        env: running.env(port),
        ...(file === undefined ? {} : { file })
      }),
      (carry) => carriedStore(showStorageLocation(location), carry)
    )

  objectStoreConformance(
    emulator.name,
    (prefix) => Effect.suspend(() => openAt(running.location(prefix), running.port)),
    {
      writers: 4
    }
  )

  describe(`${emulator.name} from what is built`, () => {
    const forms = { daemon: "dist/daemon/storageWorker.js", library: "dist/lib/layers/object-storage/storageWorker.js" }
    for (const [form, path] of Object.entries(forms))
      it.live(`the worker of the ${form}`, () =>
        Effect.gen(function* () {
          const location = running.location(`${form}-${process.pid}`)
          const store = yield* openAt(location, running.port, { file: pathToFileURL(path) })
          assert.isUndefined(yield* store.read("a", 100))
          yield* put(store, "a", "one", nothing)
          assert.strictEqual(yield* troubleOf(put(store, "a", "two", nothing)), "conflict")
          assert.strictEqual(yield* textAt(store, "a"), "one")
        })
      )

    it.live("the library finds its worker, and a process ends that has used it", () =>
      Effect.gen(function* () {
        const script = join(yield* temporaryFolder, "script.mjs")
        writeFileSync(script, embedder(showStorageLocation(running.location(`embedder-${process.pid}`))))
        const { ended } = yield* runProcess(process.execPath, [script], {
          env: { ...process.env, ...running.env(running.port) }
        })
        const { code, stdout, stderr } = yield* ended
        assert.strictEqual(`${stdout}${stderr}`, "one\n")
        assert.strictEqual(code, 0)
      })
    )
  })

  const vendor = emulator.name.startsWith("S3") ? "S3" : emulator.name.startsWith("Google") ? "Google" : "Azure"
  let prefixes = 0

  /** A store behind the troubled proxy, with one object in it, and the same store past the proxy. */
  const troubled = (
    says: string,
    body: (store: ObjectStore, direct: ObjectStore) => Effect.Effect<void, ObjectStoreError, Scope.Scope>,
    totalMs?: number
  ) =>
    it.live(says, () =>
      Effect.gen(function* () {
        proxy.become(() => undefined)
        const location = running.location(`troubled-${process.pid}-${++prefixes}`)
        const direct = yield* openAt(location, running.port)
        yield* put(direct, "a", "one")
        yield* body(yield* openAt(location, proxy.port, totalMs === undefined ? {} : { totalMs }), direct)
      })
    )

  const becomes = (trouble: Trouble) => proxy.become(() => trouble)

  const bothAre = (store: ObjectStore, trouble: string) =>
    Effect.gen(function* () {
      assert.strictEqual(yield* troubleOf(store.read("a", 100)), trouble)
      assert.strictEqual(yield* troubleOf(put(store, "a", "two")), trouble)
      assert.strictEqual(yield* troubleOf(put(store, "b", "two", nothing)), trouble)
    })

  describe(`troubles of ${emulator.name}`, () => {
    troubled("a bucket that is not there is misconfigured", () =>
      Effect.gen(function* () {
        const store = yield* openAt(running.nowhere, running.port)
        for (const expects of [anything, nothing]) {
          const error = yield* failureOf(put(store, "a", "two", expects))
          assert.strictEqual(error.trouble, "misconfigured")
          assert.match(error.message, /^404 /)
        }
        const read = yield* troubleOf(store.read("a", 100))
        assert.strictEqual(read, running.tellsMissingBucket ? "misconfigured" : "done")
      })
    )

    troubled("a refusal is denied, in the store's own words, and was asked once", (store) =>
      Effect.gen(function* () {
        becomes({
          _tag: "Answers",
          status: 403,
          headers: { "content-type": "application/xml" },
          body: words.denied[vendor]
        })
        const error = yield* failureOf(store.read("a", 100))
        assert.strictEqual(error.trouble, "denied")
        assert.match(error.message, /^403 (AccessDenied|forbidden|AuthorizationPermissionMismatch)/)
        assert.strictEqual(proxy.requests(), 1)
        assert.strictEqual(yield* troubleOf(put(store, "a", "two")), "denied")
        assert.strictEqual(proxy.requests(), 2)
      })
    )

    troubled("500, 503 and 429 pass, and are not asked again by the client", (store, direct) =>
      Effect.gen(function* () {
        for (const status of [500, 503, 429]) {
          becomes({ _tag: "Answers", status })
          yield* bothAre(store, "unavailable")
          assert.strictEqual(proxy.requests(), 3)
        }
        assert.strictEqual(yield* textAt(direct, "a"), "one")
      })
    )

    troubled("501 is unsupported", (store) =>
      Effect.suspend(() => {
        becomes({ _tag: "Answers", status: 501 })
        return bothAre(store, "unsupported")
      })
    )

    troubled("409 and 412 are conflicts for whoever expects something", (store) =>
      Effect.gen(function* () {
        for (const status of [409, 412]) {
          becomes({ _tag: "Answers", status })
          assert.strictEqual(yield* troubleOf(put(store, "a", "two", nothing)), "conflict")
        }
      })
    )

    troubled("a connection that is cut passes", (store) =>
      Effect.suspend(() => {
        becomes({ _tag: "Resets" })
        return bothAre(store, "unavailable")
      })
    )

    troubled(
      "a store that does not answer in time passes",
      (store) =>
        Effect.suspend(() => {
          becomes({ _tag: "Hangs" })
          return bothAre(store, "unavailable")
        }),
      1_500
    )

    troubled("a body that breaks off is no object", (store, direct) =>
      Effect.gen(function* () {
        yield* direct.write("large", {
          bytes: new Uint8Array(300_000),
          contentType: "application/gzip",
          expects: anything
        })
        for (const afterBytes of [1, 100_000, 299_999]) {
          becomes({ _tag: "BreaksOff", afterBytes })
          assert.strictEqual(yield* troubleOf(store.read("large", 1_000_000)), "unavailable")
        }
        proxy.become(() => undefined)
        assert.strictEqual((yield* store.read("large", 1_000_000))?.bytes.length, 300_000)
      })
    )

    troubled("a write whose answer is lost passes, and may be there", (store, direct) =>
      Effect.gen(function* () {
        becomes({ _tag: "LosesAnswer" })
        assert.strictEqual(yield* troubleOf(put(store, "b", "two", nothing)), "unavailable")
        assert.strictEqual(proxy.requests(), 1, "sent once: a second one would meet the first, and be a conflict")
        assert.strictEqual(yield* textAt(direct, "b"), "two")
      })
    )

    troubled("an object that is too large is not read to its end", (store, direct) =>
      Effect.gen(function* () {
        const bytes = new Uint8Array(20_000_000)
        yield* direct.write("huge", { bytes, contentType: "application/gzip", expects: anything })
        assert.strictEqual(yield* troubleOf(store.read("huge", 1_000)), "tooLarge")
        assert.isBelow(proxy.passedBytes(), 15_000_000)
      })
    )

    troubled("nobody listens", () =>
      Effect.gen(function* () {
        const store = yield* openAt(running.location("x"), yield* Effect.promise(freePort))
        const error = yield* failureOf(store.read("a", 100))
        assert.deepInclude(error, { trouble: "unavailable" })
        assert.match(error.message, /ECONNREFUSED/)
      })
    )
  })
}

for (const emulator of emulators) {
  if (emulator.missing === undefined) describe(emulator.name, () => run(emulator))
  else {
    console.log(`SKIPPED: nothing is stored in ${emulator.name}, for ${emulator.missing} (npm run emulators)`)
    it.skip(`${emulator.name} (${emulator.missing})`, () => {})
  }
}

describe("clients that no emulator needs, in the daemon's bundle", () => {
  for (const [says, machine] of [
    ["Google's, with the identity of the machine", googleMachine],
    ["Azure's, with the identity of the machine", azureMachine]
  ] as const)
    it.live(says, () =>
      Effect.gen(function* () {
        const headers = { etag: '"1"', "x-goog-generation": "1" }
        const { location, env, asked } = yield* machine(() => ({ headers, body: "one" }))
        const carry = yield* makeWorkerCarrier({
          location,
          putObject: {},
          connectMs: 5_000,
          totalMs: 20_000,
          idleMs: 60_000,
          env: { ...env, ...trusting },
          file: pathToFileURL("dist/daemon/storageWorker.js")
        })
        assert.strictEqual(yield* textAt(carriedStore("", carry), "a"), "one")
        assert.strictEqual(asked[0]?.headers.authorization, `Bearer ${token}`)
      })
    )
})
