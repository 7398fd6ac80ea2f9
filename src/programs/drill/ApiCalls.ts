/**
 * The API calls that a drill made, counted on its own side: each answer that names a route. What the node bills is held
 * against it (`docs/telemetry.md`, "What an API call is").
 */
import type { IncomingHttpHeaders } from "node:http"

/** Makes the gateway name the route that a request took, where `allow_debug_header` is on (reference `router.md` §7). */
export const asksForRoute = { "kong-debug": "1" }

export class ApiCalls {
  #count = 0

  note(headers: IncomingHttpHeaders): void {
    if (headers["kong-route-id"] !== undefined) this.#count++
  }

  count(): number {
    return this.#count
  }
}
