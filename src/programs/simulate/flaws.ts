/** What a control plane that has gone wrong sends in the place of a configuration: each must leave a node as it was. */
import { gunzipSync, gzipSync } from "node:zlib"
import type { SeededRandom } from "../../testing/SeededRandom.ts"

export const flaws = ["unreadable", "truncated", "notJson", "otherType", "unknownEntity", "wrongHash"] as const
export type Flaw = (typeof flaws)[number]

export const drawFlaw = (random: SeededRandom): Flaw => random.pick(flaws)

const edit = (bytes: Uint8Array, change: (message: Record<string, unknown>) => unknown): Uint8Array =>
  gzipSync(JSON.stringify(change(JSON.parse(gunzipSync(bytes).toString()))))

export const spoil = (bytes: Uint8Array, flaw: Flaw): Uint8Array => {
  switch (flaw) {
    case "unreadable":
      return Uint8Array.from(bytes, (byte, index) => byte ^ (index % 251))
    case "truncated":
      return bytes.slice(0, Math.floor(bytes.length / 2))
    case "notJson":
      return gzipSync(gunzipSync(bytes).subarray(1))
    case "otherType":
      return edit(bytes, (message) => ({ ...message, type: "reconfigured" }))
    case "unknownEntity":
      return edit(bytes, (message) => ({
        ...message,
        config_table: { ...(message.config_table as object), surprises: [{ id: 1 }] }
      }))
    case "wrongHash":
      return edit(bytes, (message) => ({ ...message, config_hash: "short" }))
  }
}
