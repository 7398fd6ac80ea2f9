/** ConfigSigner by the Ed25519 key of `config_signing_key`, read once at the start. */
import { Effect, Layer } from "effect"
import { signedBy } from "../model/ConfigStatement.ts"
import { keyName } from "../model/SigningKey.ts"
import { ConfigSigner } from "../services/control/ConfigSigner.ts"
import type { Disk } from "../services/Disk.ts"
import { Settings } from "../services/Settings.ts"
import type { StartError } from "../services/StartError.ts"
import { loadPrivateKey } from "../services/signingKeys.ts"

export const layer: Layer.Layer<ConfigSigner, StartError, Settings | Disk> = Layer.effect(
  ConfigSigner,
  Effect.gen(function* () {
    const { config_signing_key } = yield* Settings
    const key = yield* loadPrivateKey("config_signing_key", config_signing_key)
    if (key === undefined) return ConfigSigner.of({ sign: (attestation) => attestation, keyName: undefined })
    yield* Effect.logInfo("configurations are signed").pipe(Effect.annotateLogs({ key: keyName(key) }))
    return ConfigSigner.of({ sign: (attestation) => signedBy(attestation, key), keyName: keyName(key) })
  })
)
