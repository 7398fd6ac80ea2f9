/** Whether a node runs what it should, and in a sentence why it does not. */
import { Context, Option, SubscriptionRef } from "effect"
import { ConnectionStatus } from "../services/ConnectionStatus.ts"
import { LiveConfig } from "../services/LiveConfig.ts"
import type { World } from "./World.ts"

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`

/** How the node's connection looks from inside of it. */
const connectionOf = (services: Context.Context<never>, nowMs: number): string => {
  const status = Context.getOption(services, ConnectionStatus)
  if (Option.isNone(status)) return "nothing is known of its connection"
  const state = SubscriptionRef.getUnsafe(status.value)
  const since = seconds(nowMs - state.sinceMs)
  switch (state._tag) {
    case "disabled":
      return "it dials no control plane"
    case "connecting":
      return `it has been dialling for ${since} and was never connected`
    case "connected":
      return `it has been connected for ${since}, and the configuration has not come or was not applied`
    case "disconnected":
      return `it has been without a control plane for ${since}, after ${state.attempts} attempts (${state.reason})`
  }
}

/** `undefined` when it serves the newest valid push. */
export const whyNotConverged = (world: World, node: string): string | undefined => {
  const latest = world.pushes.latestValid()
  if (latest === undefined) return undefined
  const process = world.machine(node).process()
  if (process === undefined) return `${node} is not running`
  if (process.clock.isSuspended()) return `${node} is suspended`
  const services = process.services()
  const live = services === undefined ? Option.none() : Context.getOption(services, LiveConfig)
  if (services === undefined || Option.isNone(live)) return `${node} has not finished starting`
  const { hash, lastRejection } = SubscriptionRef.getUnsafe(live.value.state)
  if (hash === latest.hash) return undefined
  const runs = world.pushes.byHash(hash)
  const running = runs === undefined ? `serves ${hash}, which is no push` : `serves push ${runs.sequence}`
  const nowMs = process.clock.currentTimeMillisUnsafe()
  const refusal =
    lastRejection === undefined
      ? ""
      : `; ${seconds(nowMs - lastRejection.atMs)} ago it refused one: ${lastRejection.reasons[0] ?? ""}`
  return `${node} ${running} where push ${latest.sequence} is the latest: ${connectionOf(services, nowMs)}${refusal}`
}
