/** Who this process is towards its cluster peers: in the shared mode both planes hold the same certificate. */
import { Context } from "effect"

export interface ClusterCredentials {
  /** PEM text. */
  readonly cert: string
  /** PEM text. Never to be shown. */
  readonly key: string
  /** Digest of the certificate's DER as Node writes it: upper-case hex pairs joined by colons. */
  readonly fingerprint256: string
  /** Milliseconds since the epoch. */
  readonly expiresAtMs: number
}

export class ClusterIdentity extends Context.Service<ClusterIdentity, ClusterCredentials>()(
  "holdfast/services/ClusterIdentity"
) {}
