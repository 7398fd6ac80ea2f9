/**
 * AccessLog in memory first: a request adds its line to a text, and a fiber writes that text out ten times a second. Whatever takes
 * the lines may be slow, full or dead: then lines are lost, counted and told of once, and no request waits.
 */

import { isAbsolute, join } from "node:path"
import { Clock, Effect, Fiber, Latch, Layer, MutableRef, Semaphore } from "effect"
import { accessLine } from "../../model/AccessLog.ts"
import { consumerName, nameOrId } from "../../model/shownName.ts"
import { AccessLog } from "../../services/AccessLog.ts"
import { Disk } from "../../services/Disk.ts"
import { NodeHealth } from "../../services/NodeHealth.ts"
import type { ObservedRequest } from "../../services/RequestObservers.ts"
import { Settings } from "../../services/Settings.ts"
import { supervise } from "../../services/supervise.ts"
import { Lines } from "./Lines.ts"
import { descriptorOf, fileOutput, type Output, streamOutput } from "./outputs.ts"

const writeInterval = "100 millis"
/** A stop waits no longer than this for the last lines. */
const lastWriteLimit = "1 second"

const one = (header: string | ReadonlyArray<string> | undefined): string | undefined =>
  typeof header === "string" ? header : header?.join(", ")

const factsOf = (request: ObservedRequest, atMs: number) => {
  const { compiled, consumer, listener } = request
  const { method, url, httpVersion, headers } = request.request
  return {
    atMs,
    id: request.id,
    clientAddress: request.clientAddress,
    method,
    target: url,
    httpVersion,
    isTls: listener.isTls,
    status: request.status,
    source: request.source,
    service: compiled?.service && nameOrId(compiled.service),
    route: compiled && nameOrId(compiled.route),
    consumer: consumer && consumerName(consumer),
    requestBodyBytes: request.requestBodyBytes,
    responseBodyBytes: request.responseBodyBytes,
    requestMs: request.endedAtMs - request.startedAtMs,
    proxyMs: request.proxyMs,
    upstreamMs: request.upstreamMs,
    referer: one(headers.referer),
    userAgent: one(headers["user-agent"]),
    traceId: request.trace?.traceId
  }
}

const outputFor = Effect.fnUntraced(function* (path: string) {
  const { prefix } = yield* Settings
  const fd = descriptorOf(path)
  if (fd !== undefined) return yield* streamOutput(fd)
  return yield* fileOutput(yield* Disk, isAbsolute(path) ? path : join(prefix, path))
})

const write = Effect.fnUntraced(function* (path: string) {
  const settings = yield* Settings
  const { accessLog } = yield* NodeHealth
  const output: Output = yield* outputFor(path)
  const clock = yield* Clock.Clock
  const runFork = Effect.runForkWith(yield* Effect.context<never>())
  const style = { format: settings.proxy_access_log_format, hasQuery: settings.proxy_access_log_query }
  const lines = new Lines()
  const awake = yield* Latch.make(false)
  const oneAtATime = yield* Semaphore.make(1)
  let delivered = 0
  let dropped = 0
  let isLosing = false
  let droppedBefore = 0

  /** May be called on the request path: told without waiting. */
  const lose = (count: number, cause: string): void => {
    if (!isLosing) {
      isLosing = true
      droppedBefore = dropped
      runFork(Effect.logWarning("access log lines are lost").pipe(Effect.annotateLogs({ path, cause })))
    }
    dropped += count
  }

  const mend = Effect.suspend(() => {
    if (!isLosing) return Effect.void
    isLosing = false
    const lost = dropped - droppedBefore
    return Effect.logInfo("access log is written again").pipe(Effect.annotateLogs({ path, lost }))
  })

  const writeLines = oneAtATime.withPermit(
    Effect.suspend(() => {
      const { text, count } = lines.take()
      if (count === 0) return Effect.void
      return output.write(Buffer.from(text)).pipe(
        Effect.andThen(
          Effect.suspend(() => {
            delivered += count
            return mend
          })
        ),
        Effect.catch(({ message }) => Effect.sync(() => lose(count, message)))
      )
    })
  )

  /** A write that has begun has a life of its own: whoever waits for it may be interrupted, and the lines are not lost with them. */
  const flush = Effect.flatMap(Effect.forkDetach(writeLines, { startImmediately: true }), Fiber.join)

  const turn = awake.await.pipe(
    Effect.andThen(Effect.sleep(writeInterval)),
    Effect.andThen(awake.close),
    Effect.andThen(flush)
  )
  // Before the fiber, so that it runs behind the fiber's end, which never comes back from a dead disk by itself.
  yield* Effect.addFinalizer(() =>
    flush.pipe(
      Effect.interruptible,
      Effect.timeoutOption(lastWriteLimit),
      Effect.andThen(Effect.sync(() => MutableRef.set(accessLog, undefined)))
    )
  )
  yield* supervise("access log", Effect.forever(turn))
  MutableRef.set(accessLog, () => ({ delivered, dropped }))

  return AccessLog.of({
    observe: (request) => {
      const line = accessLine(factsOf(request, clock.currentTimeMillisUnsafe()), style)
      const wasEmpty = lines.isEmpty
      if (!lines.add(line)) lose(1, "they are not taken as fast as they come")
      else if (wasEmpty) awake.openUnsafe()
    },
    reopen: oneAtATime.withPermit(output.reopen)
  })
})

export const layer: Layer.Layer<AccessLog, never, Settings | Disk | NodeHealth> = Layer.unwrap(
  Effect.map(Settings, ({ proxy_access_log }) => {
    const [path = "off"] = proxy_access_log.split(/\s/, 1)
    return path === "off" ? AccessLog.none : Layer.effect(AccessLog, write(path))
  })
)
