/** A collector that takes nothing is told of once, and so is that it does again. */
import { Effect } from "effect"
import type { NotDelivered } from "./Uplink.ts"

export const makeTeller = (url: string) => {
  // Some collectors take a key in the query.
  const endpoint = url.replace(/[?#].*$/s, "")
  let isAway = false
  return {
    failed: ({ message }: NotDelivered) =>
      Effect.suspend(() => {
        if (isAway) return Effect.void
        isAway = true
        return Effect.logWarning("telemetry can't be delivered to the collector").pipe(
          Effect.annotateLogs({ endpoint, cause: message })
        )
      }),
    delivered: Effect.suspend(() => {
      if (!isAway) return Effect.void
      isAway = false
      return Effect.logInfo("telemetry is delivered to the collector again").pipe(Effect.annotateLogs({ endpoint }))
    })
  }
}
