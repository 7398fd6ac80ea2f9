/** What Konnect learns of a refused configuration: reference `hybrid-protocol-v1.md` §7. */
import { assert, describe, it } from "@effect/vitest"
import { rejectionReport } from "../../src/model/RejectionReport.ts"

describe("the report of a rejection (§7)", () => {
  it("names the faults in the original's forms: a message, a tree, and one entry a row", () => {
    const report = rejectionReport({
      hash: "a".repeat(32),
      faults: [
        { path: ["services", 1, "port"], message: "expected a port", value: 70_000 },
        { path: ["services", 1, "host"], message: "expected a host" },
        { path: ["routes", 0], message: "expected paths or hosts" },
        { path: [], message: "expected a config table" }
      ]
    })
    assert.deepInclude(report, {
      name: "declarative configuration parse failure",
      source: "kong.db.declarative.parse_table",
      code: 14,
      config_hash: "a".repeat(32)
    })
    assert.match(report.message ?? "", /^services\[1\]\.port: expected a port, got 70000; services\[1\]\.host: /)
    assert.deepStrictEqual(report.fields, {
      services: { 1: { port: "expected a port", host: "expected a host" } },
      routes: { 0: "expected paths or hosts" },
      "@entity": "expected a config table"
    })
    assert.deepStrictEqual(report.flattened_errors, [
      {
        entity_type: "service",
        errors: [
          { type: "field", field: "port", message: "expected a port" },
          { type: "field", field: "host", message: "expected a host" }
        ]
      },
      { entity_type: "route", errors: [{ type: "entity", message: "expected paths or hosts" }] }
    ])
  })

  it("has a hash of zeros when the refused one is not known, and an end", () => {
    const faults = Array.from({ length: 1000 }, (_, i) => ({ path: ["services", i, "port"], message: "x" }))
    const report = rejectionReport({ hash: undefined, faults })
    assert.strictEqual(report.config_hash, "0".repeat(32))
    assert.lengthOf(report.flattened_errors ?? [], 100)
    assert.match(report.message ?? "", /; and 900 more$/)
  })
})
