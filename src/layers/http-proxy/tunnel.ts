/** Two connections that stopped being HTTP: bytes both ways until either side ends or both fall silent. */
import type { Duplex } from "node:stream"
import { Watchdog } from "./watchdog.ts"

export interface TunnelEnd {
  readonly stream: Duplex
  /** What came before anybody listened. */
  readonly head: Buffer
}

const join = (from: Duplex, to: Duplex, head: Buffer, watchdog: Watchdog): void => {
  if (head.length > 0) to.write(head)
  from.on("data", () => watchdog.touch())
  from.pipe(to)
  from.on("error", () => to.destroy())
  from.on("close", () => {
    watchdog.disarm()
    to.destroy()
  })
}

/** `read_timeout` counts for idle WebSockets too (`proxy-behaviour.md` §10). */
export const tunnel = (client: TunnelEnd, upstream: TunnelEnd, idleLimitMs: number): void => {
  const watchdog = new Watchdog(() => {
    client.stream.destroy()
    upstream.stream.destroy()
  })
  watchdog.arm(idleLimitMs)
  join(client.stream, upstream.stream, client.head, watchdog)
  join(upstream.stream, client.stream, upstream.head, watchdog)
}
