/** Small configurations by number, and what may be wrong with what a control plane pushes. */
import { gunzipSync, gzipSync } from "node:zlib"
import type { Row } from "../model/Entity.ts"
import type { flawNames } from "./WorldAction.ts"

const idOf = (kind: number, index: number): string =>
  `00000000-0000-4000-80${String(kind).padStart(2, "0")}-${String(index).padStart(12, "0")}`

/** Every path names the number: no request matches two of them. */
export const tableOf = (number: number, routes: number): Row => ({
  _format_version: "3.0",
  _transform: false,
  services: [{ id: idOf(1, 0), name: "service", host: "192.0.2.10", port: 80 }],
  routes: Array.from({ length: routes }, (_, index) => ({
    id: idOf(2, index),
    name: `route-${index}`,
    service: idOf(1, 0),
    paths: [`/configuration-${number}/route-${index}`]
  }))
})

export type Flaw = (typeof flawNames)[number]

const edit = (bytes: Uint8Array, change: (message: Row) => Row): Uint8Array =>
  gzipSync(JSON.stringify(change(JSON.parse(gunzipSync(bytes).toString()) as Row)))

const withTable = (bytes: Uint8Array, more: Row): Uint8Array =>
  edit(bytes, (message) => ({ ...message, config_table: { ...(message.config_table as Row), ...more } }))

/** The bytes of a push, spoilt: each of these must leave a node as it was. */
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
      return withTable(bytes, { surprises: [{ id: 1 }] })
    case "danglingReference":
      return withTable(bytes, { routes: [{ name: "lost", service: idOf(9, 9), paths: ["/lost"] }] })
    case "wrongHash":
      return edit(bytes, (message) => ({ ...message, config_hash: "short" }))
  }
}
