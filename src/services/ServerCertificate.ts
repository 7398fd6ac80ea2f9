/** What the TLS listeners show to a client whose server name no certificate of the configuration is for. */
import { Context, type Effect } from "effect"
import type { StartError } from "./StartError.ts"

/** PEM, both. */
export interface CertificatePair {
  readonly cert: string
  readonly key: string
}

export class ServerCertificate extends Context.Service<
  ServerCertificate,
  {
    /** Asked for only when there is a TLS listener: making a certificate takes its time. */
    readonly fallback: Effect.Effect<CertificatePair, StartError>
  }
>()("holdfast/services/ServerCertificate") {}
