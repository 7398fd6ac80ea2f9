/** NameServers over `node:dns`: nothing is kept, for whoever asks wants to know who is there now. */
import type { SrvRecord } from "node:dns"
import { isIP } from "node:net"
import { Effect, Layer } from "effect"
import { NameServers } from "../../services/NameServers.ts"
import { ResolveFailure } from "../../services/Resolver.ts"
import type { Settings } from "../../services/Settings.ts"
import { openChannel } from "./channel.ts"

type Callback<A> = (error: NodeJS.ErrnoException | null, records: ReadonlyArray<A>) => void

/** `NOTFOUND` and its like are no failure of the servers: there is nothing. */
type Found<A> = { readonly records: ReadonlyArray<A>; readonly code: string | undefined }

const nothingThere: ReadonlySet<string> = new Set(["ENOTFOUND", "ENODATA"])

const ask = <A>(question: (done: Callback<A>) => void): Effect.Effect<Found<A>> =>
  Effect.callback<Found<A>>((resume) =>
    question((error, records) => {
      if (error === null) return resume(Effect.succeed({ records, code: undefined }))
      const code = error.code ?? "EUNKNOWN"
      return resume(Effect.succeed({ records: [], code: nothingThere.has(code) ? undefined : code }))
    })
  )

const make = Effect.gen(function* () {
  const { channel, hosts, candidates } = yield* openChannel

  /** The first variant of the name that has any record; a failure counts for more than that there is none. */
  const firstOf = <A>(name: string, look: (variant: string) => Effect.Effect<ReadonlyArray<Found<A>>>) =>
    Effect.gen(function* () {
      let code: string | undefined
      for (const variant of candidates(name)) {
        const found = yield* look(variant)
        const records = found.flatMap((each) => each.records)
        if (records.length > 0) return records
        code ??= found.find((each) => each.code !== undefined)?.code
      }
      return yield* Effect.fail(new ResolveFailure(name, code ?? "ENOTFOUND"))
    })

  const ofBothFamilies = (name: string) =>
    Effect.all(
      [ask<string>((done) => channel.resolve4(name, done)), ask<string>((done) => channel.resolve6(name, done))],
      { concurrency: 2 }
    )

  const addresses = (host: string): Effect.Effect<ReadonlyArray<string>, ResolveFailure> => {
    if (isIP(host) !== 0) return Effect.succeed([host])
    const known = hosts.get(host.toLowerCase())
    return known === undefined ? firstOf(host, ofBothFamilies) : Effect.succeed(known)
  }

  const services = (name: string) =>
    firstOf(name, (variant) =>
      Effect.map(
        ask<SrvRecord>((done) => channel.resolveSrv(variant, done)),
        (found) => [found]
      )
    ).pipe(Effect.map((records) => records.map(({ name: host, port }) => ({ host, port }))))

  return NameServers.of({ addresses, services })
})

export const layer: Layer.Layer<NameServers, never, Settings> = Layer.effect(NameServers, make)
