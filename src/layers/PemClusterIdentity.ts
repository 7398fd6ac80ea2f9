/**
 * The cluster identity from the settings `cluster_cert` and `cluster_cert_key`: a path, PEM text or base64 of PEM
 * (reference `hybrid-protocol-v1.md` §13). Everything that is wrong with the pair is told at once.
 */

import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto"
import { readFile } from "node:fs/promises"
import { Clock, Effect, Layer, Result } from "effect"
import type { Fault } from "../model/Fault.ts"
import { inlinePem, isPem } from "../model/Pem.ts"
import { type ClusterCredentials, ClusterIdentity } from "../services/ClusterIdentity.ts"
import { Settings } from "../services/Settings.ts"
import { StartError } from "../services/StartError.ts"

type PemSetting = "cluster_cert" | "cluster_cert_key"

const expected: Readonly<Record<PemSetting, string>> = {
  cluster_cert: "expected a certificate: a path, PEM text or base64 of PEM",
  cluster_cert_key: "expected an unencrypted private key: a path, PEM text or base64 of PEM"
}

const codeOf = (error: unknown): string =>
  error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "unreadable"

/** The value of a key setting is never shown: a mistyped key looks like a path. */
const refuse = (setting: PemSetting, why: string, path?: string): Fault => {
  const message = `${expected[setting]} (${why})`
  return path === undefined || setting === "cluster_cert_key"
    ? { path: [setting], message }
    : { path: [setting], message, value: path }
}

const readPem = Effect.fnUntraced(function* (setting: PemSetting, value: string | undefined) {
  if (value === undefined || value === "") return yield* Effect.fail(refuse(setting, "the setting is missing"))
  const inline = inlinePem(value)
  if (inline !== undefined) return inline
  const text = yield* Effect.tryPromise({
    try: () => readFile(value, "utf8"),
    catch: (error) => refuse(setting, codeOf(error), value)
  })
  return isPem(text) ? text : yield* Effect.fail(refuse(setting, "the file holds no PEM", value))
})

const parse = <A>(setting: PemSetting, make: () => A) =>
  Effect.try({ try: make, catch: () => refuse(setting, "its PEM can't be read") })

const pairFaults = (certificate: X509Certificate, key: KeyObject): ReadonlyArray<Fault> =>
  certificate.checkPrivateKey(key)
    ? []
    : [{ path: ["cluster_cert_key"], message: "expected the key that belongs to cluster_cert" }]

const expiryFault = (certificate: X509Certificate): Fault => ({
  path: ["cluster_cert"],
  message: `expected a certificate that has not expired; this one did on ${certificate.validToDate.toISOString()}`
})

const stop = (faults: ReadonlyArray<Fault>) => new StartError({ faults, exitCode: 2 })

const load = Effect.fnUntraced(function* (onExpiry: "refuse" | "warn") {
  const settings = yield* Settings
  const [cert, key] = yield* Effect.all([
    Effect.result(
      Effect.flatMap(readPem("cluster_cert", settings.cluster_cert), (pem) =>
        parse("cluster_cert", () => ({ pem, certificate: new X509Certificate(pem) }))
      )
    ),
    Effect.result(
      Effect.flatMap(readPem("cluster_cert_key", settings.cluster_cert_key), (pem) =>
        parse("cluster_cert_key", () => ({ pem, key: createPrivateKey(pem) }))
      )
    )
  ])
  const faults: Array<Fault> = []
  if (Result.isFailure(cert)) faults.push(cert.failure)
  if (Result.isFailure(key)) faults.push(key.failure)
  if (Result.isSuccess(cert)) {
    const { certificate } = cert.success
    if (Result.isSuccess(key)) faults.push(...pairFaults(certificate, key.success.key))
    if (certificate.validToDate.getTime() <= (yield* Clock.currentTimeMillis)) {
      const fault = expiryFault(certificate)
      if (onExpiry === "refuse") faults.push(fault)
      else
        yield* Effect.logWarning("cluster certificate expired; the peer will refuse it").pipe(
          Effect.annotateLogs({ expired_at: certificate.validToDate.toISOString() })
        )
    }
  }
  if (faults.length > 0 || Result.isFailure(cert) || Result.isFailure(key)) return yield* stop(faults)
  const credentials: ClusterCredentials = {
    cert: cert.success.pem,
    key: key.success.pem,
    fingerprint256: cert.success.certificate.fingerprint256,
    expiresAtMs: cert.success.certificate.validToDate.getTime()
  }
  return credentials
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
