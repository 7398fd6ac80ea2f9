/** Small config tables with real shapes. */
import type { Row } from "../../src/model/Entity.ts"

export const serviceId = "11111111-1111-4111-8111-111111111111"
export const routeId = "22222222-2222-4222-8222-222222222222"

export const table = (path = "/a", more: Row = {}): Row => ({
  _format_version: "3.0",
  _transform: false,
  services: [{ id: serviceId, name: "echo", host: "127.0.0.1", port: 8080 }],
  routes: [{ id: routeId, name: "r1", service: serviceId, paths: [path] }],
  ...more
})

/** JSON that is read without trouble, and nested deeper than recursion goes. */
export const deepText = `${"[".repeat(20_000)}${"]".repeat(20_000)}`
