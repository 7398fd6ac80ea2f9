/** The facts that status and metrics are made of, gathered from the parts that know them. */
import { Effect, MutableRef, SubscriptionRef } from "effect"
import { ConnectionStatus } from "./ConnectionStatus.ts"
import { Identity } from "./Identity.ts"
import { LiveConfig } from "./LiveConfig.ts"
import { monotonicMs } from "./monotonic.ts"
import { NodeHealth } from "./NodeHealth.ts"
import type { NodeFacts } from "./NodeStatus.ts"
import { TelemetryStatus } from "./TelemetryStatus.ts"
import { TrustedClock } from "./TrustedClock.ts"

/** The node's start is the moment at which this is asked for. */
export const gatherNodeFacts = Effect.gen(function* () {
  const { nodeId, hostname, version } = yield* Identity
  const live = yield* LiveConfig
  const connection = yield* ConnectionStatus
  const health = yield* NodeHealth
  const telemetry = yield* TelemetryStatus
  const trustedClock = yield* TrustedClock
  const startedAtMs = yield* trustedClock.nowMs
  const startedMs = yield* monotonicMs

  return Effect.gen(function* () {
    const nowMonotonicMs = yield* monotonicMs
    return {
      nodeId,
      hostname,
      version,
      startedAtMs,
      nowMs: yield* trustedClock.nowMs,
      uptimeMs: nowMonotonicMs - startedMs,
      monotonicMs: nowMonotonicMs,
      live: yield* SubscriptionRef.get(live.state),
      warnings: MutableRef.get(live.current).warnings,
      connection: yield* SubscriptionRef.get(connection),
      proxy: MutableRef.get(health.proxy)?.(),
      isDraining: MutableRef.get(health.isDraining),
      cacheProblem: MutableRef.get(health.cacheProblem),
      clusterCertificateExpiresAtMs: MutableRef.get(health.clusterCertificateExpiresAtMs)?.(),
      license: MutableRef.get(health.license),
      telemetry: telemetry.facts(),
      peers: MutableRef.get(health.peers)?.(),
      configExport: MutableRef.get(health.configExport),
      clock: yield* trustedClock.facts
    } satisfies NodeFacts
  })
})
