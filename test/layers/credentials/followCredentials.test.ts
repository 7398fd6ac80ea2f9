/** Certificates that are replaced while a process runs: what is taken, and what is not, under every order of events. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Queue, type Scope } from "effect"
import { TestClock } from "effect/testing"
import fc from "fast-check"
import type { LoadedCredentials } from "../../../src/layers/credentials/clusterCredentials.ts"
import { follow } from "../../../src/layers/credentials/followCredentials.ts"
import type { Fault } from "../../../src/model/Fault.ts"
import { cases } from "../../support/cases.ts"
import { settle } from "../../support/live.ts"
import { recordedLogs } from "../../support/recordedLogs.ts"

const refused = "changed cluster credentials can't be used; the former ones stay"

/** Two files, of which each holds one of a pair, or something that can't be read. */
interface Files {
  cert: number | "garbage"
  key: number | "garbage"
}

const stage = Effect.fnUntraced(function* () {
  const files: Files = { cert: 0, key: 0 }
  const taken: Array<number> = []
  const logs = recordedLogs()
  const marks = yield* Queue.sliding<void>(1)
  const load = Effect.suspend((): Effect.Effect<LoadedCredentials, ReadonlyArray<Fault>> => {
    const { cert, key } = files
    const faults = [
      ...(cert === "garbage" ? [{ path: ["cluster_cert"], message: "expected a certificate" }] : []),
      ...(key === "garbage" ? [{ path: ["cluster_cert_key"], message: "expected a key" }] : []),
      ...(typeof cert === "number" && typeof key === "number" && cert !== key
        ? [{ path: ["cluster_cert_key"], message: "expected the key that belongs to cluster_cert" }]
        : [])
    ]
    return faults.length > 0
      ? Effect.fail(faults)
      : Effect.succeed({
          cert: String(cert),
          key: String(key),
          fingerprint256: String(cert),
          commonName: undefined,
          validFromMs: 0,
          expiresAtMs: Number(cert),
          authorities: [],
          memberAuthorities: [],
          proxyAuthorities: []
        })
  })
  yield* follow({ marks, load, take: ({ expiresAtMs }) => Effect.sync(() => taken.push(expiresAtMs)) }).pipe(
    Effect.provide(logs.layer)
  )
  const pass = Effect.fnUntraced(function* (ms: number) {
    yield* TestClock.adjust(ms)
    yield* settle
  })
  const write = Effect.fnUntraced(function* (next: Partial<Files>) {
    Object.assign(files, next)
    yield* Queue.offer(marks, undefined)
    yield* settle
  })
  return { files, taken, logs, pass, write }
})

describe("files that change one after the other", () => {
  it.effect("are taken together when the second follows at once, and nothing is said of the time between", () =>
    Effect.gen(function* () {
      const { taken, logs, pass, write } = yield* stage()
      yield* write({ cert: 1 })
      yield* pass(1_900)
      yield* write({ key: 1 })
      yield* pass(5_000)
      assert.deepStrictEqual([...new Set(taken)], [1])
      assert.deepStrictEqual(logs.lines, [])
    })
  )

  it.effect("leave what was there until the second has come, however late, which is said once", () =>
    Effect.gen(function* () {
      const { taken, logs, pass, write } = yield* stage()
      yield* write({ cert: 1 })
      for (let i = 0; i < 100; i++) yield* pass(10_000)
      yield* write({ cert: 1 })
      yield* pass(3_000)
      assert.deepStrictEqual(taken, [])
      assert.strictEqual(logs.of(refused).length, 1)
      assert.deepStrictEqual(logs.of(refused)[0]?.reasons, [
        "cluster_cert_key: expected the key that belongs to cluster_cert"
      ])
      yield* write({ key: 1 })
      yield* pass(2_000)
      assert.deepStrictEqual(taken, [1])
      // Another rotation that is stuck in the same way is another happening.
      yield* write({ cert: 2 })
      yield* pass(2_000)
      assert.strictEqual(logs.of(refused).length, 2)
    })
  )

  it.effect("that could not be read for a passing reason are looked at again, though no file changes", () =>
    Effect.gen(function* () {
      const { files, taken, pass, write } = yield* stage()
      yield* write({ cert: "garbage", key: "garbage" })
      yield* pass(2_000)
      Object.assign(files, { cert: 1, key: 1 })
      yield* pass(31_000)
      assert.deepStrictEqual(taken, [1])
    })
  )
})

describe("whatever happens to the files", () => {
  type Step = { readonly file: "cert" | "key"; readonly holds: number | "garbage" } | { readonly passesMs: number }
  const step: fc.Arbitrary<Step> = fc.oneof(
    fc.record({
      file: fc.constantFrom("cert" as const, "key" as const),
      holds: fc.oneof(
        { weight: 4, arbitrary: fc.integer({ min: 0, max: 3 }) },
        { weight: 1, arbitrary: fc.constant("garbage" as const) }
      )
    }),
    fc.record({ passesMs: fc.integer({ min: 1, max: 3_000 }) })
  )

  it("only what belongs together is taken, never a moment that was not, and in the end what is there", {
    timeout: 600_000
  }, async () => {
    const run = (steps: ReadonlyArray<Step>) =>
      Effect.gen(function* () {
        const { files, taken, logs, pass, write } = yield* stage()
        const whole = new Set([0])
        for (const next of steps) {
          if ("passesMs" in next) yield* pass(next.passesMs)
          else yield* write({ [next.file]: next.holds })
          if (typeof files.cert === "number" && files.cert === files.key) whole.add(files.cert)
        }
        for (let i = 0; i < 5; i++) yield* pass(1_000)
        for (const one of taken) assert.isTrue(whole.has(one))
        const isTouched = steps.some((one) => "file" in one)
        if (isTouched && files.cert === files.key && typeof files.cert === "number")
          assert.strictEqual(taken.at(-1), files.cert)
        // The same reasons are not told twice in a row unless something was taken in between.
        assert.isAtMost(logs.of(refused).length, steps.length)
        const consecutive = logs.of(refused).map(({ reasons }) => JSON.stringify(reasons))
        if (taken.length === 0) assert.isFalse(consecutive.some((one, at) => at > 0 && one === consecutive[at - 1]))
      }) satisfies Effect.Effect<void, never, Scope.Scope>
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), (steps) =>
        Effect.runPromise(run(steps).pipe(Effect.scoped, Effect.provide(TestClock.layer())))
      ),
      cases()
    )
  })
})
