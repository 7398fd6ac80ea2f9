/** The documents that are made from the sources. One more is one more line here. */
import { renderApi } from "./api.ts"
import { renderEvents } from "./events.ts"
import { renderMetrics } from "./metrics.ts"
import { renderSessionMachine } from "./sessionMachine.ts"
import { renderSettings } from "./settings.ts"

export const documents: Readonly<Record<string, (root: string) => string>> = {
  "docs/api.md": renderApi,
  "docs/events.md": renderEvents,
  "docs/metrics.md": renderMetrics,
  "docs/session-machine.md": renderSessionMachine,
  "docs/settings.md": renderSettings
}
