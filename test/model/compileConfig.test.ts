import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import type { CompiledConfig, RequestFacts } from "../../src/model/CompiledConfig.ts"
import { type ConfigTable, decodeTable } from "../../src/model/ConfigTable.ts"
import { compileConfig } from "../../src/model/compileConfig.ts"
import { uuidV5 } from "../../src/model/DeterministicId.ts"
import type { Route } from "../../src/model/Entities.ts"
import type { Row } from "../../src/model/Entity.ts"
import { keyLike } from "../support/pems.ts"
import { testCatalogue } from "../support/plugins.ts"

const id = (n: number): string => `00000000-0000-4000-8000-${String(n).padStart(12, "0")}`

const tableOf = (table: Row): ConfigTable => {
  const decoded = decodeTable({ _format_version: "3.0", ...table }, testCatalogue)
  if (decoded._tag === "Wrong") throw new Error(JSON.stringify(decoded.faults))
  return decoded.table
}

const compile = (table: Row): CompiledConfig => compileConfig(tableOf(table))

/** Routes get ids and names in the order in which they stand: `r0`, `r1`, … */
const compileRoutes = (...routes: ReadonlyArray<Row>): CompiledConfig =>
  compile({ routes: routes.map((route, index) => ({ id: id(index), name: `r${index}`, ...route })) })

const facts = (given: Partial<RequestFacts>): RequestFacts => ({
  method: "GET",
  path: "/",
  host: "",
  port: 80,
  headers: {},
  serverName: undefined,
  isTls: false,
  ...given
})

const winner = (config: CompiledConfig, given: Partial<RequestFacts>): string | undefined =>
  config.match(facts(given))?.compiled.route.name ?? undefined

describe("matchers, router.md §3", () => {
  it("methods are exact", () => {
    const config = compileRoutes({ methods: ["GET"] })
    assert.strictEqual(winner(config, { method: "GET" }), "r0")
    assert.strictEqual(winner(config, { method: "get" }), undefined)
  })

  it("plain paths are prefixes, not segments", () => {
    const config = compileRoutes({ paths: ["/fee"] })
    assert.strictEqual(winner(config, { path: "/feebar" }), "r0")
    assert.strictEqual(winner(config, { path: "/Fee" }), undefined)
    assert.strictEqual(config.match(facts({ path: "/feebar" }))?.matchedPath, "/fee")
  })

  it("regex paths are anchored at the start and tell what they matched", () => {
    const config = compileRoutes({ paths: ["~/users/\\d+"] })
    assert.strictEqual(config.match(facts({ path: "/users/12/x" }))?.matchedPath, "/users/12")
    assert.strictEqual(winner(config, { path: "/x/users/12" }), undefined)
  })

  it("a path of bytes meets a pattern of characters", () => {
    const config = compileRoutes({ paths: ["~/[äöü]/."] }, { paths: ["/größe"] })
    const bytes = (text: string) => Buffer.from(text).toString("latin1")
    assert.strictEqual(config.match(facts({ path: bytes("/ü/ö/x") }))?.matchedPath, bytes("/ü/ö"))
    assert.strictEqual(winner(config, { path: bytes("/größer") }), "r1")
    assert.strictEqual(winner(config, { path: "/\u00ff/x" }), undefined)
  })

  it("hosts: plain, wildcard, with port", () => {
    const config = compileRoutes(
      { hosts: ["a.com"] },
      { hosts: ["*.b.com"] },
      { hosts: ["c.*"] },
      { hosts: ["d.com:8000"] },
      { hosts: ["*.e.com:8000"] }
    )
    const cases: ReadonlyArray<readonly [string, number, string | undefined]> = [
      ["a.com", 1234, "r0"],
      ["x.a.com", 80, undefined],
      ["x.y.b.com", 80, "r1"],
      ["b.com", 80, undefined],
      ["c.org", 80, "r2"],
      ["d.com", 8000, "r3"],
      ["d.com", 80, undefined],
      ["x.e.com", 8000, "r4"],
      ["x.e.com", 80, undefined]
    ]
    for (const [host, port, expected] of cases) assert.strictEqual(winner(config, { host, port }), expected, host)
  })

  it("headers: every name must be there with one of its values, compared in lower case", () => {
    const config = compileRoutes({ headers: { "X-Version": ["V1", "v2"], "x-kind": ["a"] } })
    assert.strictEqual(winner(config, { headers: { "x-version": ["V2"], "x-kind": ["A"] } }), "r0")
    assert.strictEqual(winner(config, { headers: { "x-version": ["zz", "v1"], "x-kind": ["a"] } }), "r0")
    assert.strictEqual(winner(config, { headers: { "x-version": ["v1"] } }), undefined)
    assert.strictEqual(winner(config, { headers: { "x-version": ["v3"], "x-kind": ["a"] } }), undefined)
  })

  it("a header value that begins with ~* is a regular expression, not anchored, itself lower-cased", () => {
    const config = compileRoutes({ headers: { "user-agent": ["~*CHROME/\\d+", "plain"] } })
    assert.strictEqual(winner(config, { headers: { "user-agent": ["Mozilla Chrome/12"] } }), "r0")
    assert.strictEqual(winner(config, { headers: { "user-agent": ["Plain"] } }), "r0")
    assert.strictEqual(winner(config, { headers: { "user-agent": ["curl"] } }), undefined)
  })

  it("server names count only with TLS; a trailing dot in the configuration is dropped", () => {
    const config = compileRoutes({ paths: ["/"], snis: ["a.com.", "*.b.com"], protocols: ["https"] })
    assert.strictEqual(winner(config, { isTls: false }), "r0")
    assert.strictEqual(winner(config, { isTls: true, serverName: "a.com" }), "r0")
    assert.strictEqual(winner(config, { isTls: true, serverName: "x.b.com" }), "r0")
    assert.strictEqual(winner(config, { isTls: true, serverName: "c.com" }), undefined)
    assert.strictEqual(winner(config, { isTls: true }), undefined)
  })
})

describe("what is in the router", () => {
  it("not the routes of a disabled service", () => {
    const config = compile({
      services: [{ id: id(9), host: "h", enabled: false }],
      routes: [
        { id: id(0), name: "r0", service: id(9), paths: ["/a"] },
        { id: id(1), name: "r1", paths: ["/"] }
      ]
    })
    assert.strictEqual(winner(config, { path: "/a" }), "r1")
    assert.strictEqual(config.routeCount, 1)
  })

  it("not stream routes, which are told of once", () => {
    const config = compileRoutes({ paths: ["/"] }, { protocols: ["tcp"], sources: [{ ip: "1.2.3.4" }] })
    assert.strictEqual(config.routeCount, 1)
    assert.deepStrictEqual(config.warnings, [
      "1 stream route(s) are not served: only http, https, grpc and grpcs are routed"
    ])
  })

  it("not a rule that does not compile; the route's other rules and the other routes work", () => {
    const config = compileRoutes({ paths: ["~/(a", "/b"] }, { paths: ["/"] })
    assert.strictEqual(winner(config, { path: "/b" }), "r0")
    assert.strictEqual(winner(config, { path: "/a" }), "r1")
    assert.strictEqual(config.warnings.length, 1)
    assert.match(config.warnings[0] ?? "", /^route r0: rule skipped, the regular expression "\/\(a" does not compile/)
  })

  it("not a rule that asks for sources: serving everybody in its name would be worse", () => {
    const config = compileRoutes({ paths: ["/"], sources: [{ ip: "1.2.3.4" }] })
    assert.strictEqual(winner(config, {}), undefined)
    assert.strictEqual(config.warnings.length, 1)
  })
})

describe("what a route brings along", () => {
  const config = compile({
    workspaces: [{ id: id(90), name: "default" }],
    certificates: [{ id: id(80), cert: "-----BEGIN CERTIFICATE-----", key: keyLike }],
    services: [{ id: id(70), host: "pool", port: 1 }],
    routes: [{ id: id(0), service: id(70), paths: ["/"], ws_id: id(90) }],
    upstreams: [
      { id: id(60), name: "pool", host_header: "inner.test", client_certificate: id(80), algorithm: "latency" },
      { id: id(61), name: "other" }
    ],
    targets: [
      { id: id(50), upstream: id(60), target: "10.0.0.1:1000", weight: 200 },
      { id: id(51), upstream: id(60), target: "10.0.0.2", weight: 100 },
      { id: id(52), upstream: id(60), target: "10.0.0.3:1", weight: 0 },
      { id: id(53), upstream: id(61), target: "10.0.0.4:1" }
    ]
  })
  const compiled = config.match(facts({}))?.compiled

  it("the balancer of the upstream that its service's host names, in the same workspace", () => {
    const chosen = Array.from({ length: 3 }, () => compiled?.balancer?.next())
    assert.deepStrictEqual(chosen, [
      { host: "10.0.0.1", port: 1000 },
      { host: "10.0.0.2", port: 8000 },
      { host: "10.0.0.1", port: 1000 }
    ])
  })

  it("the upstream's host header and client certificate", () => {
    assert.strictEqual(compiled?.hostHeader, "inner.test")
    assert.strictEqual(compiled?.clientCertificate?.id, id(80))
  })

  it("a word about an algorithm that is not served", () => {
    assert.deepStrictEqual(config.warnings, ["upstream pool: algorithm latency is not served yet, round-robin is used"])
  })
})

describe("certificates, config-model.md §3", () => {
  const pem = { cert: "-----BEGIN CERTIFICATE-----", key: keyLike }
  const names = ["a.test.com", "*.test.com", "a.test.*", "*"]
  const lookup = (known: ReadonlyArray<string>) => {
    const config = compile({
      certificates: known.map((_, index) => ({ id: id(index), ...pem })),
      snis: known.map((name, index) => ({ id: id(100 + index), name, certificate: id(index) }))
    })
    return (serverName: string) => known.find((_, index) => config.certificateFor(serverName)?.id === id(index))
  }

  it("exact, then *.rest, then first.*, then *, else the default one", () => {
    for (let from = 0; from <= names.length; from++)
      assert.strictEqual(lookup(names.slice(from))("A.test.com"), names[from])
    assert.strictEqual(lookup(names)("x.test.com"), "*.test.com")
    assert.strictEqual(lookup(names)("x.y.test.com"), "*")
    assert.strictEqual(lookup(names)("single"), "*")
  })
})

// --- the compiled matcher against one that is written from the reference alone ---

const isRegex = (path: string) => path.startsWith("~")

interface NaiveRule {
  readonly route: Route
  readonly id: string
  readonly paths: ReadonlyArray<string>
}

const naiveRules = (route: Route): ReadonlyArray<NaiveRule> => {
  const groups: Array<{ readonly kind: string; readonly paths: Array<string> }> = []
  for (const path of route.paths ?? []) {
    const kind = isRegex(path) ? "regex" : `length ${path.length}`
    const group = groups.find((known) => known.kind === kind)
    if (group === undefined) groups.push({ kind, paths: [path] })
    else group.paths.push(path)
  }
  if (groups.length < 2) return [{ route, id: route.id, paths: route.paths ?? [] }]
  const namespace = "7f145bf9-0dce-4f91-98eb-debbce4b9f6b"
  return groups.map(({ paths }, index) => ({ route, id: uuidV5(namespace, `${route.id}#${index + 1}`), paths }))
}

const naiveHolds = ({ route, paths }: NaiveRule, request: RequestFacts): boolean => {
  const { methods, hosts, headers, snis } = route
  const wildcard = (pattern: string, value: string) =>
    new RegExp(`^${pattern.replaceAll(".", "\\.").replace("*", ".*")}$`).test(value)
  const hostHolds = (host: string) => {
    const [name = "", port] = host.split(":")
    return wildcard(name, request.host) && (port === undefined || Number(port) === request.port)
  }
  return (
    (methods === null || methods.length === 0 || methods.includes(request.method)) &&
    (hosts === null || hosts.length === 0 || hosts.some(hostHolds)) &&
    (snis === null ||
      snis.length === 0 ||
      !request.isTls ||
      snis.some((sni) => request.serverName !== undefined && wildcard(sni, request.serverName))) &&
    Object.entries(headers ?? {}).every(([name, values]) =>
      values.some((value) =>
        request.headers[name.toLowerCase()]?.some((sent) => sent.toLowerCase() === value.toLowerCase())
      )
    ) &&
    (paths.length === 0 ||
      paths.some((path) =>
        isRegex(path) ? new RegExp(`^(?:${path.slice(1)})`).test(request.path) : request.path.startsWith(path)
      ))
  )
}

/** The parts of the priority, most significant first; the id decides what they leave open. */
const naiveRank = ({ route, paths }: NaiveRule): ReadonlyArray<number> => {
  const hosts = route.hosts ?? []
  const headerCount = Object.keys(route.headers ?? {}).length
  const counts = [route.methods ?? [], hosts, paths, route.snis ?? []].filter((values) => values.length > 0).length
  const first = paths[0] ?? ""
  return [
    counts + (headerCount > 0 ? 1 : 0),
    hosts.length > 0 && hosts.every((host) => !host.includes("*")) ? 1 : 0,
    headerCount,
    isRegex(first) ? 1 : 0,
    isRegex(first) ? route.regex_priority : 0,
    isRegex(first) ? 0 : first.length
  ]
}

const naiveMatch = (table: ConfigTable, request: RequestFacts): string | undefined => {
  const found = table.routes.flatMap(naiveRules).filter((rule) => naiveHolds(rule, request))
  found.sort((a, b) => {
    const [left, right] = [naiveRank(a), naiveRank(b)]
    const at = left.findIndex((part, index) => part !== right[index])
    return at === -1 ? (a.id < b.id ? 1 : -1) : (right[at] ?? 0) - (left[at] ?? 0)
  })
  return found[0]?.route.id
}

const optional = <A>(arbitrary: fc.Arbitrary<A>) => fc.option(arbitrary, { nil: null, freq: 2 })
const some = (...values: ReadonlyArray<string>) => fc.uniqueArray(fc.constantFrom(...values), { maxLength: 3 })

const hostNames = ["a.com", "x.a.com", "y.x.a.com", "a.org", "b.com"]
const paths = ["/", "/a", "/ab", "/a/b", "/b", "~/a", "~/\\w+/b", "~/a|/b", "~/[ab]+$"]
const routeArbitrary = fc
  .record({
    methods: optional(some("GET", "POST")),
    hosts: optional(some("a.com", "*.a.com", "a.*", "a.com:8000", "*.com:8000", "b.com")),
    paths: optional(some(...paths)),
    headers: optional(
      fc.dictionary(fc.constantFrom("X-A", "x-b"), fc.uniqueArray(fc.constantFrom("1", "V", "w"), { minLength: 1 }), {
        maxKeys: 2
      })
    ),
    snis: optional(some("a.com", "*.com", "a.*")),
    regex_priority: fc.integer({ min: -1, max: 2 })
  })
  .filter((route) => [route.methods, route.hosts, route.paths].some((values) => values !== null && values.length > 0))

const requestArbitrary: fc.Arbitrary<RequestFacts> = fc.record({
  method: fc.constantFrom("GET", "POST", "PUT"),
  path: fc.constantFrom("/", "/a", "/ab", "/abc", "/a/b", "/b", "/b/a", "/aabb", "/c"),
  host: fc.constantFrom("", ...hostNames),
  port: fc.constantFrom(80, 8000),
  headers: fc.dictionary(
    fc.constantFrom("x-a", "x-b"),
    fc.array(fc.constantFrom("1", "v", "W"), { minLength: 1, maxLength: 2 })
  ),
  serverName: fc.option(fc.constantFrom("a.com", "a.org", "b.com"), { nil: undefined }),
  isTls: fc.boolean()
})

const withIds = fc
  .uniqueArray(fc.uuid({ version: 4 }), { minLength: 1, maxLength: 8 })
  .chain((ids) => fc.tuple(...ids.map((routeId) => routeArbitrary.map((route) => ({ id: routeId, ...route })))))

it("the compiled matcher chooses what the reference's rules choose", () => {
  let matches = 0
  fc.assert(
    fc.property(withIds, fc.array(requestArbitrary, { minLength: 1, maxLength: 10 }), (routes, requests) => {
      const table = tableOf({ routes })
      const config = compileConfig(table)
      assert.deepStrictEqual(config.warnings, [])
      for (const request of requests) {
        const chosen = config.match(request)?.compiled.route.id
        assert.strictEqual(chosen, naiveMatch(table, request))
        if (chosen !== undefined) matches++
      }
    }),
    { seed: 20261123, numRuns: 600 }
  )
  // A property over requests that match nothing would hold for a router that does nothing.
  assert.isAbove(matches, 500)
})
