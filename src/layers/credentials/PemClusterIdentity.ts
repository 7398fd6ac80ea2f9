/** The cluster identity from the settings `cluster_cert` and `cluster_cert_key` (reference `hybrid-protocol-v1.md` §1.2, §13). */
import type { X509Certificate } from "node:crypto"
import { Clock, Effect, Layer } from "effect"
import type { Fault } from "../../model/Fault.ts"
import { ClusterIdentity } from "../../services/ClusterIdentity.ts"
import { Settings } from "../../services/Settings.ts"
import { StartError } from "../../services/StartError.ts"
import { loadPair } from "./pemPair.ts"

const expiryFault = (certificate: X509Certificate): Fault => ({
  path: ["cluster_cert"],
  message: `expected a certificate that has not expired; this one did on ${certificate.validToDate.toISOString()}`
})

const stop = (faults: ReadonlyArray<Fault>) => new StartError({ faults, exitCode: 2 })

const warnOfExpiry = (certificate: X509Certificate) =>
  Effect.logWarning("cluster certificate expired; the peer will refuse it").pipe(
    Effect.annotateLogs({ expired_at: certificate.validToDate.toISOString() })
  )

const load = Effect.fnUntraced(function* (onExpiry: "refuse" | "warn") {
  const settings = yield* Settings
  const { cert, key, certificate } = yield* loadPair({
    cert: ["cluster_cert", settings.cluster_cert],
    key: ["cluster_cert_key", settings.cluster_cert_key]
  }).pipe(Effect.mapError(stop))
  const expiresAtMs = certificate.validToDate.getTime()
  if (expiresAtMs <= (yield* Clock.currentTimeMillis)) {
    yield* onExpiry === "warn" ? warnOfExpiry(certificate) : Effect.fail(stop([expiryFault(certificate)]))
  }
  return { cert, key, expiresAtMs, fingerprint256: certificate.fingerprint256 }
})

/** Stops the start when the certificate has expired. */
export const layer: Layer.Layer<ClusterIdentity, StartError, Settings> = Layer.effect(ClusterIdentity, load("refuse"))

/**
 * Warns when the certificate has expired, for a node that can serve what it has: refusing to start would turn a
 * lapsed certificate into an outage.
 */
export const layerToleratingExpiry: Layer.Layer<ClusterIdentity, StartError, Settings> = Layer.effect(
  ClusterIdentity,
  load("warn")
)
