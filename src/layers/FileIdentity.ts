/** Identity kept in `<prefix>/kong.id`: reference `hybrid-protocol-v1.md` §12. */
import { hostname } from "node:os"
import { join } from "node:path"
import { Effect, Layer, Option, Result } from "effect"
import { uuidOf } from "../model/DeterministicId.ts"
import { isUuid } from "../model/Field.ts"
import { Disk, type DiskError, replaceFile } from "../services/Disk.ts"
import { noAnswer, whileDiskAnswers } from "../services/DiskSilence.ts"
import { Identity } from "../services/Identity.ts"
import { SecureRandom } from "../services/SecureRandom.ts"
import { Settings } from "../services/Settings.ts"

/** An id has 36 characters; what is much larger is something else. */
const idFileMaxBytes = 4096
const readableByAll = 0o644

const make = Effect.gen(function* () {
  const settings = yield* Settings
  const disk = yield* Disk
  const random = yield* SecureRandom
  const file = join(settings.prefix, "kong.id")

  const kept: Effect.Effect<string | undefined, DiskError> = disk.read(file, idFileMaxBytes).pipe(
    Effect.map(({ bytes }) => {
      const text = new TextDecoder().decode(bytes).trim()
      return isUuid(text) ? text.toLowerCase() : undefined
    }),
    // Nothing there, or nothing that could be an id.
    Effect.catchIf(
      ({ code }) => code === "ENOENT" || code === "EFBIG",
      () => Effect.succeed(undefined)
    )
  )

  const fresh = Effect.map(random.bytes(16), uuidOf)

  const keep = (id: string) =>
    replaceFile(disk, { path: file, bytes: new TextEncoder().encode(id), mode: readableByAll })

  const tellUnkept = (cause: string) =>
    Effect.logWarning("node id can't be kept; this run has one of its own").pipe(
      Effect.annotateLogs({ prefix: settings.prefix, cause })
    )

  /** What a call comes to, or why nothing came of it. */
  const asked = <A>(call: Effect.Effect<A, DiskError>) =>
    Effect.map(
      whileDiskAnswers(Effect.result(Effect.mapError(call, ({ message }) => message))),
      Option.getOrElse(() => Result.fail(noAnswer))
    )

  const fromFile = Effect.gen(function* () {
    const found = yield* asked(kept)
    if (Result.isSuccess(found) && found.success !== undefined) return found.success
    const id = yield* fresh
    // What may stand there, unread, is not overwritten. What is being written is this run's id, whenever that ends.
    const written = Result.isSuccess(found) ? yield* asked(keep(id)) : Result.fail(found.failure)
    if (Result.isFailure(written)) yield* tellUnkept(written.failure)
    return id
  })
  const nodeId = settings.node_id ?? (yield* fromFile)
  return { nodeId, hostname: hostname(), version: settings.kong_version }
})

export const layer: Layer.Layer<Identity, never, Settings | Disk | SecureRandom> = Layer.effect(Identity, make)
