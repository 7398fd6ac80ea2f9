import { Effect, SubscriptionRef } from "effect"
import { unlicensed } from "../../src/services/LicenseGuard.ts"
import { LiveConfig } from "../../src/services/LiveConfig.ts"
import type { NodeFacts } from "../../src/services/NodeStatus.ts"

/** Of a node of which nothing is remarkable but what is given. */
export const nodeFacts = Effect.fnUntraced(function* (given: Partial<NodeFacts> = {}) {
  const { state } = yield* LiveConfig
  return {
    nodeId: "n",
    hostname: "h",
    version: "3.9.0",
    startedAtMs: 0,
    nowMs: 0,
    uptimeMs: 0,
    monotonicMs: 0,
    live: yield* SubscriptionRef.get(state),
    warnings: [],
    connection: { _tag: "disconnected", sinceMs: 0, sinceMonotonicMs: 0, attempts: 1, reason: "away" },
    proxy: { active: 0, accepted: 0, requests: 0, inFlight: 0 },
    isDraining: false,
    cacheProblem: undefined,
    clusterCertificateExpiresAtMs: undefined,
    license: unlicensed,
    telemetry: { delivery: { _tag: "idle" }, lastAcknowledgement: undefined, spool: undefined },
    configExport: undefined,
    peers: undefined,
    clock: { nowMs: 0, deviationMs: 0, doubt: undefined, lastCorrection: undefined },
    ...given
  } satisfies NodeFacts
})
