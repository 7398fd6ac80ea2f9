/** The cluster identity from the settings `cluster_cert`, `cluster_cert_key` and `cluster_ca_cert` (`hybrid-protocol-v1.md` §1.2, §13). */
import type { X509Certificate } from "node:crypto"
import { createSecureContext } from "node:tls"
import { Clock, Effect, Layer, Option, Result } from "effect"
import { commonNameOf } from "../../model/ClusterTls.ts"
import type { Fault } from "../../model/Fault.ts"
import type { SettingValues } from "../../model/SettingTable.ts"
import { ClusterIdentity } from "../../services/ClusterIdentity.ts"
import { Settings } from "../../services/Settings.ts"
import { StartError } from "../../services/StartError.ts"
import { loadAuthorities } from "./authorities.ts"
import { loadPair } from "./pemPair.ts"

const expiryFault = (certificate: X509Certificate): Fault => ({
  path: ["cluster_cert"],
  message: `expected a certificate that has not expired; this one did on ${certificate.validToDate.toISOString()}`
})

/** A pair that can be read may still be too weak for TLS. */
const unusable = (error: unknown): Fault => ({
  path: ["cluster_cert"],
  message: `expected a certificate that TLS takes (${error instanceof Error ? error.message : "refused"})`
})

const stop = (faults: ReadonlyArray<Fault>) => new StartError({ faults, exitCode: 2 })

const warnOfExpiry = (certificate: X509Certificate) =>
  Effect.logWarning("cluster certificate expired; the peer will refuse it").pipe(
    Effect.annotateLogs({ expired_at: certificate.validToDate.toISOString() })
  )

const load = Effect.fnUntraced(function* (role: SettingValues["role"]) {
  const settings = yield* Settings
  const [pair, trusted] = yield* Effect.all([
    Effect.result(
      loadPair({
        cert: ["cluster_cert", settings.cluster_cert],
        key: ["cluster_cert_key", settings.cluster_cert_key]
      })
    ),
    Effect.result(loadAuthorities(role, settings))
  ])
  if (Result.isFailure(pair) || Result.isFailure(trusted)) {
    const faults = [Result.getFailure(pair), Result.getFailure(trusted)].flatMap(Option.toArray)
    return yield* stop(faults.flat())
  }
  const { cert, key, certificate } = pair.success
  const authorities = settings.cluster_mtls === "shared" ? [cert] : trusted.success
  yield* Effect.try({
    try: () => createSecureContext({ cert, key, ca: [...authorities] }),
    catch: (error) => stop([unusable(error)])
  })
  const expiresAtMs = certificate.validToDate.getTime()
  if (expiresAtMs <= (yield* Clock.currentTimeMillis)) {
    yield* role === "data_plane" ? warnOfExpiry(certificate) : stop([expiryFault(certificate)])
  }
  return {
    cert,
    key,
    expiresAtMs,
    fingerprint256: certificate.fingerprint256,
    commonName: commonNameOf(certificate.toLegacyObject().subject),
    authorities
  }
})

/** A control plane's: stops the start when the certificate has expired. */
export const layer: Layer.Layer<ClusterIdentity, StartError, Settings> = Layer.effect(
  ClusterIdentity,
  load("control_plane")
)

/**
 * A data plane's: warns when the certificate has expired, for a node that can serve what it has: refusing to start
 * would turn a lapsed certificate into an outage.
 */
export const layerToleratingExpiry: Layer.Layer<ClusterIdentity, StartError, Settings> = Layer.effect(
  ClusterIdentity,
  load("data_plane")
)
