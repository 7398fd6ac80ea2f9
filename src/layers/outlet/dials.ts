/**
 * Dials and what is said over them. What belongs to one dial ends with it; a defect of ours costs the session, never the
 * connection's life.
 */
import { createHash } from "node:crypto"
import { Effect, type Fiber, Queue, type Scope } from "effect"
import { messageOf } from "../../model/thrown.ts"
import { ClusterDialer, type ClusterSocket, type Frame, SessionEnd } from "../../services/ClusterDialer.ts"
import type { Post } from "./post.ts"

interface OpenDial {
  readonly dial: number
  socket: ClusterSocket | undefined
  scope: Scope.Scope | undefined
  fiber: Fiber.Fiber<void> | undefined
}

const digest = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex")

export const makeDials = Effect.fnUntraced(function* (post: Post) {
  const dialer = yield* ClusterDialer
  const scope = yield* Effect.scope
  let current: OpenDial | undefined

  const settled = (work: Effect.Effect<void, SessionEnd>, dial: number): Effect.Effect<void> =>
    work.pipe(
      Effect.catchDefect((defect) =>
        Effect.fail(new SessionEnd({ reason: "broken", message: `defect: ${messageOf(defect)}` }))
      ),
      Effect.catch((end) => post({ _tag: "ended", dial, end }))
    )

  const onFrame = (dial: number, frame: Frame): Effect.Effect<void> => {
    if (frame._tag === "Binary")
      return post({ _tag: "frame", dial, payload: { bytes: frame.bytes, digest: digest(frame.bytes) } })
    const sign = post({ _tag: "frame", dial })
    return frame._tag === "Text" ? Effect.andThen(Effect.logDebug("text frame ignored"), sign) : sign
  }

  const dialAndRead = Effect.fnUntraced(function* (open: OpenDial) {
    const { dial } = open
    open.scope = yield* Effect.scope
    const socket = yield* dialer.dial
    open.socket = socket
    yield* post({ _tag: "opened", dial })
    return yield* Effect.forever(Effect.flatMap(Queue.take(socket.frames), (frame) => onFrame(dial, frame)))
  }, Effect.scoped)

  const dial = Effect.fnUntraced(function* (number: number) {
    const open: OpenDial = { dial: number, socket: undefined, scope: undefined, fiber: undefined }
    current = open
    open.fiber = yield* Effect.forkIn(settled(dialAndRead(open), number), scope, { startImmediately: true })
  })

  const hangUp = (number: number): void => {
    if (current?.dial !== number) return
    current.fiber?.interruptUnsafe()
    current = undefined
  }

  /** Writes leave in the order in which they are asked for: each begins at once, and nobody waits for it. */
  const over = (dial: number, write: (socket: ClusterSocket) => Effect.Effect<void, SessionEnd>) =>
    Effect.suspend(() => {
      if (current?.dial !== dial || current.socket === undefined || current.scope === undefined) return Effect.void
      return Effect.asVoid(
        Effect.forkIn(settled(write(current.socket), dial), current.scope, { startImmediately: true })
      )
    })

  return { dial, hangUp: (dial: number) => Effect.sync(() => hangUp(dial)), over }
})
