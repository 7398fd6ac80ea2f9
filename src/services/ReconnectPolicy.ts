/**
 * How long to wait before the next attempt. Uniform and real-valued in [5, 10) s, drawn anew for each attempt, for
 * ever: the documented contract (`konnect-network-resiliency.md`, "How do the control plane and data plane nodes
 * communicate?"), with the integers of `hybrid-protocol-v1.md` §6.1 smoothed so that a fleet doesn't return in six waves.
 */
import { Context, Random, Schedule } from "effect"
import type { SessionEnd } from "./ClusterDialer.ts"

export const reconnectDelayMinMs = 5_000
export const reconnectDelayMaxMs = 10_000

export const kongReconnect: Schedule.Schedule<number, SessionEnd> = Schedule.forever.pipe(
  Schedule.addDelay(() => Random.nextBetween(reconnectDelayMinMs, reconnectDelayMaxMs))
)

export const ReconnectPolicy = Context.Reference<Schedule.Schedule<unknown, SessionEnd>>(
  "holdfast/services/ReconnectPolicy",
  {
    defaultValue: () => kongReconnect
  }
)
