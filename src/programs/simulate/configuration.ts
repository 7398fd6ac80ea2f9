/** The configuration of a simulated fleet: 50 services with a route each, another one with every change. */
import type { Row } from "../../model/Entity.ts"
import type { StoredRows } from "../../model/exportTable.ts"

export const routeCount = 50

const idOf = (kind: number, index: number): string =>
  `00000000-0000-4000-80${String(kind).padStart(2, "0")}-${String(index).padStart(12, "0")}`

/** Every path names the version: no request matches two of them. */
export const rowsOf = (version: number): StoredRows => {
  const indexes = Array.from({ length: routeCount }, (_, index) => index)
  return new Map<string, ReadonlyArray<Row>>([
    [
      "services",
      indexes.map((index) => ({ id: idOf(1, index), name: `service-${index}`, host: "192.0.2.10", port: 8080 + index }))
    ],
    [
      "routes",
      indexes.map((index) => ({
        id: idOf(2, index),
        name: `route-${index}`,
        service: idOf(1, index),
        paths: [`/version-${version}/route-${index}`],
        methods: index % 2 === 0 ? ["GET", "POST"] : null
      }))
    ]
  ])
}
