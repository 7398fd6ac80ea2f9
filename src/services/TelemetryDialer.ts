/**
 * One WebSocket to whoever takes telemetry, over mutual TLS as the configuration's and from the same dialler, so that proxy,
 * certificates and limits hold for both (`telemetry.md` §A.1; `faults.md`, "every outbound socket uses the same dialer").
 */
import { Context } from "effect"
import type { ClusterDialer } from "./ClusterDialer.ts"

export class TelemetryDialer extends Context.Service<TelemetryDialer, ClusterDialer["Service"]>()(
  "holdfast/services/TelemetryDialer"
) {}
