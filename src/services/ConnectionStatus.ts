/** The state of the connection, apart from the connection itself, so that the status listener can open before the first dial. */
import { Clock, Context, Effect, Layer, SubscriptionRef } from "effect"
import type { ConnectionState } from "./Connection.ts"
import { monotonicMs } from "./monotonic.ts"

export class ConnectionStatus extends Context.Service<
  ConnectionStatus,
  SubscriptionRef.SubscriptionRef<ConnectionState>
>()("holdfast/services/ConnectionStatus") {
  static readonly layer = Layer.effect(
    ConnectionStatus,
    Effect.gen(function* () {
      const sinceMs = yield* Clock.currentTimeMillis
      const sinceMonotonicMs = yield* monotonicMs
      return yield* SubscriptionRef.make<ConnectionState>({ _tag: "disabled", sinceMs, sinceMonotonicMs })
    })
  )
}
