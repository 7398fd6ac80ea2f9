/** Small config tables with real shapes. */
import { emptyTable } from "../../src/model/ConfigTable.ts"
import type { Row } from "../../src/model/Entity.ts"
import type { Snapshot } from "../../src/model/Snapshot.ts"

export const serviceId = "11111111-1111-4111-8111-111111111111"
export const routeId = "22222222-2222-4222-8222-222222222222"

export const table = (path = "/a", more: Row = {}): Row => ({
  _format_version: "3.0",
  _transform: false,
  services: [{ id: serviceId, name: "echo", host: "127.0.0.1", port: 8080 }],
  routes: [{ id: routeId, name: "r1", service: serviceId, paths: [path] }],
  ...more
})

/** A snapshot for whoever looks at its raw table alone. */
export const snapshotOf = (raw: Row, hash = "0123456789abcdef0123456789abcdef"): Snapshot => ({
  raw,
  hash,
  table: emptyTable,
  source: "control_plane",
  receivedAtMs: 1_700_000_000_123,
  notServed: []
})

/** JSON that is read without trouble, and nested deeper than recursion goes. */
export const deepText = `${"[".repeat(20_000)}${"]".repeat(20_000)}`
