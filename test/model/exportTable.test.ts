/** What goes out, in which order, and what stays: reference `hybrid-protocol-v1.md` §8.8. */
import { assert, describe, it } from "@effect/vitest"
import { decodeTable } from "../../src/model/ConfigTable.ts"
import type { Row } from "../../src/model/Entity.ts"
import { exportTable } from "../../src/model/exportTable.ts"
import { testCatalogue } from "../support/plugins.ts"

const id = (n: number): string => `00000000-0000-4000-8000-00000000000${n}`
const ids = (section: unknown): ReadonlyArray<unknown> => (section as ReadonlyArray<Row>).map((row) => row.id)

describe("an export", () => {
  it("leaves out disabled services and their routes, and nothing else", () => {
    const table = exportTable(
      new Map([
        [
          "routes",
          [
            { id: id(3), service: id(1) },
            { id: id(4), service: id(2) },
            { id: id(5), service: null }
          ]
        ],
        [
          "services",
          [
            { id: id(1), enabled: false },
            { id: id(2), enabled: true }
          ]
        ]
      ]),
      0
    )
    assert.deepStrictEqual(ids(table.services), [id(2)])
    assert.deepStrictEqual(ids(table.routes), [id(4), id(5)])
  })

  it("writes what is referred to before what refers to it", () => {
    const kinds = ["targets", "snis", "routes", "services", "upstreams", "certificates", "parameters", "workspaces"]
    const sections = Object.keys(exportTable(new Map(kinds.map((kind) => [kind, [{ id: id(1) }]])), 0))
    assert.deepStrictEqual(sections, [
      "_format_version",
      "_transform",
      "workspaces",
      "certificates",
      "services",
      "routes",
      "snis",
      "upstreams",
      "targets",
      "parameters"
    ])
  })

  it("has no empty sections, keeps nulls, drops workspaces of rows", () => {
    const table = exportTable(
      new Map([
        ["services", [{ id: id(1), path: null, ws_id: id(9) }]],
        ["routes", []]
      ]),
      0
    )
    assert.deepStrictEqual(table, {
      _format_version: "3.0",
      _transform: false,
      services: [{ id: id(1), path: null }]
    } as Row)
  })

  it("of nothing is a configuration that a data plane takes", () => {
    assert.strictEqual(decodeTable(exportTable(new Map(), 0), testCatalogue)._tag, "Right")
  })
})
