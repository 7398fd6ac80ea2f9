/** The one way out to a control plane: reference `hybrid-protocol-v1.md` §1.2, without a proxy in between. */

import type { Duplex } from "node:stream"
import type { TLSSocket } from "node:tls"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Queue, Scope, SubscriptionRef } from "effect"
import { TestClock } from "effect/testing"
import { ClusterIdentity } from "../../../src/services/ClusterIdentity.ts"
import { clusterCertificate } from "../../support/certificates.ts"
import { badProxy } from "../../support/forwardProxy.ts"
import { until } from "../../support/process.ts"
import { connect, echo, transport } from "../../support/transportStage.ts"

const said = (stream: Duplex, text: string) =>
  Effect.callback<string>((resume) => {
    stream.once("data", (bytes: Buffer) => resume(Effect.succeed(bytes.toString())))
    stream.write(text)
  })

describe("a stream to a control plane (§1.2)", () => {
  it.live("is mutual TLS under the server name, and carries bytes both ways", () =>
    Effect.gen(function* () {
      const pair = yield* clusterCertificate
      const { port, arrived } = yield* echo(pair)
      const stream = yield* connect({ port }).pipe(Effect.provide(transport(pair)))
      const peer = yield* Queue.take(arrived)
      assert.strictEqual(Reflect.get(peer, "servername"), "kong_clustering")
      assert.strictEqual(peer.getPeerX509Certificate()?.subject, "CN=kong_clustering")
      assert.strictEqual(yield* said(stream, "hello"), "hello")
    })
  )

  it.live("sends what was written before its scope closes, then ends", () =>
    Effect.gen(function* () {
      const pair = yield* clusterCertificate
      const { port, arrived, openCount } = yield* echo(pair)
      const scope = yield* Scope.make()
      const stream = yield* connect({ port }).pipe(Scope.provide(scope), Effect.provide(transport(pair)))
      const peer = yield* Queue.take(arrived)
      let received = 0
      peer.on("data", (bytes: Buffer) => {
        received += bytes.length
      })
      stream.resume()
      stream.write(Buffer.alloc(300_000))
      yield* Scope.close(scope, Exit.void)
      yield* until(() => received === 300_000)
      yield* until(() => openCount() === 0 && stream.destroyed)
    })
  )

  it.live("is gone a second after its scope closed, though the other end reads and answers nothing", () =>
    Effect.gen(function* () {
      const pair = yield* clusterCertificate
      const { port, arrived } = yield* echo(pair)
      const scope = yield* Scope.make()
      const stream = yield* connect({ port }).pipe(Scope.provide(scope), Effect.provide(transport(pair)))
      ;(yield* Queue.take(arrived)).unpipe().pause()
      stream.write(Buffer.alloc(50_000_000))
      yield* Scope.close(scope, Exit.void)
      assert.isFalse(stream.destroyed)
      yield* until(() => stream.destroyed)
    })
  )

  it.live("that is reset ends, and nothing else does", () =>
    Effect.gen(function* () {
      const pair = yield* clusterCertificate
      const { port, arrived, reset } = yield* echo(pair)
      const stream = yield* connect({ port }).pipe(Effect.provide(transport(pair)))
      yield* Queue.take(arrived)
      reset()
      yield* until(() => stream.destroyed)
    })
  )

  it.live("shows the certificate that is current when it is dialled, and trusts that one", () =>
    Effect.gen(function* () {
      const [one, two] = [yield* clusterCertificate, yield* clusterCertificate]
      const [before, after] = [yield* echo(one), yield* echo(two)]
      yield* Effect.gen(function* () {
        const { current } = yield* ClusterIdentity
        yield* connect(before)
        assert.match((yield* Effect.flip(connect(after))).message, /^the control plane's certificate /)
        const known = yield* SubscriptionRef.get(current)
        yield* SubscriptionRef.set(current, { ...known, ...two, authorities: [two.cert] })
        yield* connect(after)
        assert.match((yield* Effect.flip(connect(before))).message, /^the control plane's certificate /)
      }).pipe(Effect.provide(transport(one)))
      const shown = (peer: TLSSocket) => peer.getPeerX509Certificate()?.toString().trim()
      assert.strictEqual(shown(yield* Queue.take(before.arrived)), one.cert.trim())
      assert.strictEqual(shown(yield* Queue.take(after.arrived)), two.cert.trim())
    })
  )
})

describe("no stream to a control plane", () => {
  it.live("is told with a message for people, and leaves no socket", () =>
    Effect.gen(function* () {
      const pair = yield* clusterCertificate
      const failure = (to: Parameters<typeof connect>[0]) =>
        Effect.flip(connect(to)).pipe(Effect.provide(transport(pair)))
      const gone = yield* Effect.scoped(badProxy(() => undefined))
      assert.deepInclude(yield* failure(gone), {
        reason: "failed",
        message: `connect ECONNREFUSED 127.0.0.1:${gone.port}`
      })
      assert.match((yield* failure({ port: 1, host: "no.such.host.invalid" })).message, /no\.such\.host\.invalid/)
      const closing = yield* badProxy((socket) => socket.end())
      assert.deepInclude(yield* failure(closing), { reason: "brokenOff" })
      const stranger = yield* echo(yield* clusterCertificate)
      const untrusted = yield* failure(stranger)
      assert.strictEqual(untrusted.reason, "untrusted")
      assert.match(untrusted.message, /^the control plane's certificate /)
      const misnamed = yield* failure({ port: (yield* echo(pair)).port, serverName: "cp.example.com" })
      assert.strictEqual(misnamed.reason, "untrusted")
      assert.match(misnamed.message, /^the control plane's certificate is refused: expected the name cp\.example\.com/)
      yield* until(() => closing.openCount() === 0 && stranger.openCount() === 0)
    })
  )

  it.effect("comes after five seconds in which nobody speaks TLS, by the node's own clock, and leaves no socket", () =>
    Effect.gen(function* () {
      const pair = yield* clusterCertificate
      const mute = yield* badProxy((socket) => socket.resume())
      const dialling = yield* Effect.forkChild(Effect.flip(connect(mute)).pipe(Effect.provide(transport(pair))), {
        startImmediately: true
      })
      yield* until(() => mute.openCount() === 1)
      yield* TestClock.adjust("4999 millis")
      assert.isUndefined(dialling.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      const { reason, message } = yield* Fiber.join(dialling)
      assert.deepStrictEqual([reason, message], ["failed", `no TLS from 127.0.0.1:${mute.port} within 5000 ms`])
      yield* until(() => mute.openCount() === 0)
    })
  )

  it.effect("comes earlier for a caller that has less time left, which says both", () =>
    Effect.gen(function* () {
      const pair = yield* clusterCertificate
      const mute = yield* badProxy((socket) => socket.resume())
      const dialling = yield* Effect.forkChild(
        Effect.flip(connect(mute, { limitMs: 1234.4 })).pipe(Effect.provide(transport(pair))),
        { startImmediately: true }
      )
      yield* until(() => mute.openCount() === 1)
      yield* TestClock.adjust("1235 millis")
      const { message } = yield* Fiber.join(dialling)
      assert.strictEqual(message, `no TLS from 127.0.0.1:${mute.port} within the 1234 ms that were left of 5000`)
    })
  )

  it.live("is left by whoever is interrupted, without a socket", () =>
    Effect.gen(function* () {
      const pair = yield* clusterCertificate
      const mute = yield* badProxy((socket) => socket.resume())
      const dialling = yield* Effect.forkChild(Effect.scoped(connect(mute)).pipe(Effect.provide(transport(pair))), {
        startImmediately: true
      })
      yield* until(() => mute.openCount() === 1)
      yield* Fiber.interrupt(dialling)
      yield* until(() => mute.openCount() === 0)
    })
  )
})
