/**
 * ClusterIdentity from the settings `cluster_cert`, `cluster_cert_key` and `cluster_ca_cert` (`hybrid-protocol-v1.md` §1.2,
 * §13), and from the files behind them whenever they change.
 *
 * In the shared mode all members have one certificate, and can't get the next one all at the same moment. So the former
 * one counts beside the new one for `cluster_cert_overlap`, from when this process saw it replaced.
 */
import { Duration, Effect, FiberHandle, Layer, SubscriptionRef } from "effect"
import type { Fault } from "../../model/Fault.ts"
import type { SettingValues } from "../../model/SettingTable.ts"
import { type ClusterCertificate, type ClusterCredentials, ClusterIdentity } from "../../services/ClusterIdentity.ts"
import { Disk } from "../../services/Disk.ts"
import { FileWatch } from "../../services/FileWatch.ts"
import { Settings } from "../../services/Settings.ts"
import { StartError } from "../../services/StartError.ts"
import { supervise } from "../../services/supervise.ts"
import { TrustedClock } from "../../services/TrustedClock.ts"
import { credentialFiles, type LoadedCredentials, loadClusterCredentials } from "./clusterCredentials.ts"
import { follow, watchFiles } from "./followCredentials.ts"
import { warnOfExpiry } from "./warnOfExpiry.ts"

const iso = (ms: number): string => new Date(ms).toISOString()

const expiryFault = ({ expiresAtMs }: LoadedCredentials): Fault => ({
  path: ["cluster_cert"],
  message: `expected a certificate that has not expired; this one did on ${iso(expiresAtMs)}`
})

const earlinessFault = ({ validFromMs }: LoadedCredentials): Fault => ({
  path: ["cluster_cert"],
  message: `expected a certificate that is valid already; this one will be from ${iso(validFromMs)} on`
})

const stop = (faults: ReadonlyArray<Fault>) => new StartError({ faults, exitCode: 2 })

const isSame = (one: unknown, other: unknown): boolean => JSON.stringify(one) === JSON.stringify(other)

const certificateOf = ({ cert, key, fingerprint256 }: ClusterCertificate): ClusterCertificate => ({
  cert,
  key,
  fingerprint256
})

const whatChanged = (before: LoadedCredentials, now: LoadedCredentials): string =>
  [
    ...(isSame(certificateOf(before), certificateOf(now)) ? [] : ["certificate"]),
    ...(isSame([before.authorities, before.proxyAuthorities], [now.authorities, now.proxyAuthorities])
      ? []
      : ["authorities"])
  ].join(", ")

/** Holds what was loaded last, and beside it for a while the certificate before. */
const makeRotation = Effect.fnUntraced(function* (settings: SettingValues, first: LoadedCredentials) {
  const overlapSeconds = settings.cluster_mtls === "shared" ? settings.cluster_cert_overlap : 0
  const current = yield* SubscriptionRef.make<ClusterCredentials>({ ...first, former: undefined })
  const forgetting = yield* FiberHandle.make<void>()
  let held = first
  let former: ClusterCertificate | undefined

  const publish = Effect.suspend(() => SubscriptionRef.set(current, { ...held, former }))

  const forgetFormer = Effect.gen(function* () {
    yield* Effect.sleep(Duration.seconds(overlapSeconds))
    former = undefined
    yield* publish
    yield* Effect.logInfo("former cluster certificate counts no longer")
  })

  const take = Effect.fnUntraced(function* (loaded: LoadedCredentials) {
    if (isSame(loaded, held)) return
    const before = held
    const isOther = loaded.fingerprint256 !== before.fingerprint256
    held = loaded
    if (isOther && overlapSeconds > 0) {
      former = certificateOf(before)
      yield* FiberHandle.run(forgetting, forgetFormer)
    }
    yield* publish
    yield* Effect.logInfo("cluster credentials replaced; the next connection uses them").pipe(
      Effect.annotateLogs({
        changed: whatChanged(before, loaded),
        expires_at: iso(loaded.expiresAtMs),
        ...(former === undefined ? {} : { former_counts_for_seconds: overlapSeconds })
      })
    )
  })

  return { current, take }
})

const make = Effect.fnUntraced(function* (role: SettingValues["role"]) {
  const settings = yield* Settings
  const clock = yield* TrustedClock
  const { watch } = yield* FileWatch
  const load = Effect.provideService(loadClusterCredentials(role, settings), Disk, yield* Disk)
  /** Whoever runs has credentials already, and is not better off with some that count no longer, or not yet. */
  const reload = Effect.gen(function* () {
    const loaded = yield* load
    const nowMs = yield* clock.nowMs
    if (loaded.expiresAtMs <= nowMs) return yield* Effect.fail([expiryFault(loaded)])
    if (loaded.validFromMs > nowMs) return yield* Effect.fail([earlinessFault(loaded)])
    return loaded
  })
  // Looked at before they are read, so that no change falls between the two.
  const marks = yield* watchFiles(watch, credentialFiles(role, settings))
  const first = yield* Effect.mapError(load, stop)
  if (role === "control_plane" && first.expiresAtMs <= (yield* clock.nowMs)) return yield* stop([expiryFault(first)])
  const { current, take } = yield* makeRotation(settings, first)
  yield* follow({ marks, load: reload, take })
  yield* supervise("cluster certificate expiry", warnOfExpiry({ current }, clock))
  return ClusterIdentity.of({ current })
})

/** A control plane's: stops the start when the certificate has expired. */
export const layer: Layer.Layer<ClusterIdentity, StartError, Settings | Disk | FileWatch | TrustedClock> = Layer.effect(
  ClusterIdentity,
  make("control_plane")
)

/**
 * A data plane's: warns when the certificate has expired, for a node that can serve what it has: refusing to start
 * would turn a lapsed certificate into an outage.
 */
export const layerToleratingExpiry: Layer.Layer<
  ClusterIdentity,
  StartError,
  Settings | Disk | FileWatch | TrustedClock
> = Layer.effect(ClusterIdentity, make("data_plane"))
