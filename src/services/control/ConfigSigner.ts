/** Puts a control plane's name to what it sends, where it has a key for that. */
import { Context } from "effect"
import type { Attestation } from "../../model/ConfigStatement.ts"

export class ConfigSigner extends Context.Service<
  ConfigSigner,
  {
    /** With its signature added; without a key it stays as it is, and says its place in the order all the same. */
    readonly sign: (attestation: Attestation) => Attestation
    /** `ed25519:` and 16 hex digits; `undefined` without a key. */
    readonly keyName: string | undefined
  }
>()("holdfast/services/control/ConfigSigner") {}
