/** Whose envelopes count for a control plane that exports (`docs/object-storage.md`, "Newest wins"). */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import * as SigningConfigTrust from "../../../src/layers/config-trust/SigningConfigTrust.ts"
import * as NodeDisk from "../../../src/layers/NodeDisk.ts"
import { ConfigTrust } from "../../../src/services/ConfigTrust.ts"
import { trustKeys } from "../../support/configTrust.ts"
import { configOf } from "../../support/exporting.ts"
import { licenseKey, pemOf } from "../../support/licenses.ts"
import { settingsLayer } from "../../support/settings.ts"

const countsFor = (given: Parameters<typeof settingsLayer>[0]) =>
  Effect.gen(function* () {
    const { isVouchedFor } = yield* ConfigTrust
    const { attestation } = configOf(1, { seed: 1 })
    const { attestation: others } = configOf(1, { seed: 2 })
    const forged = attestation && { ...attestation, signed: { ...attestation.signed, sequence: 99 } }
    return yield* Effect.all([attestation, others, configOf(1).attestation, forged, undefined].map(isVouchedFor))
  }).pipe(Effect.provide(SigningConfigTrust.layer.pipe(Layer.provide([NodeDisk.layer, settingsLayer(given)]))))

const signing = { config_signing_key: pemOf(licenseKey(1)) }

describe("whose word counts for a control plane", () => {
  it.effect("is its own and that of the keys it trusts; everybody's when it has none", () =>
    Effect.gen(function* () {
      assert.deepEqual(yield* countsFor(signing), [true, false, false, false, false])
      assert.deepEqual(yield* countsFor({ ...signing, ...trustKeys(2) }), [true, true, false, false, false])
      assert.deepEqual(yield* countsFor(trustKeys(2)), [false, true, false, false, false])
      assert.deepEqual(yield* countsFor({}), [true, true, true, true, true])
    })
  )
})
