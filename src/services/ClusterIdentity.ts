/** Who this process is towards its cluster peers, and by whom it knows them (`hybrid-protocol-v1.md` §1.2). */
import { Context, type SubscriptionRef } from "effect"

export interface ClusterCertificate {
  /** PEM text. */
  readonly cert: string
  /** PEM text. Never to be shown. */
  readonly key: string
  /** Digest of the certificate's DER as Node writes it: upper-case hex pairs joined by colons. */
  readonly fingerprint256: string
}

export interface ClusterCredentials extends ClusterCertificate {
  readonly commonName: string | undefined
  /** Milliseconds since the epoch. */
  readonly expiresAtMs: number
  /** PEM texts of all that a peer's chain may end in; in the shared mode the certificate itself. */
  readonly authorities: ReadonlyArray<string>
  /** PEM texts of `cluster_ca_cert` alone, by which whoever dials in is known; none in the shared mode. */
  readonly memberAuthorities: ReadonlyArray<string>
  /** PEM texts by which a forward proxy over TLS is known; empty where none is judged. */
  readonly proxyAuthorities: ReadonlyArray<string>
  /**
   * In the shared mode, for a while after the certificate was replaced: the one before. Peers that have not got the new
   * one yet are still known by it, and still know us by it. It is its own authority.
   */
  readonly former: ClusterCertificate | undefined
}

export class ClusterIdentity extends Context.Service<
  ClusterIdentity,
  {
    /** Changes when the files behind it do. Whoever dials or listens takes what is there then; sessions that stand stay. */
    readonly current: SubscriptionRef.SubscriptionRef<ClusterCredentials>
  }
>()("holdfast/services/ClusterIdentity") {}
