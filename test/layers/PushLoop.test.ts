/** First at once, then the window, its trailing edge always: on a virtual clock. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger, Ref, SubscriptionRef } from "effect"
import { TestClock } from "effect/testing"
import * as PushLoop from "../../src/layers/PushLoop.ts"
import { attestationOf } from "../../src/model/ConfigStatement.ts"
import { ClusterHub } from "../../src/services/control/ClusterHub.ts"
import { ConfigStore, StoreFailed } from "../../src/services/control/ConfigStore.ts"
import { Payloads } from "../../src/services/control/Payloads.ts"
import { settle } from "../support/live.ts"
import { settingsLayer } from "../support/settings.ts"

const attestation = attestationOf({ hash: "", sha256: "", issuedAtMs: 0 })

const unused = () => Effect.die("not used here")

const harness = Effect.gen(function* () {
  const version = yield* SubscriptionRef.make(1)
  const pushed = yield* Ref.make<ReadonlyArray<number>>([])
  const failures = yield* Ref.make(0)
  const sessions = yield* Ref.make(1)
  const store = Layer.succeed(ConfigStore, {
    list: unused,
    find: unused,
    create: unused,
    put: unused,
    patch: unused,
    remove: unused,
    replaceAll: unused,
    tags: unused,
    export: Effect.die("not used here"),
    epoch: "e",
    version
  })
  const payloads = Layer.succeed(Payloads, {
    newest: Effect.gen(function* () {
      if ((yield* Ref.getAndUpdate(failures, (n) => n - 1)) > 0) return yield* new StoreFailed({ cause: "disk" })
      const newest = yield* SubscriptionRef.get(version)
      return { version: newest, hash: "", bytes: new Uint8Array(), attestation, plugins: [], sections: [] }
    })
  })
  const hub = Layer.succeed(ClusterHub, {
    join: unused,
    offer: unused,
    broadcast: (payload) =>
      Effect.as(
        Ref.update(pushed, (all) => [...all, payload.version]),
        1
      ),
    sent: () => Effect.void,
    pushes: Effect.succeed({ count: 0, bytes: 0 }),
    present: Effect.map(Ref.get(sessions), (count) =>
      Array.from({ length: count }, () => ({ nodeId: "n", sinceMs: 0 }))
    )
  })
  const layer = PushLoop.layer.pipe(
    Layer.provide(Layer.mergeAll(store, payloads, hub, settingsLayer(), Logger.layer([])))
  )
  yield* Layer.build(layer)
  yield* settle
  const change = (to: number) => Effect.andThen(SubscriptionRef.set(version, to), settle)
  return { change, pushed: Ref.get(pushed), failures, sessions }
})

describe("the push loop", () => {
  it.effect("pushes nothing before something changes", () =>
    Effect.gen(function* () {
      const { pushed } = yield* harness
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(yield* pushed, [])
    })
  )

  it.effect("pushes the first at once, the rest of the window at its end, and then is ready again", () =>
    Effect.gen(function* () {
      const { change, pushed } = yield* harness
      yield* change(2)
      assert.deepStrictEqual(yield* pushed, [2])
      yield* TestClock.adjust("40 millis")
      yield* change(3)
      yield* change(4)
      yield* TestClock.adjust("59 millis")
      yield* settle
      assert.deepStrictEqual(yield* pushed, [2])
      yield* TestClock.adjust("1 millis")
      yield* settle
      assert.deepStrictEqual(yield* pushed, [2, 4], "the trailing edge")
      yield* TestClock.adjust("1 second")
      yield* settle
      assert.deepStrictEqual(yield* pushed, [2, 4], "nothing twice")
      yield* change(5)
      assert.deepStrictEqual(yield* pushed, [2, 4, 5], "at once again")
    })
  )

  it.effect("tries again after a failure, without another change", () =>
    Effect.gen(function* () {
      const { change, pushed, failures } = yield* harness
      yield* Ref.set(failures, 3)
      yield* change(2)
      assert.deepStrictEqual(yield* pushed, [])
      yield* TestClock.adjust("1 second")
      yield* settle
      assert.deepStrictEqual(yield* pushed, [2])
    })
  )

  it.effect("exports nothing while nobody listens", () =>
    Effect.gen(function* () {
      const { change, pushed, sessions } = yield* harness
      yield* Ref.set(sessions, 0)
      yield* change(2)
      assert.deepStrictEqual(yield* pushed, [])
    })
  )
})
