/** What was said of a neighbour's certificate holds for a while (`docs/peers.md`, "Who gets it"). */
import type { TLSSocket } from "node:tls"
import { assert, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { makeRememberVerdicts } from "../../../src/layers/cluster-listener/ocsp/rememberVerdicts.ts"

const socketOf = (fingerprint256: string) =>
  ({ getPeerX509Certificate: () => ({ fingerprint256 }) }) as unknown as TLSSocket

/** Says what it is told to, and counts how often it was asked. */
const makeCheck = (refusal: string | undefined) => {
  const check = Object.assign(
    () =>
      Effect.sync(() => {
        check.asked++
        return check.refusal
      }),
    { asked: 0, refusal }
  )
  return check
}

it.effect("who was let in is asked about again after five minutes, each certificate by itself", () =>
  Effect.gen(function* () {
    const check = makeCheck(undefined)
    const remembered = makeRememberVerdicts()
    for (const _ of [1, 2, 3]) assert.isUndefined(yield* remembered(check, socketOf("a")))
    assert.strictEqual(check.asked, 1)
    yield* remembered(check, socketOf("b"))
    assert.strictEqual(check.asked, 2)
    check.refusal = "revoked"
    yield* TestClock.adjust("299 seconds")
    assert.isUndefined(yield* remembered(check, socketOf("a")))
    yield* TestClock.adjust("1 second")
    assert.strictEqual(yield* remembered(check, socketOf("a")), "revoked")
  })
)

it.effect("who was refused is asked about again after 30 seconds", () =>
  Effect.gen(function* () {
    const check = makeCheck("nobody can say")
    const remembered = makeRememberVerdicts()
    yield* remembered(check, socketOf("a"))
    check.refusal = undefined
    yield* TestClock.adjust("29 seconds")
    assert.strictEqual(yield* remembered(check, socketOf("a")), "nobody can say")
    yield* TestClock.adjust("1 second")
    assert.isUndefined(yield* remembered(check, socketOf("a")))
  })
)

it.effect("what the check of former credentials said counts no more, nor what it says later", () =>
  Effect.gen(function* () {
    const [late, next] = [() => Effect.delay(Effect.succeed("by the former"), "5 seconds"), makeCheck(undefined)]
    const remembered = makeRememberVerdicts()
    const asked = yield* Effect.forkChild(remembered(late, socketOf("a")), { startImmediately: true })
    assert.isUndefined(yield* remembered(next, socketOf("a")))
    yield* TestClock.adjust("5 seconds")
    assert.strictEqual(yield* Fiber.join(asked), "by the former")
    assert.isUndefined(yield* remembered(next, socketOf("a")))
    assert.strictEqual(next.asked, 1)
  })
)
