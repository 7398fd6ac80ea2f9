/**
 * The rungs that need no network, for they are instant: disk, else the declarative file, else empty. A node on its own
 * serves its file first: nobody sends it anything that could be newer.
 */
import { Effect, Option } from "effect"
import { formatFault } from "../model/Fault.ts"
import { ConfigCache } from "./ConfigCache.ts"
import { DeclarativeConfig } from "./DeclarativeConfig.ts"
import { LiveConfig, type Offer } from "./LiveConfig.ts"
import { Settings } from "./Settings.ts"

/**
 * Serves the best local configuration. A rung that has nothing, or something that is refused, is passed over with its
 * reason; that never stops the node. `DESIGN.md`, "The life of a node", 2.
 */
export const serveLocalRungs: Effect.Effect<void, never, Settings | LiveConfig | ConfigCache | DeclarativeConfig> =
  Effect.gen(function* () {
    const { cluster_control_plane: controlPlane } = yield* Settings
    const live = yield* LiveConfig
    const cache = yield* ConfigCache
    const file = yield* DeclarativeConfig

    const serve = (offer: Option.Option<Offer>) =>
      Option.isNone(offer) ? Effect.succeed(false) : Effect.as(live.apply(offer.value), true)

    const fromDisk = cache.read.pipe(
      Effect.flatMap(serve),
      Effect.catchTag("ConfigCacheError", (error) =>
        Effect.logError("cached configuration can't be read; the next source is asked").pipe(
          Effect.annotateLogs({ file: error.file, cause: error.message }),
          Effect.as(false)
        )
      ),
      // Told by LiveConfig already.
      Effect.catchTag("ConfigRejected", () => Effect.succeed(false))
    )

    const fromFile = file.read.pipe(
      Effect.tapError((rejected) => live.note(rejected)),
      Effect.flatMap(serve),
      Effect.catchTag("ConfigRejected", (rejected) =>
        Effect.logDebug("declarative file refused", rejected.faults.map(formatFault)).pipe(Effect.as(false))
      )
    )

    for (const rung of controlPlane === undefined ? [fromFile, fromDisk] : [fromDisk, fromFile]) {
      if (yield* rung) return
    }
    yield* Effect.logWarning("no configuration at hand; every request is answered 404 until one arrives")
  })
