/** The listener that a probe can always ask: it opens before anything else of a node does. */
import { Context } from "effect"
import type { HostPort } from "../model/SettingTypes.ts"

export class StatusListener extends Context.Service<
  StatusListener,
  {
    /** Where it listens, with the ports that the system chose where a setting says 0. */
    readonly addresses: ReadonlyArray<HostPort>
  }
>()("holdfast/services/StatusListener") {}
