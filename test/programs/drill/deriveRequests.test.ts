import { randomUUID } from "node:crypto"
import { assert, describe, it } from "vitest"
import { decodeDeclarative } from "../../../src/model/Declarative.ts"
import type { Row } from "../../../src/model/Entity.ts"
import { deriveRequests } from "../../../src/programs/drill/deriveRequests.ts"
import { makeSafe } from "../../../src/programs/drill/safeConfig.ts"
import { sampleConfig } from "../../../src/programs/drill/sampleConfig.ts"
import { testCatalogue } from "../../support/plugins.ts"

const tableOf = (document: Row) => {
  const { decoded } = decodeDeclarative({ _format_version: "3.0", ...document }, randomUUID, testCatalogue)
  if (decoded._tag === "Wrong") throw new Error(JSON.stringify(decoded.faults))
  return decoded.table
}

const withRoutes = (routes: ReadonlyArray<Row>, service: Row = {}) =>
  tableOf({ services: [{ name: "s", url: "https://s.example.com:8443/base", ...service, routes }] })

const derive = (routes: ReadonlyArray<Row>, service?: Row) => deriveRequests(withRoutes(routes, service))

const only = (route: Row) => {
  const { requests, skipped } = derive([{ name: "r", ...route }])
  assert.deepEqual(skipped, [])
  assert.lengthOf(requests, 1)
  return requests[0]
}

describe("requests are derived from the routes", () => {
  it.each<[string, Row, Row]>([
    ["a path", { paths: ["/a b"] }, { method: "GET", path: "/a%20b", headers: {}, isTls: false }],
    ["a regular expression", { paths: ["~/o/(?<id>\\d+)$"] }, { path: "/o/1" }],
    ["methods: the safest", { methods: ["DELETE", "POST", "HEAD"] }, { method: "HEAD", path: "/" }],
    ["a host", { hosts: ["a.example.com"] }, { headers: { host: "a.example.com" } }],
    ["a wildcard in front", { hosts: ["*.example.com"] }, { headers: { host: "drill.example.com" } }],
    ["a wildcard behind, with a port", { hosts: ["example.*:8443"] }, { headers: { host: "example.drill:8443" } }],
    ["headers", { headers: { "X-V": ["2", "3"] } }, { headers: { "X-V": "2" } }],
    ["a header by pattern", { headers: { "x-v": ["~*^Beta-[0-9]+$"] } }, { headers: { "x-v": "beta-0" } }],
    ["TLS only", { paths: ["/x"], protocols: ["https"] }, { isTls: true, serverName: undefined }],
    [
      "server names",
      { snis: ["*.example.com"], protocols: ["https"] },
      { isTls: true, serverName: "drill.example.com" }
    ],
    ["server names, by plain HTTP too", { snis: ["a.example.com"], paths: ["/x"] }, { isTls: false }]
  ])("%s", (_, route, expected) => assert.deepInclude(only(route), expected))

  it("one for each of a route's first paths", () => {
    const { requests } = derive([{ name: "r", paths: ["/a", "/b", "/c", "/d"] }])
    assert.deepEqual(
      requests.map(({ path }) => path),
      ["/a", "/b", "/c"]
    )
  })

  it.each<[string, Row, Row, RegExp]>([
    ["gRPC", { name: "r", protocols: ["grpc"], paths: ["/x"] }, {}, /protocols are grpc/],
    [
      "a service of another kind",
      { name: "r", paths: ["/x"] },
      { url: undefined, protocol: "tcp", host: "h" },
      /speaks tcp/
    ],
    ["a disabled service", { name: "r", paths: ["/x"] }, { enabled: false }, /disabled/],
    ["methods that nobody sends", { name: "r", methods: ["TRACE"] }, {}, /methods are TRACE/],
    ["a pattern that is not understood", { name: "r", paths: ["~/\\p{Greek}"] }, {}, /no request is known/],
    ["a header that a client writes itself", { name: "r", headers: { "Content-Length": ["5"] } }, {}, /a client's own/],
    ["a header that nobody can write", { name: "r", headers: { a: ["→"] } }, {}, /no header may have/],
    ["a header by such a pattern", { name: "r", headers: { a: ["~*\\pL"] } }, {}, /headers/]
  ])("what can't be asked is passed over aloud: %s", (_, route, service, reason) => {
    const { requests, skipped } = derive([route], service)
    assert.deepEqual(requests, [])
    assert.strictEqual(skipped[0]?.what, "route r")
    assert.match(skipped[0]?.reason ?? "", reason)
  })

  it("a route without a service is passed over, and so is what is too much", () => {
    const alone = deriveRequests(tableOf({ routes: [{ name: "r", paths: ["/x"] }] }))
    assert.deepEqual(alone.skipped, [{ what: "route r", reason: "it has no service" }])
    const many = derive(Array.from({ length: 150 }, (_, i) => ({ name: `r${i}`, paths: [`/a${i}`, `/b${i}`] })))
    assert.lengthOf(many.requests, 200)
    assert.deepEqual(many.skipped, [{ what: "100 requests", reason: "200 different ones are enough" }])
  })

  it("each of the sample's routes can be asked", () => {
    const table = tableOf(sampleConfig)
    const { requests, skipped } = deriveRequests(table)
    assert.deepEqual(skipped, [])
    assert.sameMembers(
      [...new Set(requests.map(({ route }) => route))],
      table.routes.map(({ name }) => name ?? "")
    )
  })
})

describe("a configuration is made safe", () => {
  const options = { echoPort: 9000, freshId: randomUUID }

  it("every way to an upstream leads to the echo, and each change is told", () => {
    const table = tableOf({
      upstreams: [{ name: "pool", targets: [{ target: "10.0.0.1:80" }, { target: "10.0.0.2:80", weight: 0 }] }],
      services: [
        { name: "direct", url: "https://secret.example.com/base", tls_verify: true },
        { name: "balanced", host: "pool", protocol: "https" },
        { name: "stream", host: "db.example.com", protocol: "tcp", port: 5432 }
      ]
    })
    const { table: safe, changes } = makeSafe(table, options)
    assert.deepEqual(
      safe.services.map(({ protocol, host, port, path }) => [protocol, host, port, path]),
      [
        ["http", "127.0.0.1", 9000, "/base"],
        ["http", "pool", 9000, null],
        ["tcp", "127.0.0.1", 9000, null]
      ]
    )
    assert.deepEqual(
      safe.targets.map(({ target }) => target),
      ["127.0.0.1:9000"]
    )
    assert.lengthOf(changes, 2)
    assert.notMatch(JSON.stringify([safe.services, safe.targets]), /10\.0\.0|example\.com/)
  })

  it("no service gives up on the echo before the load does, and longer patience stays", () => {
    const table = tableOf({
      services: [
        { name: "tight", host: "a.example.com", connect_timeout: 1, write_timeout: 60_000, read_timeout: 20 },
        { name: "patient", host: "a.example.com", read_timeout: 120_000 }
      ]
    })
    const { table: safe, changes } = makeSafe(table, options)
    assert.deepEqual(
      safe.services.map((service) => [service.connect_timeout, service.write_timeout, service.read_timeout]),
      [
        [10_000, 60_000, 10_000],
        [60_000, 60_000, 120_000]
      ]
    )
    assert.include(changes, "1 service with a timeout under 10 s: 10 s now")
  })

  it("and is still one that Holdfast takes", () => {
    const { table } = makeSafe(tableOf(sampleConfig), options)
    const { decoded } = decodeDeclarative({ _format_version: "3.0", ...table }, randomUUID, testCatalogue)
    assert.strictEqual(decoded._tag, "Right", JSON.stringify(decoded))
  })
})
