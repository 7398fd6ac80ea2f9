/** The way to the name servers, and what is known without them: reference `proxy-behaviour.md` §9. */
import { Resolver as Channel } from "node:dns"
import { readFile } from "node:fs/promises"
import { Effect } from "effect"
import { Settings } from "../../services/Settings.ts"
import { parseHosts } from "./hostsFile.ts"
import { candidatesFor, parseResolvConf } from "./resolvConf.ts"

const readOrNothing = (file: string) =>
  Effect.promise(() => readFile(file, "utf8")).pipe(Effect.catchDefect(() => Effect.succeed("")))

export const openChannel = Effect.gen(function* () {
  const settings = yield* Settings
  const system = parseResolvConf(yield* readOrNothing("/etc/resolv.conf"))
  const hosts = parseHosts(yield* readOrNothing(settings.dns_hostsfile))
  const channel = yield* Effect.acquireRelease(
    Effect.sync(() => new Channel({ timeout: system.timeoutMs, tries: system.attempts })),
    (open) => Effect.sync(() => open.cancel())
  )
  if (settings.dns_resolver.length > 0) channel.setServers(settings.dns_resolver)
  return { channel, hosts, candidates: candidatesFor(system) }
})
