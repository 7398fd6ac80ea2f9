/**
 * ConfigTrust by `config_trust_keys` and the seal of the cluster's key. What is decided where sources differ
 * (`docs/signed-configurations.md`):
 *
 *   a control plane's session    is trust of its own; what names a key at hand and does not fit it is refused all the same
 *   disk, peer, object storage   signed by a trusted key, or sealed; as it was signed; nothing older than the newest seen
 *   the declarative file         is its author's word, and nobody else's
 *
 * Without `config_trust_keys` everything is believed, and what a control plane gave is sealed all the same, so that the
 * keys may be set during an outage.
 */
import { Effect, Layer, Semaphore } from "effect"
import { isBehind, mayReplace, type Standing, showStanding } from "../../model/ConfigOrder.ts"
import { type Attestation, attestationOf, isSeal, sealedBy, verification } from "../../model/ConfigStatement.ts"
import type { Row } from "../../model/Entity.ts"
import type { Fault } from "../../model/Fault.ts"
import { keyName } from "../../model/SigningKey.ts"
import { provenanceOf, type Snapshot } from "../../model/Snapshot.ts"
import { isUsed, preferenceOf } from "../../model/SourcePreference.ts"
import type { TableContent } from "../../model/TableContent.ts"
import { isShortOfMemory, messageOf } from "../../model/thrown.ts"
import type { ClusterKeys } from "../../services/ClusterKeys.ts"
import { ConfigCodec } from "../../services/ConfigCodec.ts"
import { ConfigTrust, type Distrust } from "../../services/ConfigTrust.ts"
import { Disk } from "../../services/Disk.ts"
import type { Offer } from "../../services/LiveConfig.ts"
import { Settings } from "../../services/Settings.ts"
import type { StartError } from "../../services/StartError.ts"
import { loadPublicKeys } from "../../services/signingKeys.ts"
import { newestFile, readNewest, writeNewest } from "./newestSeen.ts"
import { followSealKeys } from "./sealKeys.ts"

const fault = (message: string): Fault => ({ path: [], message })

const refuse = (message: string, mayServeYet: boolean): Distrust => ({ faults: [fault(message)], mayServeYet })

const remedy = "after a look at it, `holdfast config seal FILE` makes it this node's own"

const make = Effect.gen(function* () {
  const settings = yield* Settings
  const disk = yield* Disk
  const { describeTable } = yield* ConfigCodec
  const publicKeys = yield* loadPublicKeys("config_trust_keys", settings.config_trust_keys)
  const sealKeys = yield* followSealKeys
  const isOn = publicKeys.length > 0
  const isKept = isOn && isUsed(preferenceOf(settings), "disk")
  const trusted = publicKeys.map(keyName)

  const keys = () => ({ publicKeys, sealKeys: sealKeys.all() })

  let newest: Standing | undefined
  let isLoaded = !isKept
  let toldReason: string | undefined

  const tellUnusable = (reason: string) =>
    Effect.logWarning("the newest configuration that was seen is not known any more").pipe(
      Effect.annotateLogs({ file: newestFile(settings.prefix), reason })
    )

  /** What a control plane gave meanwhile stands. */
  const known = Effect.gen(function* () {
    if (isLoaded) return newest
    const found = yield* readNewest(disk, settings.prefix, sealKeys.all())
    if (isLoaded) return newest
    // What can't be read now is asked for again: it may be there.
    isLoaded = found._tag !== "Unreadable"
    if (found._tag === "Known" && (newest === undefined || isBehind(newest, found.standing))) newest = found.standing
    const reason = found._tag === "Unusable" || found._tag === "Unreadable" ? found.reason : undefined
    if (reason !== undefined && reason !== toldReason) yield* tellUnusable(reason)
    toldReason = reason
    return newest
  })

  /** The newest alone: it is some megabytes. */
  let described = new WeakMap<Row, TableContent>()

  const describe = (raw: Row): string => {
    const content = describeTable(raw)
    described = new WeakMap([[raw, content]])
    return content.sha256
  }

  const takeDescribed: ConfigTrust["takeDescribed"] = (raw) => {
    const content = described.get(raw)
    described.delete(raw)
    return content
  }

  /** A table that no statement could be about is not what was signed. */
  const digestOf = (offer: Offer) =>
    Effect.try({
      try: () => offer.sha256 ?? describe(offer.raw),
      catch: (cause) => cause
    }).pipe(Effect.catch((cause) => (isShortOfMemory(cause) ? Effect.die(cause) : Effect.succeed(messageOf(cause)))))

  const unsigned = (attestation: Attestation | undefined): Distrust => {
    const by = attestation?.signatures.map((signature) => signature.by) ?? []
    const found = by.length === 0 ? "nobody signed it" : `it is signed by ${by.join(", ")}`
    return refuse(
      `expected a signature by a key of config_trust_keys (${trusted.join(", ")}), or a seal of this node: ${found}; ${remedy}`,
      true
    )
  }

  const altered = (by: string): Distrust =>
    refuse(`expected what was signed by ${by}: content or statement was changed since`, false)

  /** Signed by somebody at hand, and unchanged since. */
  const judgeAttestation = Effect.fnUntraced(function* (
    attestation: Attestation | undefined,
    { hash, sha256 }: { readonly hash?: string | undefined; readonly sha256: Effect.Effect<string> },
    isRequired: boolean
  ) {
    const verdict = attestation === undefined ? undefined : verification(attestation, keys())
    if (attestation === undefined || verdict === undefined || verdict._tag === "unknown")
      return isRequired ? unsigned(attestation) : undefined
    if (verdict._tag === "invalid") return altered(verdict.by)
    const { statement } = attestation
    // Under another name it would pass for what that name stands for.
    const isNamedSo = hash === undefined || hash === statement.hash
    return isNamedSo && (yield* sha256) === statement.sha256 ? undefined : altered(verdict.by)
  })

  const judgeSignatures = (offer: Offer, isRequired: boolean) =>
    judgeAttestation(offer.attestation, { hash: offer.hash, sha256: digestOf(offer) }, isRequired)

  const judgeUnread: ConfigTrust["judgeUnread"] = (attestation, sha256) =>
    isOn ? judgeAttestation(attestation, { sha256 }, true) : Effect.succeed(undefined)

  const judgeAge = ({ attestation }: Offer, seen: Standing | undefined): Distrust | undefined => {
    if (attestation === undefined || seen === undefined || mayReplace(attestation.statement, seen)) return undefined
    return refuse(
      `expected nothing older than the newest configuration seen (${showStanding(seen)}): it is ${showStanding(attestation.statement)}`,
      true
    )
  }

  const judge = Effect.fnUntraced(function* (offer: Offer): Effect.fn.Return<Distrust | undefined> {
    if (!isOn || offer.source === "declarative_file") return undefined
    if (offer.source === "control_plane") return yield* judgeSignatures(offer, settings.config_require_signature)
    return (yield* judgeSignatures(offer, true)) ?? judgeAge(offer, yield* known)
  })

  const standingOf = (snapshot: Snapshot): Standing =>
    snapshot.attestation?.statement ?? {
      ...provenanceOf(snapshot),
      issuedAtMs: snapshot.issuedAtMs ?? snapshot.receivedAtMs
    }

  const oneAtATime = yield* Semaphore.make(1)

  const keep = (standing: Standing) =>
    oneAtATime
      .withPermit(writeNewest(disk, settings.prefix, standing, sealKeys.newest()))
      .pipe(
        Effect.catch(({ message }) =>
          Effect.logWarning("which configuration is the newest can't be kept").pipe(
            Effect.annotateLogs({ file: newestFile(settings.prefix), cause: message })
          )
        )
      )

  const kept: ConfigTrust["kept"] = (snapshot) =>
    isKept && snapshot.source !== "declarative_file" ? keep(standingOf(snapshot)) : Effect.void

  const accepted: ConfigTrust["accepted"] = (snapshot) =>
    Effect.suspend(() => {
      if (!isOn || snapshot.source === "declarative_file") return Effect.void
      const before = newest
      const now = standingOf(snapshot)
      // The same content under an older number must not let in what lies between the two.
      if (snapshot.source !== "control_plane" && before !== undefined && isBehind(now, before)) return Effect.void
      newest = now
      isLoaded ||= snapshot.source === "control_plane"
      // It is on the disk already: nobody will say so once more.
      const isNews = snapshot.source === "disk" && before?.sha256 !== now.sha256
      // Beside whoever applies, and whoever stops: the disk may never answer.
      return isNews ? Effect.asVoid(Effect.forkDetach(kept(snapshot))) : Effect.void
    })

  const attest: ConfigTrust["attest"] = (snapshot, { sha256 }) =>
    Effect.sync((): Attestation | undefined => {
      const own = snapshot.attestation?.statement.sha256 === sha256 ? snapshot.attestation : undefined
      const verdict = own === undefined ? undefined : verification(own, keys())
      const key = sealKeys.newest()
      if (own !== undefined && verdict?._tag === "verified")
        // A seal under a former key is this node's word still, and is given anew.
        return key === undefined || !isSeal(verdict.by) ? own : sealedBy(own, key)
      // What vouches for something else is no reason to vouch for this.
      const isAboutOther = own === undefined && snapshot.attestation !== undefined
      if (key === undefined || snapshot.source !== "control_plane" || isAboutOther) return own
      const { epoch, sequence, hash, issuedAtMs, receivedAtMs } = snapshot
      const numbered = { ...(epoch === undefined ? {} : { epoch }), ...(sequence === undefined ? {} : { sequence }) }
      return sealedBy(own ?? attestationOf({ ...numbered, hash, sha256, issuedAtMs: issuedAtMs ?? receivedAtMs }), key)
    })

  const isVouchedFor: ConfigTrust["isVouchedFor"] = (attestation) =>
    Effect.sync(() => !isOn || (attestation !== undefined && verification(attestation, keys())._tag === "verified"))

  const sealName = Effect.sync(() => sealKeys.newest()?.name)

  return {
    judge,
    judgeUnread,
    accepted,
    kept,
    attest,
    isVouchedFor,
    sealName,
    takeDescribed,
    lookAgain: sealKeys.lookAgain,
    sealChanges: sealKeys.changes
  }
})

export const layer: Layer.Layer<never, StartError, Settings | Disk | ClusterKeys> = Layer.effect(ConfigTrust, make)
