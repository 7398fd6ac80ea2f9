/** The cluster's private key, for whoever derives another key from it. Apart from ClusterIdentity, of which it is one fact. */
import { Context, Effect, Layer, Stream, SubscriptionRef } from "effect"
import { ClusterIdentity } from "./ClusterIdentity.ts"

export class ClusterKeys extends Context.Service<
  ClusterKeys,
  {
    /** PEM text; `undefined` where no setting names one. Never to be shown. */
    readonly current: Effect.Effect<string | undefined>
    /** Each that takes its place. May begin with the current one. */
    readonly changes: Stream.Stream<string>
  }
>()("holdfast/services/ClusterKeys") {
  static readonly layerOfIdentity = Layer.effect(
    ClusterKeys,
    Effect.map(ClusterIdentity, ({ current }) => ({
      // Where no TLS is spoken, as on a virtual network, the identity has no key.
      current: Effect.map(SubscriptionRef.get(current), ({ key }) => (key === "" ? undefined : key)),
      changes: SubscriptionRef.changes(current).pipe(
        Stream.map(({ key }) => key),
        Stream.filter((key) => key !== "")
      )
    }))
  )
}
