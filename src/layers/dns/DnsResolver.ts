/** Resolver over `node:dns`, which asks the servers itself: unlike the system's resolver it tells how long answers hold. */
import type { Resolver as Channel, SrvRecord } from "node:dns"
import { Effect, Layer } from "effect"
import type { SettingValues } from "../../model/SettingTable.ts"
import { Resolver } from "../../services/Resolver.ts"
import { Settings } from "../../services/Settings.ts"
import { openChannel } from "./channel.ts"
import { type Answer, DnsCache, type DnsOptions, type RecordType } from "./DnsCache.ts"

/** Node does not tell the TTL of SRV records. */
const srvTtlSeconds = 30

const codeOf = (error: NodeJS.ErrnoException): string => error.code ?? "EUNKNOWN"

const failed = (error: NodeJS.ErrnoException): Answer =>
  codeOf(error) === "ENOTFOUND" || codeOf(error) === "ENODATA"
    ? { _tag: "NotFound" }
    : { _tag: "Failed", code: codeOf(error) }

/** Of several priorities only the best, which is the lowest number; weight 0 still gets something (§7). */
const bestOf = (records: ReadonlyArray<SrvRecord>) => {
  const best = Math.min(...records.map(({ priority }) => priority))
  return records
    .filter(({ priority }) => priority === best)
    .map(({ name, port, weight }) => ({ host: name, port, weight: Math.max(1, weight) }))
}

const querier =
  (channel: Channel, validTtl: number | undefined): DnsOptions["query"] =>
  (name, type, done) => {
    if (type === "SRV") {
      channel.resolveSrv(name, (error, records) => {
        if (error !== null) done(failed(error))
        else done({ _tag: "Records", records: bestOf(records), ttlSeconds: validTtl ?? srvTtlSeconds })
      })
      return
    }
    const resolve = type === "A" ? channel.resolve4.bind(channel) : channel.resolve6.bind(channel)
    resolve(name, { ttl: true }, (error, records) => {
      if (error !== null) {
        done(failed(error))
        return
      }
      const ttlSeconds = validTtl ?? Math.min(...records.map(({ ttl }) => ttl))
      done({
        _tag: "Records",
        records: records.map(({ address }) => ({ host: address, port: 0, weight: 1 })),
        ttlSeconds
      })
    })
  }

/** CNAME needs no question of its own: servers follow it when they are asked for addresses. */
const typesOf = (order: SettingValues["dns_order"]): ReadonlyArray<RecordType> =>
  order.filter((type) => type === "SRV" || type === "A" || type === "AAAA")

const make = Effect.gen(function* () {
  const settings = yield* Settings
  const { channel, hosts, candidates } = yield* openChannel
  const cache = new DnsCache({
    nowMs: () => performance.now(),
    query: querier(channel, settings.dns_valid_ttl),
    hosts,
    candidates,
    order: typesOf(settings.dns_order),
    lastFirst: settings.dns_order.includes("LAST"),
    staleMs: settings.dns_stale_ttl * 1000,
    notFoundMs: settings.dns_not_found_ttl * 1000,
    errorMs: settings.dns_error_ttl * 1000,
    maxNames: settings.dns_cache_size
  })
  return Resolver.of({ resolve: (address, done) => cache.resolve(address, done), stats: () => cache.stats() })
})

export const layer: Layer.Layer<Resolver, never, Settings> = Layer.effect(Resolver, make)
