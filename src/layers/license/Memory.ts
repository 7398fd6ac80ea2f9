/**
 * What the configuration says of its licence, over restarts, and whichever configuration serves (`docs/licences.md`, "Kept
 * apart"). A control plane's word counts as it is. What the disk or something below it has may be older: then the newer
 * one counts, of it and of what was kept. And what was refused leaves what stood before it, in an earlier life as well.
 */
import { Effect, SubscriptionRef } from "effect"
import { type FoundLicense, newestLicense } from "../../model/FoundLicense.ts"
import {
  decodeKeptLicense,
  encodeKeptLicense,
  type KeptLicense,
  keepNewer,
  keepOfControlPlane,
  outweighs
} from "../../model/KeptLicense.ts"
import type { Source } from "../../model/Snapshot.ts"
import { isBetter, preferenceOf } from "../../model/SourcePreference.ts"
import { ConfigCache, type KeptText } from "../../services/ConfigCache.ts"
import { noAnswer } from "../../services/DiskSilence.ts"
import { LiveConfig } from "../../services/LiveConfig.ts"
import { Settings } from "../../services/Settings.ts"
import { makeKeeper } from "./keeper.ts"
import { type Judgement, readLicense } from "./readLicense.ts"

export interface Look {
  readonly found: FoundLicense
  /** What stood there in an earlier life, as text, until something was taken in this one: it stays when what is found is refused. */
  readonly before?: string | undefined
  /** To be done once what is found was taken. */
  readonly taken?: Effect.Effect<void>
}

/** A disk that never answers must not keep a node from opening. */
const patience = "5 seconds"

const tellUnread = (file: string, cause: string) =>
  Effect.logWarning("kept licence can't be read; going on without it").pipe(Effect.annotateLogs({ file, cause }))

const readKept = Effect.fnUntraced(
  function* ({ file, read }: KeptText) {
    const text = yield* read
    if (text === undefined) return undefined
    const kept = decodeKeptLicense(text)
    if (kept === undefined) yield* tellUnread(file, "expected a licence as it is kept")
    return kept
  },
  (self, { file }) =>
    self.pipe(
      Effect.catch(({ message }) => Effect.as(tellUnread(file, message), undefined)),
      Effect.timeoutOrElse({
        duration: patience,
        orElse: () => Effect.as(tellUnread(file, noAnswer), undefined)
      })
    )
)

const nothing: FoundLicense = { _tag: "Nothing" }

const foundIn = ({ text }: KeptLicense): FoundLicense => (text === undefined ? nothing : { _tag: "Text", text })

/** What this node would refuse by now is as good as none. */
const ifAcceptable = (kept: KeptLicense | undefined, judgement: Judgement): KeptLicense | undefined =>
  kept?.text === undefined || readLicense(kept.text, judgement)._tag === "Right" ? kept : undefined

export const makeMemory = Effect.fnUntraced(function* (judgement: Judgement) {
  const live = yield* LiveConfig
  const { keptLicense: store } = yield* ConfigCache
  const preference = preferenceOf(yield* Settings)
  const keep = store === undefined ? () => Effect.void : yield* makeKeeper(store)
  let kept = store === undefined ? undefined : ifAcceptable(yield* readKept(store), judgement)
  /** From then on what stood before something is what this life has seen. */
  let isAnyTaken = false
  let toldOf: string | undefined

  const remember = (next: KeptLicense | undefined): Effect.Effect<void> =>
    Effect.suspend(() => {
      if (next === undefined || (next.text === kept?.text && next.updatedAt === kept?.updatedAt)) return Effect.void
      kept = next
      return keep(encodeKeptLicense(next))
    })

  const taken = Effect.sync(() => {
    isAnyTaken = true
  })

  const take = (next: () => KeptLicense | undefined): Effect.Effect<void> =>
    Effect.andThen(
      taken,
      Effect.suspend(() => remember(next()))
    )

  const tellLeftAside = (source: Source, text: string, instead: KeptLicense) =>
    Effect.suspend(() => {
      if (toldOf === text) return Effect.void
      toldOf = text
      const because = instead.text === undefined ? "the control plane took it away since" : "a newer one is kept"
      return Effect.logWarning("licence of an older configuration left aside").pipe(
        Effect.annotateLogs({ source, because, file: store?.file })
      )
    })

  const look: Effect.Effect<Look> = Effect.gen(function* () {
    const { snapshot } = yield* SubscriptionRef.get(live.state)
    const found = newestLicense(snapshot?.raw.licenses)
    if (snapshot === undefined) return { found }
    const { source } = snapshot
    const before = isAnyTaken ? undefined : kept?.text
    if (source === "control_plane") return { found, before, taken: take(() => keepOfControlPlane(kept, found)) }
    // A person's word that is worth more than what is left over on the disk, as on a node on its own.
    if (isBetter(preference, source, "disk")) return { found, taken }
    if (kept !== undefined && found._tag === "Text" && outweighs(kept, found)) {
      yield* tellLeftAside(source, found.text, kept)
      return { found: foundIn(kept), taken }
    }
    return { found, before, taken: source === "declarative_file" ? taken : take(() => keepNewer(kept, found)) }
  })

  return { look }
})
