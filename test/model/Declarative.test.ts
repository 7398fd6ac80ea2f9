import { assert, describe, it } from "vitest"
import { decodeDeclarative } from "../../src/model/Declarative.ts"
import { formatFault } from "../../src/model/Fault.ts"
import { keyLike } from "../support/pems.ts"
import { testCatalogue } from "../support/plugins.ts"

const freshId = () => "99999999-9999-4999-8999-999999999999"
const document = (more: Record<string, unknown>) => ({ _format_version: "3.0", ...more })

const right = (more: Record<string, unknown>) => {
  const { raw, decoded } = decodeDeclarative(document(more), freshId, testCatalogue)
  assert(decoded._tag === "Right", decoded._tag === "Wrong" ? decoded.faults.map(formatFault).join("\n") : "")
  return { raw, table: decoded.table }
}

const faultsOf = (more: Record<string, unknown>) => {
  const { decoded } = decodeDeclarative(document(more), freshId, testCatalogue)
  assert(decoded._tag === "Wrong")
  return decoded.faults.map(formatFault)
}

describe("declarative documents (config-model.md §4, §5)", () => {
  it("gives the published deterministic ids", () => {
    const { table } = right({
      services: [{ name: "my-service", host: "h", routes: [{ name: "my-route", paths: ["/"] }] }],
      consumers: [{ username: "my-user" }, { username: "bob" }]
    })
    assert.strictEqual(table.services[0]?.id, "0855b320-0dd2-547d-891d-601e9b38647f")
    assert.strictEqual(table.routes[0]?.id, "481a9539-f49c-51b6-b2e2-fe99ee68866c")
    assert.deepEqual(
      table.consumers.map(({ id }) => id),
      ["4b1b701d-de2b-5588-9aa2-3b97061d9f52", "def4f7d3-9863-5ad2-8fa9-c949bf26f55e"]
    )
  })

  it("moves children out of their parents, at any depth, with the reference filled in", () => {
    const { table, raw } = right({
      services: [
        { name: "s", url: "https://h.example/x", routes: [{ name: "r", paths: ["/r"], snis: ["a.example"] }] }
      ],
      upstreams: [{ name: "u", targets: [{ target: "10.0.0.1" }, { target: "10.0.0.2:81", weight: 5 }] }]
    })
    assert.strictEqual(table.routes[0]?.service, table.services[0]?.id)
    assert.deepEqual(table.routes[0]?.snis, ["a.example"])
    assert.deepInclude(table.services[0], { protocol: "https", host: "h.example", port: 443, path: "/x" })
    assert.deepEqual(
      table.targets.map(({ target, weight }) => [target, weight]),
      [
        ["10.0.0.1:8000", 100],
        ["10.0.0.2:81", 5]
      ]
    )
    assert.notProperty((raw.services as ReadonlyArray<object>)[0], "routes")
  })

  it("resolves a reference by name, as people write it", () => {
    const { table } = right({
      services: [{ name: "s", host: "h" }],
      routes: [{ name: "r", service: "s", paths: ["/r"] }]
    })
    assert.strictEqual(table.routes[0]?.service, table.services[0]?.id)
  })

  it("takes a certificate's server names as objects or bare strings", () => {
    const { raw, decoded } = decodeDeclarative(
      document({
        certificates: [
          {
            cert: "-----BEGIN CERTIFICATE-----",
            key: keyLike,
            snis: ["a.example", { name: "b.example" }]
          }
        ]
      }),
      freshId,
      testCatalogue
    )
    assert.strictEqual(decoded._tag, "Right")
    assert.deepEqual(
      (raw.snis as ReadonlyArray<{ readonly name: string }>).map(({ name }) => name),
      ["a.example", "b.example"]
    )
  })

  it("points faults at the place in the document, not in the flat table", () => {
    assert.deepEqual(
      faultsOf({
        services: [
          { name: "a", host: "h", routes: [{ name: "fine", paths: ["/x"] }] },
          { name: "b", host: "h", routes: [{ name: "bad", paths: ["x"] }], plugins: [{ name: "cors" }] }
        ]
      }),
      [
        `services[1].routes[0].paths[0]: expected '/' and a path without '//', or '~/' and a regular expression; valid percent triplets (route "bad"), got "x"`,
        "services[1].plugins[0].name: plugin 'cors' not enabled; add it to the 'plugins' configuration property"
      ]
    )
  })

  it("refuses a nested child that names a parent, and a section that is no list", () => {
    assert.deepEqual(faultsOf({ services: [{ name: "a", host: "h", routes: [{ paths: ["/x"], service: "b" }] }] }), [
      "services[0].routes[0].service: expected no value: the row stands under its service"
    ])
    assert.deepEqual(faultsOf({ services: [{ name: "a", host: "h", routes: "none" }] }), [
      'services[0].routes: expected an array of routes, got "none"'
    ])
    const { decoded } = decodeDeclarative("hello", freshId, testCatalogue)
    assert.strictEqual(decoded._tag, "Wrong")
  })

  it("accepts children that are known but not served, under a consumer", () => {
    const { raw } = right({ consumers: [{ username: "bob", keyauth_credentials: [{ key: "k" }] }] })
    assert.deepInclude((raw.keyauth_credentials as ReadonlyArray<object>)[0], {
      consumer: "def4f7d3-9863-5ad2-8fa9-c949bf26f55e"
    })
  })
})
