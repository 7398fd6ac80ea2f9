/** Reads what `cluster_cert`, `cluster_cert_key`, `cluster_ca_cert` and `lua_ssl_trusted_certificate` say now. */
import { createSecureContext } from "node:tls"
import { Effect, Option, Result } from "effect"
import { commonNameFaults, commonNameOf } from "../../model/ClusterTls.ts"
import type { Fault } from "../../model/Fault.ts"
import { inlinePem } from "../../model/Pem.ts"
import type { SettingName, SettingValues } from "../../model/SettingTable.ts"
import { verifiesProxy } from "../../model/settingRules.ts"
import { messageOf } from "../../model/thrown.ts"
import type { ClusterCredentials } from "../../services/ClusterIdentity.ts"
import type { Disk } from "../../services/Disk.ts"
import { loadAuthorities, readAuthorities } from "./authorities.ts"
import { loadPair } from "./pemPair.ts"

/** What the settings say; what was before is not theirs to say. */
export interface LoadedCredentials extends Omit<ClusterCredentials, "former"> {
  /** Milliseconds since the epoch. */
  readonly validFromMs: number
}

/** A pair that can be read may still be too weak for TLS. */
const unusable = (error: unknown): ReadonlyArray<Fault> => [
  {
    path: ["cluster_cert"],
    message: `expected a certificate that TLS takes (${messageOf(error)})`
  }
]

const loadProxyAuthorities = (settings: SettingValues) =>
  verifiesProxy(settings)
    ? readAuthorities("lua_ssl_trusted_certificate", settings.lua_ssl_trusted_certificate)
    : Effect.succeed([])

const unique = (faults: ReadonlyArray<Fault>): ReadonlyArray<Fault> => [
  ...new Map(faults.map((fault) => [JSON.stringify(fault), fault])).values()
]

/** Fails with every fault of all settings at once. Whether the certificate counts at this time is another question. */
export const loadClusterCredentials = Effect.fnUntraced(function* (
  role: SettingValues["role"],
  settings: SettingValues
): Effect.fn.Return<LoadedCredentials, ReadonlyArray<Fault>, Disk> {
  const [pair, trusted, proxyTrusted] = yield* Effect.all([
    Effect.result(
      loadPair({
        cert: ["cluster_cert", settings.cluster_cert],
        key: ["cluster_cert_key", settings.cluster_cert_key]
      })
    ),
    Effect.result(loadAuthorities(role, settings)),
    Effect.result(loadProxyAuthorities(settings))
  ])
  if (Result.isFailure(pair) || Result.isFailure(trusted) || Result.isFailure(proxyTrusted)) {
    const failures = [Result.getFailure(pair), Result.getFailure(trusted), Result.getFailure(proxyTrusted)]
    return yield* Effect.fail(unique(failures.flatMap(Option.toArray).flat()))
  }
  const { cert, key, certificate } = pair.success
  const authorities = settings.cluster_mtls === "shared" ? [cert] : trusted.success.all
  yield* Effect.try({ try: () => createSecureContext({ cert, key, ca: [...authorities] }), catch: unusable })
  const commonName = commonNameOf(certificate.toLegacyObject().subject)
  const faults = role === "control_plane" ? commonNameFaults(settings, commonName) : []
  if (faults.length > 0) return yield* Effect.fail(faults)
  return {
    cert,
    key,
    fingerprint256: certificate.fingerprint256,
    commonName,
    validFromMs: certificate.validFromDate.getTime(),
    expiresAtMs: certificate.validToDate.getTime(),
    authorities,
    memberAuthorities: trusted.success.members,
    proxyAuthorities: proxyTrusted.success
  }
})

const filesIn = (settings: SettingValues, names: ReadonlyArray<SettingName>): ReadonlyArray<string> =>
  names
    .flatMap((name): ReadonlyArray<string> => {
      const value = settings[name]
      return typeof value === "string" ? [value] : Array.isArray(value) ? value : []
    })
    .filter((value) => value !== "system" && inlinePem(value) === undefined)

/** The files that are read: PEM in a setting itself never changes, and the machine's store is read once. */
export const credentialFiles = (role: SettingValues["role"], settings: SettingValues): ReadonlyArray<string> => {
  const isShared = settings.cluster_mtls === "shared"
  const trustsMore = verifiesProxy(settings) || (!isShared && role === "data_plane")
  const files = filesIn(settings, [
    "cluster_cert",
    "cluster_cert_key",
    ...(isShared ? [] : (["cluster_ca_cert"] as const)),
    ...(trustsMore ? (["lua_ssl_trusted_certificate"] as const) : [])
  ])
  return [...new Set(files)]
}
