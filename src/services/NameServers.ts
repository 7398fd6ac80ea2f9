/** Every address that a name has now, for the control path: asked anew each time, by the rules of `proxy-behaviour.md` §9. */
import { Context, type Effect } from "effect"
import type { HostPort } from "../model/SettingTypes.ts"
import type { ResolveFailure } from "./Resolver.ts"

export class NameServers extends Context.Service<
  NameServers,
  {
    /** All addresses of both families, of the first variant of the name that has any. An address is its own. */
    readonly addresses: (host: string) => Effect.Effect<ReadonlyArray<string>, ResolveFailure>
    /** What the SRV records of a name lead to, whatever their priority. */
    readonly services: (name: string) => Effect.Effect<ReadonlyArray<HostPort>, ResolveFailure>
  }
>()("holdfast/services/NameServers") {}
