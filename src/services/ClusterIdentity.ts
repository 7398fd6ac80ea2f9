/** Who this process is towards its cluster peers, and by whom it knows them (`hybrid-protocol-v1.md` §1.2). */
import { Context } from "effect"

export interface ClusterCredentials {
  /** PEM text. */
  readonly cert: string
  /** PEM text. Never to be shown. */
  readonly key: string
  /** Digest of the certificate's DER as Node writes it: upper-case hex pairs joined by colons. */
  readonly fingerprint256: string
  readonly commonName: string | undefined
  /** Milliseconds since the epoch. */
  readonly expiresAtMs: number
  /** PEM texts of all that a peer's chain may end in; in the shared mode the certificate itself. */
  readonly authorities: ReadonlyArray<string>
}

export class ClusterIdentity extends Context.Service<ClusterIdentity, ClusterCredentials>()(
  "holdfast/services/ClusterIdentity"
) {}
