/** Cluster certificates for tests: production code makes them. */
import { Effect } from "effect"
import { makeClusterCertificate } from "../../src/layers/credentials/ClusterCertificate.ts"
import type { CertificatePair } from "../../src/services/ServerCertificate.ts"

/** Always of the real clock: TLS checks validity against it, whatever clock a test runs on. */
export const clusterCertificate: Effect.Effect<CertificatePair> = Effect.suspend(() =>
  makeClusterCertificate({ now: new Date(), days: 60 })
)
