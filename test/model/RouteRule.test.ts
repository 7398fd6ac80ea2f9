import { assert, describe, it } from "@effect/vitest"
import { decodeTable } from "../../src/model/ConfigTable.ts"
import { uuidV5 } from "../../src/model/DeterministicId.ts"
import type { Route } from "../../src/model/Entities.ts"
import type { Row } from "../../src/model/Entity.ts"
import { compareRules, priorityOf, rulesOf } from "../../src/model/RouteRule.ts"
import { testCatalogue } from "../support/plugins.ts"

const id = "00000000-0000-4000-8000-000000000001"

const route = (fields: Row): Route => {
  const decoded = decodeTable({ _format_version: "3.0", routes: [{ id, ...fields }] }, testCatalogue)
  const found = decoded._tag === "Right" ? decoded.table.routes[0] : undefined
  if (found === undefined) throw new Error(JSON.stringify(decoded))
  return found
}

const priority = (fields: Row): bigint => {
  const row = route(fields)
  return priorityOf(row, row.paths ?? [])
}

describe("priority, router.md §5", () => {
  it("lays its parts out in 64 bits", () => {
    assert.strictEqual(priority({ paths: ["/abc"] }), (1n << 61n) | 4n)
    assert.strictEqual(priority({ hosts: ["a.b"] }), (1n << 61n) | (1n << 60n))
    assert.strictEqual(priority({ hosts: ["a.b", "*.b"] }), 1n << 61n)
    assert.strictEqual(
      priority({ methods: ["GET"], headers: { a: ["1"], b: ["2"] }, paths: ["/x"] }),
      (3n << 61n) | (2n << 52n) | 2n
    )
    assert.strictEqual(
      priority({ paths: ["~/x"], regex_priority: 5 }),
      (1n << 61n) | (1n << 51n) | (BigInt(2 ** 31 + 5) << 19n)
    )
  })

  it("counts the length of a path in bytes", () => assert.strictEqual(priority({ paths: ["/ü"] }), (1n << 61n) | 3n))

  const descending: ReadonlyArray<readonly [string, Row, Row]> = [
    ["more attributes before a longer path", { paths: ["/"], methods: ["GET"] }, { paths: ["/a/long/path"] }],
    ["plain hosts before wildcards", { hosts: ["a.b"] }, { hosts: ["*.b"] }],
    ["more headers first", { headers: { a: ["1"], b: ["1"] } }, { headers: { a: ["1"] } }],
    ["a regex before any plain path", { paths: ["~/a"] }, { paths: ["/a/very/long/one"] }],
    ["higher regex_priority first", { paths: ["~/a"], regex_priority: 2 }, { paths: ["~/a"], regex_priority: 1 }],
    ["below zero too", { paths: ["~/a"], regex_priority: 0 }, { paths: ["~/a"], regex_priority: -1 }],
    ["regex_priority does nothing for plain paths", { paths: ["/ab"] }, { paths: ["/a"], regex_priority: 9 }],
    ["a negative one still before plain paths", { paths: ["~/a"], regex_priority: -9 }, { paths: ["/abc"] }]
  ]
  it.each(descending)("%s", (_, first, second) => assert.isTrue(priority(first) > priority(second)))

  it("the larger id wins a tie", () => {
    const rule = (ruleId: string) => ({ id: ruleId, route: route({ paths: ["/"] }), paths: ["/"], priority: 1n })
    assert.isBelow(compareRules(rule("b"), rule("a")), 0)
    assert.isAbove(compareRules(rule("a"), rule("b")), 0)
  })
})

describe("splitting, router.md §5", () => {
  it("keeps a route whose paths are of one kind and length whole", () => {
    const rules = rulesOf(route({ paths: ["/ab", "/cd"] }))
    assert.deepStrictEqual(
      rules.map((rule) => [rule.id, rule.paths]),
      [[id, ["/ab", "/cd"]]]
    )
  })

  it("groups regular expressions together and plain paths by length, each with an id of its own", () => {
    const namespace = "7f145bf9-0dce-4f91-98eb-debbce4b9f6b"
    const rules = rulesOf(route({ paths: ["/ab", "~/x", "/c", "/cd", "~/yyy"] }))
    assert.deepStrictEqual(
      rules.map((rule) => [rule.id, rule.paths]),
      [
        [uuidV5(namespace, `${id}#1`), ["/ab", "/cd"]],
        [uuidV5(namespace, `${id}#2`), ["~/x", "~/yyy"]],
        [uuidV5(namespace, `${id}#3`), ["/c"]]
      ]
    )
  })
})
