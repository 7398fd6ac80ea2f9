import { assert, describe, it } from "vitest"
import { decodeTable, isEmptyTable, isFreshTable } from "../../src/model/ConfigTable.ts"
import { formatFault } from "../../src/model/Fault.ts"
import { testCatalogue } from "../support/plugins.ts"
import { routeId, serviceId, table } from "../support/tables.ts"

const faultsOf = (input: unknown): ReadonlyArray<string> => {
  const decoded = decodeTable(input, testCatalogue)
  assert(decoded._tag === "Wrong", "expected faults")
  return decoded.faults.map(formatFault)
}

const right = (input: unknown) => {
  const decoded = decodeTable(input, testCatalogue)
  assert(decoded._tag === "Right", decoded._tag === "Wrong" ? decoded.faults.map(formatFault).join("\n") : "")
  return decoded
}

describe("config table (config-model.md §1, §3)", () => {
  it("fills defaults and turns absence into null", () => {
    const [service] = right(table()).table.services
    assert.deepInclude(service, {
      protocol: "http",
      retries: 5,
      connect_timeout: 60_000,
      enabled: true,
      path: null,
      tags: null
    })
    const [route] = right(table()).table.routes
    assert.deepInclude(route, {
      protocols: ["http", "https"],
      strip_path: true,
      preserve_host: false,
      https_redirect_status_code: 426
    })
  })

  it("treats null, absence and Lua's {} for an empty array alike (hybrid-protocol-v1.md §14.6)", () => {
    const spelled = right({
      ...table(),
      services: [{ id: serviceId, host: "h", tags: {}, ca_certificates: null }],
      upstreams: {},
      consumers: null
    })
    assert.deepEqual(spelled.table.services[0]?.tags, [])
    assert.strictEqual(spelled.table.services[0]?.ca_certificates, null)
    assert.deepEqual(spelled.table.upstreams, [])
  })

  it("resolves references by endpoint key, by id and as {id}", () => {
    for (const service of ["echo", serviceId, { id: serviceId }]) {
      const decoded = right({ ...table(), routes: [{ id: routeId, service, paths: ["/a"] }] })
      assert.strictEqual(decoded.table.routes[0]?.service, serviceId)
    }
  })

  it("tells every fault at once, with place, value and expectation", () => {
    const faults = faultsOf({
      _format_version: "9.9",
      nonsense: [],
      services: [{ id: "nope", port: 70_000, colour: "red" }],
      routes: [{ id: routeId, protocols: ["http"], paths: ["a"] }]
    })
    assert.sameMembers(
      [...faults],
      [
        '_format_version: expected one of "1.1", "2.1", "3.0", got "9.9"',
        "nonsense: unknown entity",
        'services[0].id: expected a UUID (service "nope"), got "nope"',
        'services[0].host: required field missing (service "nope")',
        'services[0].port: expected an integer between 0 and 65535 (service "nope"), got 70000',
        'services[0].colour: unknown field (service "nope")',
        `routes[0].paths[0]: expected '/' and a path without '//', or '~/' and a regular expression; valid percent triplets (route "${routeId}"), got "a"`
      ]
    )
  })

  it("rejects a dangling reference and a duplicate, naming both", () => {
    assert.deepEqual(faultsOf({ ...table(), routes: [{ id: routeId, service: "gone", paths: ["/a"] }] }), [
      "routes[0].service: invalid reference 'service: gone' (no such entry in 'services')"
    ])
    const other = "33333333-3333-4333-8333-333333333333"
    assert.deepEqual(
      faultsOf({
        ...table(),
        services: [
          { id: serviceId, name: "echo", host: "a" },
          { id: other, name: "echo", host: "b" }
        ]
      }),
      ["services[1]: uniqueness violation: 'services' entity with name set to 'echo' already declared"]
    )
  })

  it("rejects a configuration that names a plugin, whole, with the plugin's name", () => {
    assert.deepEqual(faultsOf({ ...table(), plugins: [{ id: serviceId, name: "rate-limiting" }] }), [
      "plugins[0].name: plugin 'rate-limiting' not enabled; add it to the 'plugins' configuration property"
    ])
  })

  it("keeps what is known but not served, and says so", () => {
    const decoded = right({ ...table(), vaults: [{ prefix: "env" }], acls: [] })
    assert.deepEqual(decoded.notServed, ["vaults"])
  })

  it("serves a configuration whose licences are wrong, and takes those that are right (resilience.md §6)", () => {
    const id = (n: number) => `4444444${n}-4444-4444-8444-444444444444`
    const rows = [
      { id: id(1), payload: "any text" },
      { id: id(2), payload: 5 },
      "x",
      { id: id(3), payload: "y", checksum: "z" }
    ]
    const licenses = [...rows, { id: id(1), payload: "again" }]
    const decoded = right({ ...table(), licenses })
    assert.deepEqual(
      decoded.table.licenses.map(({ payload }) => payload),
      ["any text", "again"]
    )
    for (const nothing of [5, "secret", { a: 1 }])
      assert.isEmpty(right({ ...table(), licenses: nothing }).table.licenses)
    const strict = decodeTable({ ...table(), licenses: rows }, testCatalogue, "strict")
    assert.deepEqual(strict._tag === "Wrong" ? strict.faults.map(formatFault) : [], [
      `licenses[1].payload: expected string (license "${id(2)}")`,
      "licenses[2]: expected a license object",
      `licenses[3].checksum: unknown field (license "${id(3)}")`
    ])
    assert.strictEqual(decodeTable({ ...table(), licenses, plugins: [{}] }, testCatalogue)._tag, "Wrong")
  })

  it("never shows a private key", () => {
    const id = "44444444-4444-4444-8444-444444444444"
    const faults = faultsOf({ ...table(), certificates: [{ id, cert: "x", key: "very secret" }] })
    assert.strictEqual(faults.length, 2)
    assert.notInclude(faults.join(), "very secret")
  })

  it("reads un-prefixed regular expressions of older formats (§4.1)", () => {
    const paths = ["/a/(\\d+)", "/plain"]
    const decoded = right({ ...table(), _format_version: "2.1", routes: [{ id: routeId, paths }] })
    assert.deepEqual(decoded.table.routes[0]?.paths, ["~/a/(\\d+)", "/plain"])
    assert.deepEqual(right({ ...table(), routes: [{ id: routeId, paths: ["/plain"] }] }).table.routes[0]?.paths, [
      "/plain"
    ])
  })

  it("calls a table of workspaces alone empty (hybrid-protocol-v1.md §6.9)", () => {
    assert.isTrue(isEmptyTable({ _format_version: "3.0", workspaces: [{ name: "default" }], routes: [], services: {} }))
    const fresh = { _format_version: "3.0", parameters: [{ key: "cluster_id", value: "x" }] }
    assert.isFalse(isEmptyTable(fresh))
    assert.isTrue(isFreshTable({ ...fresh, workspaces: [{ name: "default" }], routes: [] }))
    assert.isFalse(isFreshTable({ ...fresh, services: [{ host: "h" }] }))
  })

  it.each([
    ["no matcher", { protocols: ["http"] }, /expected at least one of methods, hosts, headers, paths/],
    ["mixed families", { protocols: ["http", "tcp"], paths: ["/a"] }, /only http\/https/],
    ["snis without TLS", { protocols: ["http"], paths: ["/a"], snis: ["a.b"] }, /protocol with TLS/],
    ["host header matcher", { paths: ["/a"], headers: { Host: ["x"] } }, /no header named host/],
    ["stripped gRPC path", { protocols: ["grpc"], paths: ["/a"], strip_path: true }, /expected false for grpc/]
  ])("refuses a route with %s", (_, route, expected) => {
    assert.match(faultsOf({ ...table(), routes: [{ id: routeId, ...route }] }).join(), expected)
  })
})
