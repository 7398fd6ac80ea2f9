/** DeclarativeConfig from `declarative_config` (a path) or `declarative_config_string` (the text itself). */
import { Effect, Layer, Option } from "effect"
import { inflatedMaxBytes } from "../services/Compression.ts"
import { DeclarativeConfig } from "../services/DeclarativeConfig.ts"
import { readDocument, type Text } from "../services/DeclarativeDocument.ts"
import { Disk } from "../services/Disk.ts"
import { ConfigRejected, type Offer } from "../services/LiveConfig.ts"
import { Plugins } from "../services/Plugins.ts"
import type { RungAnswer } from "../services/Rung.ts"
import { Settings } from "../services/Settings.ts"
import { TrustedClock } from "../services/TrustedClock.ts"

const source = "declarative_file"

const unreadable = (message: string) =>
  new ConfigRejected({
    source,
    hash: undefined,
    stage: "read",
    faults: [{ path: ["declarative_config"], message: `expected a readable file (${message})` }]
  })

const nothing = (reason: string): RungAnswer => ({ _tag: "Nothing", reason })

/** A file has nothing older to fall back to, and stays where its author put it. */
const nothingElse = Effect.succeed(nothing("there is nothing else in its place"))

const make = Effect.gen(function* () {
  const { declarative_config: file, declarative_config_string: given } = yield* Settings
  const disk = yield* Disk
  const clock = yield* TrustedClock
  const plugins = yield* Plugins

  const text: Effect.Effect<Option.Option<Text>, ConfigRejected> = Effect.gen(function* () {
    if (file === undefined)
      return Option.map(Option.fromUndefinedOr(given), (content) => ({ name: "declarative_config_string", content }))
    const { bytes } = yield* Effect.mapError(disk.read(file, inflatedMaxBytes), ({ message }) => unreadable(message))
    return Option.some({ name: file, content: new TextDecoder().decode(bytes) })
  })

  const read = Effect.gen(function* (): Effect.fn.Return<RungAnswer, ConfigRejected> {
    const found = yield* text
    if (Option.isNone(found)) return nothing("no setting names one")
    const { raw, hash } = yield* Effect.provideService(readDocument(found.value), Plugins, plugins)
    const receivedAtMs = yield* clock.nowMs
    const offer: Offer = { raw, hash, receivedAtMs, source, place: found.value.name }
    return { _tag: "Candidate", offer, served: Effect.void, refused: () => nothingElse }
  })

  const offer = Effect.catch(read, ({ stage = "read", faults }) =>
    Effect.succeed<RungAnswer>({ _tag: "Unusable", stage, faults, next: nothingElse })
  )

  return DeclarativeConfig.of({ source, offer })
})

export const layer: Layer.Layer<DeclarativeConfig, never, Settings | Disk | TrustedClock | Plugins> = Layer.effect(
  DeclarativeConfig,
  make
)
