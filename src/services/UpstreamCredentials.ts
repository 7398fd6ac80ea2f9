/** How the node deals with upstreams over TLS where a configuration leaves it open. */
import { Context, type Effect } from "effect"
import type { CertificatePair } from "./ServerCertificate.ts"
import type { StartError } from "./StartError.ts"

export interface UpstreamDefaults {
  /** Shown to upstreams whose service and upstream name none. */
  readonly clientCertificate: CertificatePair | undefined
  /** PEM of the authorities that are trusted where a service names none; asked for on the first use. */
  readonly authorities: () => ReadonlyArray<string>
}

export class UpstreamCredentials extends Context.Service<
  UpstreamCredentials,
  {
    /** Fails with all faults of the settings behind it. */
    readonly load: Effect.Effect<UpstreamDefaults, StartError>
  }
>()("holdfast/services/UpstreamCredentials") {}
