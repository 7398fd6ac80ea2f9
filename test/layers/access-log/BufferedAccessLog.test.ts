/** The access log beside a disk that is good, full, dead, or whose files are moved away: requests never wait. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, MutableRef, Scope } from "effect"
import { TestClock } from "effect/testing"
import * as BufferedAccessLog from "../../../src/layers/access-log/BufferedAccessLog.ts"
import { AccessLog } from "../../../src/services/AccessLog.ts"
import { NodeHealth } from "../../../src/services/NodeHealth.ts"
import * as VirtualDisk from "../../../src/testing/VirtualDisk.ts"
import { recordedLogs } from "../../support/recordedLogs.ts"
import { finished } from "../../support/requests.ts"
import { settingsLayer } from "../../support/settings.ts"

const path = "/p/logs/access.log"

const scene = (given: Readonly<Record<string, string>> = { proxy_access_log: "logs/access.log" }) => {
  const disk = VirtualDisk.make()
  const logs = recordedLogs()
  const layer = BufferedAccessLog.layer.pipe(
    Layer.provideMerge(NodeHealth.layer),
    Layer.provide([disk.layer, settingsLayer({ prefix: "/p", ...given }), logs.layer])
  )
  return { disk, logs, layer }
}

const request = (url: string) => finished({ request: { method: "GET", url, httpVersion: "1.1", headers: {} } })

const observeAll = (...urls: ReadonlyArray<string>) =>
  Effect.map(AccessLog, ({ observe }) => {
    for (const url of urls) observe?.(request(url))
  })

const counts = Effect.map(NodeHealth, ({ accessLog }) => MutableRef.get(accessLog)?.())

const targetsIn = (disk: VirtualDisk.VirtualDisk, at = path) =>
  Effect.match(disk.disk.read(at, 10_000_000), {
    onFailure: ({ code }) => code,
    onSuccess: ({ bytes }) =>
      new TextDecoder()
        .decode(bytes)
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => /"GET (\S+) HTTP/.exec(line)?.[1] ?? `torn: ${line}`)
  })

/** What a fiber does between two looks takes turns of its own. */
const pass = (duration: "100 millis" | "1 second") =>
  Effect.gen(function* () {
    for (let turns = 0; turns < 20; turns++) yield* Effect.yieldNow
    yield* TestClock.adjust(duration)
    for (let turns = 0; turns < 20; turns++) yield* Effect.yieldNow
  })

describe("the access log", () => {
  it.effect("is off unless it is asked for, and then nobody is told of requests", () =>
    Effect.gen(function* () {
      assert.isUndefined((yield* AccessLog).observe)
      assert.isUndefined(yield* counts)
    }).pipe(Effect.provide(scene({}).layer))
  )

  it.effect("has each request in its file within moments, in order, once", () => {
    const { disk, layer } = scene()
    return Effect.gen(function* () {
      yield* observeAll("/1", "/2")
      yield* pass("100 millis")
      assert.deepEqual(yield* targetsIn(disk), ["/1", "/2"])
      yield* pass("1 second")
      yield* observeAll("/3")
      yield* pass("100 millis")
      assert.deepEqual(yield* targetsIn(disk), ["/1", "/2", "/3"])
      assert.deepEqual(yield* counts, { delivered: 3, dropped: 0 })
    }).pipe(Effect.provide(layer))
  })

  it.effect("goes on behind what the file holds, and writes the last lines at the end", () => {
    const { disk, layer } = scene({ proxy_access_log: "/elsewhere/access.log" })
    const at = "/elsewhere/access.log"
    return Effect.gen(function* () {
      yield* observeAll("/1").pipe(Effect.provide(layer))
      assert.deepEqual(yield* targetsIn(disk, at), ["/1"])
      yield* observeAll("/2").pipe(Effect.provide(Layer.fresh(layer)))
      assert.deepEqual(yield* targetsIn(disk, at), ["/1", "/2"])
    })
  })

  it.effect("keeps the lines that are being written when the end comes, and those behind them", () =>
    Effect.gen(function* () {
      const { disk, layer } = scene()
      disk.become({ slowMs: 100 })
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(layer, scope)
      yield* Effect.provideContext(observeAll("/1", "/2"), context)
      yield* pass("100 millis")
      yield* Effect.provideContext(observeAll("/3"), context)
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
      for (let n = 0; n < 8; n++) yield* pass("100 millis")
      yield* Fiber.join(closing)
      disk.become({})
      assert.deepStrictEqual(yield* targetsIn(disk), ["/1", "/2", "/3"])
    })
  )

  it.effect("goes on in a new file once the old one was moved away and it is told", () => {
    const { disk, layer } = scene()
    return Effect.gen(function* () {
      yield* observeAll("/1")
      yield* pass("100 millis")
      yield* disk.disk.rename(path, `${path}.1`)
      yield* observeAll("/2")
      yield* pass("100 millis")
      assert.deepEqual(yield* targetsIn(disk, `${path}.1`), ["/1", "/2"])
      yield* Effect.flatMap(AccessLog, ({ reopen }) => reopen)
      yield* observeAll("/3")
      yield* pass("100 millis")
      assert.deepEqual(yield* targetsIn(disk), ["/3"])
    }).pipe(Effect.provide(layer))
  })

  it.effect("loses lines to a full disk, says so once, counts them, and begins a new line when there is room", () => {
    const { disk, logs, layer } = scene()
    return Effect.gen(function* () {
      yield* observeAll("/1")
      yield* pass("100 millis")
      disk.become({ capacityBytes: disk.usedBytes() + 10 })
      for (const url of ["/2", "/3"]) {
        yield* observeAll(url)
        yield* pass("100 millis")
      }
      assert.deepEqual(yield* counts, { delivered: 1, dropped: 2 })
      assert.lengthOf(logs.of("access log lines are lost"), 1)
      disk.become({})
      yield* observeAll("/4")
      yield* pass("100 millis")
      const found = yield* targetsIn(disk)
      assert.deepEqual([found[0], found.at(-1)], ["/1", "/4"], String(found))
      assert.deepInclude(logs.of("access log is written again")[0], { lost: 2 })
      assert.deepEqual(yield* counts, { delivered: 2, dropped: 2 })
    }).pipe(Effect.provide(layer))
  })

  it.effect(
    "begins a new file with a line, though the one that was moved away from the full disk ends within one",
    () => {
      const { disk, layer } = scene()
      return Effect.gen(function* () {
        yield* observeAll("/1")
        yield* pass("100 millis")
        disk.become({ capacityBytes: disk.usedBytes() + 10 })
        yield* observeAll("/2")
        yield* pass("100 millis")
        yield* disk.disk.rename(path, `${path}.1`)
        disk.become({})
        yield* Effect.flatMap(AccessLog, ({ reopen }) => reopen)
        yield* observeAll("/3")
        yield* pass("100 millis")
        const { bytes } = yield* disk.disk.read(path, 10_000)
        assert.match(new TextDecoder().decode(bytes), /^\S[^\n]*"GET \/3 HTTP[^\n]*\n$/)
      }).pipe(Effect.provide(layer))
    }
  )

  it.effect("takes up bounded memory beside a disk that never answers, and a stop does not wait for it", () => {
    const { disk, logs, layer } = scene()
    return Effect.gen(function* () {
      const running = yield* Effect.forkChild(
        Effect.gen(function* () {
          disk.become({ isStuck: true })
          const { observe } = yield* AccessLog
          yield* observeAll("/first")
          yield* pass("100 millis")
          const long = request(`/${"x".repeat(1000)}`)
          for (let n = 0; n < 10_000; n++) observe?.(long)
          const { dropped = 0, delivered } = (yield* counts) ?? {}
          assert.isAbove(dropped, 5_000)
          assert.isBelow(dropped, 8_000)
          assert.strictEqual(delivered, 0)
        }).pipe(Effect.provide(layer)),
        { startImmediately: true }
      )
      yield* pass("100 millis")
      yield* pass("1 second")
      yield* pass("1 second")
      yield* Effect.yieldNow
      assert.isDefined(running.pollUnsafe(), "ended within the second that the last write gets")
      assert.lengthOf(logs.of("access log lines are lost"), 1)
    })
  })
})
