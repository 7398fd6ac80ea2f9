/** NodeMetrics, gathered anew whenever somebody asks: between two looks metrics cost nothing. */
import { Effect, Layer, MutableRef } from "effect"
import { type ConfigTable, emptyTable } from "../../model/ConfigTable.ts"
import type { ConnectionStatus } from "../../services/ConnectionStatus.ts"
import { gatherNodeFacts } from "../../services/gatherNodeFacts.ts"
import type { Identity } from "../../services/Identity.ts"
import type { LiveConfig } from "../../services/LiveConfig.ts"
import { NodeHealth } from "../../services/NodeHealth.ts"
import { NodeMetrics, nodeSamples } from "../../services/NodeMetrics.ts"
import { RequestCounters } from "../../services/RequestCounters.ts"
import {
  type MetricChoice,
  type Names,
  namesOf,
  requestSampleSteps,
  targetSamples
} from "../../services/RequestMetrics.ts"
import { Settings } from "../../services/Settings.ts"
import type { TelemetryStatus } from "../../services/TelemetryStatus.ts"
import type { TrustedClock } from "../../services/TrustedClock.ts"
import { takeTurns } from "../../services/takeTurns.ts"
import { processUse } from "./processUse.ts"

/** Made once for each configuration, which may have thousands of names. */
const rememberNames = (): ((table: ConfigTable) => Names) => {
  let known: { readonly table: ConfigTable; readonly names: Names } | undefined
  return (table) => {
    if (known?.table !== table) known = { table, names: namesOf(table) }
    return known.names
  }
}

const make = Effect.gen(function* () {
  const health = yield* NodeHealth
  const requests = yield* RequestCounters
  const { prometheus_metrics, prometheus_limit } = yield* Settings
  const choice: MetricChoice = { groups: new Set(prometheus_metrics), limit: prometheus_limit }
  const names = rememberNames()
  const gather = yield* gatherNodeFacts

  const samples = Effect.gen(function* () {
    const node = yield* gather
    const table = node.live.snapshot?.table ?? emptyTable
    const ofRequests = yield* takeTurns(() => requestSampleSteps(requests.cells(), names(table), choice))
    return nodeSamples({
      node,
      connection: MutableRef.get(health.connection),
      process: processUse(),
      apiCalls: requests.apiCalls(),
      traffic: {
        ...ofRequests,
        ...targetSamples(table, choice)
      },
      accessLog: MutableRef.get(health.accessLog)?.(),
      tracing: MutableRef.get(health.tracing)?.()
    })
  })
  return { samples }
})

export const layer: Layer.Layer<
  NodeMetrics,
  never,
  Settings | Identity | LiveConfig | ConnectionStatus | NodeHealth | RequestCounters | TelemetryStatus | TrustedClock
> = Layer.effect(NodeMetrics, make)
