/** A network in memory with one control plane: each dial meets the fate that a test has set, and all that is sent is kept. */
import { Cause, Clock, Effect, Layer, Queue, Ref } from "effect"
import { ClusterDialer, type ClusterSocket, type Frame, SessionEnd } from "../../src/services/ClusterDialer.ts"

/** `unanswered`: the dial never ends. `deaf`: what is sent is never taken. */
export type Fate = "refused" | "silent" | "answering" | "defect" | "unanswered" | "deaf"

export const makeNetwork = Effect.gen(function* () {
  const fate = yield* Ref.make<Fate>("answering")
  const refusal = yield* Ref.make(new SessionEnd({ reason: "dialFailed", message: "connect ECONNREFUSED" }))
  const dials = yield* Ref.make<ReadonlyArray<number>>([])
  const sent = yield* Ref.make<ReadonlyArray<Uint8Array>>([])
  const pings = yield* Ref.make<ReadonlyArray<readonly [atMs: number, hash: string]>>([])
  const liveSockets = yield* Ref.make(0)
  const mostSockets = yield* Ref.make(0)
  const open = yield* Ref.make<Queue.Queue<Frame, SessionEnd> | undefined>(undefined)

  const socket = Effect.gen(function* () {
    const frames = yield* Queue.unbounded<Frame, SessionEnd>()
    yield* Ref.set(open, frames)
    const made: ClusterSocket = {
      frames,
      send: Effect.fnUntraced(function* (bytes) {
        if ((yield* Ref.get(fate)) === "deaf") return yield* Effect.never
        yield* Ref.update(sent, (all) => [...all, bytes])
      }),
      ping: (hash) =>
        Effect.gen(function* () {
          const nowMs = yield* Clock.currentTimeMillis
          yield* Ref.update(pings, (all) => [...all, [nowMs, hash] as const])
          if ((yield* Ref.get(fate)) === "answering") yield* Queue.offer(frames, { _tag: "Pong" })
        })
    }
    return made
  })

  const dial = Effect.gen(function* () {
    const nowMs = yield* Clock.currentTimeMillis
    yield* Ref.update(dials, (all) => [...all, nowMs])
    const now = yield* Ref.get(fate)
    if (now === "refused") return yield* yield* Ref.get(refusal)
    if (now === "unanswered") return yield* Effect.never
    if (now === "defect") return yield* Effect.die(new Error("a bug in the dialer"))
    const count = yield* Effect.acquireRelease(
      Ref.updateAndGet(liveSockets, (n) => n + 1),
      () => Ref.update(liveSockets, (n) => n - 1)
    )
    yield* Ref.update(mostSockets, (most) => Math.max(most, count))
    return yield* socket
  })

  const layer = Layer.succeed(ClusterDialer, { dial })
  const push = (frame: Frame) =>
    Effect.flatMap(Ref.get(open), (queue) =>
      queue === undefined ? Effect.die("no socket") : Queue.offer(queue, frame)
    )
  /** At one moment: nobody does anything between two of them. */
  const pushAll = (frames: ReadonlyArray<Frame>) =>
    Effect.map(Ref.get(open), (queue) => {
      for (const frame of frames) if (queue !== undefined) Queue.offerUnsafe(queue, frame)
    })
  const hangUp = Effect.flatMap(Ref.get(open), (queue) =>
    queue === undefined
      ? Effect.die("no socket")
      : Queue.failCause(queue, Cause.fail(new SessionEnd({ reason: "closed", message: "bye" })))
  )
  return { fate, refusal, dials, sent, pings, mostSockets, liveSockets, layer, push, pushAll, hangUp }
})

export type Network = Effect.Success<typeof makeNetwork>
