/**
 * ConfigTrust of a control plane, which serves no configuration and believes nobody's: what it vouches for by
 * `config_signing_key`, and whose signature counts when it looks at what other exporters wrote: its own and those of
 * `config_trust_keys`. With neither key, everybody's word counts.
 */
import { createPublicKey } from "node:crypto"
import { Effect, Layer } from "effect"
import { verification } from "../../model/ConfigStatement.ts"
import { believing, ConfigTrust } from "../../services/ConfigTrust.ts"
import type { Disk } from "../../services/Disk.ts"
import { Settings } from "../../services/Settings.ts"
import type { StartError } from "../../services/StartError.ts"
import { loadPrivateKey, loadPublicKeys } from "../../services/signingKeys.ts"

const make = Effect.gen(function* () {
  const { config_signing_key, config_trust_keys } = yield* Settings
  const own = yield* loadPrivateKey("config_signing_key", config_signing_key)
  const others = yield* loadPublicKeys("config_trust_keys", config_trust_keys)
  const publicKeys = [...(own === undefined ? [] : [createPublicKey(own)]), ...others]
  const isVouchedFor: ConfigTrust["isVouchedFor"] = (attestation) =>
    Effect.sync(
      () =>
        publicKeys.length === 0 ||
        (attestation !== undefined && verification(attestation, { publicKeys, sealKeys: [] })._tag === "verified")
    )
  return { ...believing, isVouchedFor }
})

export const layer: Layer.Layer<never, StartError, Settings | Disk> = Layer.effect(ConfigTrust, make)
