/** Plugins and credentials in whole configurations: `config-model.md` §1.1, §3, §4. */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { type ConfigTable, decodeTable } from "../../src/model/ConfigTable.ts"
import { decodeDeclarative } from "../../src/model/Declarative.ts"
import type { Row } from "../../src/model/Entity.ts"
import { exportTable } from "../../src/model/exportTable.ts"
import { formatFault } from "../../src/model/Fault.ts"
import { noPlugins } from "../../src/model/plugin/PluginCatalogue.ts"
import { testCatalogue } from "../support/plugins.ts"
import { holds } from "../support/property.ts"
import { routeId, serviceId, table } from "../support/tables.ts"

const uuid = (kind: number, n: number): string => `0000000${kind}-0000-4000-8000-${String(n).padStart(12, "0")}`
const consumerId = uuid(1, 1)
const consumers = [{ id: consumerId, username: "bob" }]

const tableOf = (more: Row, catalogue = testCatalogue): ConfigTable => {
  const decoded = decodeTable(table("/a", { consumers, ...more }), catalogue)
  if (decoded._tag === "Wrong") throw new Error(decoded.faults.map(formatFault).join("\n"))
  return decoded.table
}

const faultsOf = (more: Row, catalogue = testCatalogue): ReadonlyArray<string> => {
  const decoded = decodeTable(table("/a", { consumers, ...more }), catalogue)
  return decoded._tag === "Wrong" ? decoded.faults.map(formatFault) : []
}

const key = "hush-hush"
const credential = (n: number, more: Row = {}): Row => ({
  id: uuid(2, n),
  consumer: consumerId,
  key: `${key}-${n}`,
  ...more
})

describe("a table with plugins", () => {
  it("has their configs filled and their references as ids", () => {
    const [row] = tableOf({
      plugins: [{ id: uuid(3, 1), name: "correlation-id", service: "echo", route: { id: routeId }, consumer: "bob" }]
    }).plugins
    assert.deepInclude(row, {
      service: serviceId,
      route: routeId,
      consumer: consumerId,
      config: { header_name: "Kong-Request-ID", generator: "uuid#counter", echo_downstream: false }
    })
  })

  it("is refused whole by a node that doesn't serve one of them", () => {
    const plugins = [{ id: uuid(3, 1), name: "key-auth" }]
    assert.deepStrictEqual(faultsOf({ plugins }, noPlugins), [
      "plugins[0].name: plugin 'key-auth' not enabled; add it to the 'plugins' configuration property"
    ])
    // One that is switched off may be switched on by the next push: what nobody has stays a mistake.
    assert.strictEqual(faultsOf({ plugins: [{ ...plugins[0], enabled: false }] }, noPlugins).length, 1)
  })

  it("tells what is wrong with a config, and whose it is", () => {
    const plugins = [{ id: uuid(3, 1), name: "key-auth", config: { anonymous: 5 } }]
    assert.deepStrictEqual(faultsOf({ plugins }), [
      'plugins[0].config.anonymous: expected string | null (plugin "key-auth"), got 5'
    ])
  })

  it("shows no row that is none: it may hold what a config hides", () => {
    assert.deepStrictEqual(faultsOf({ plugins: ["my secret"] }), ["plugins[0]: expected a plugin object"])
    assert.deepStrictEqual(faultsOf({ plugins: "my secret" }), ["plugins: expected an array of plugins"])
    assert.deepStrictEqual(faultsOf({ keyauth_credentials: [key] }), [
      "keyauth_credentials[0]: expected a keyauth_credential object"
    ])
  })

  it("has no two rows of one plugin with the same scopes, where no scope is a scope too", () => {
    const scope = (id: string) => fc.option(fc.constant(id), { nil: undefined })
    const row = fc.record({
      name: fc.constantFrom("correlation-id", "request-termination"),
      route: scope(routeId),
      service: scope(serviceId),
      consumer: scope(consumerId)
    })
    holds(fc.array(row, { maxLength: 6 }), (rows) => {
      const scopes = new Set(rows.map((each) => JSON.stringify([each.name, each.route, each.service, each.consumer])))
      const plugins = rows.map((each, n) => ({ id: uuid(3, n), ...each }))
      assert.strictEqual(faultsOf({ plugins }).length, rows.length - scopes.size)
    })
  })

  it("says which rows collide", () => {
    const plugins = [1, 2].map((n) => ({ id: uuid(3, n), name: "key-auth", route: routeId }))
    assert.deepStrictEqual(faultsOf({ plugins }), [
      `plugins[1]: uniqueness violation: 'plugins' entity with name, route, service, consumer set to 'key-auth, ${routeId}, , ' already declared`
    ])
  })

  it("may call rows by a name of their own, each by another", () => {
    const plugins = [
      { id: uuid(3, 1), name: "key-auth", instance_name: "mine" },
      { id: uuid(3, 2), name: "correlation-id", instance_name: "mine" }
    ]
    assert.deepStrictEqual(faultsOf({ plugins }), [
      "plugins[1]: uniqueness violation: 'plugins' entity with instance_name set to 'mine' already declared"
    ])
  })
})

describe("a table with keys", () => {
  it("has them with their consumers", () => {
    const [row] = tableOf({
      keyauth_credentials: [credential(1, { consumer: "bob", ttl: 60, created_at: 5 })]
    }).keyauth_credentials
    assert.deepInclude(row, { key: `${key}-1`, consumer: consumerId, ttl: 60, created_at: 5 })
  })

  it("may have one without a key, which nobody can use: none is made up from what others could know", () => {
    const [one, other] = tableOf({
      keyauth_credentials: [credential(1, { key: null }), { id: uuid(2, 2), consumer: "bob" }]
    }).keyauth_credentials
    assert.deepStrictEqual([one?.key, other?.key], [null, null])
  })

  it("tells no key in a fault", () => {
    const told = [
      ...faultsOf({ keyauth_credentials: [credential(1), credential(2, { key: `${key}-1` })] }),
      ...faultsOf({ keyauth_credentials: [credential(1, { key: [key] })] }),
      ...faultsOf({ keyauth_credentials: [credential(1, { nope: 1 }), { key }] }),
      ...faultsOf({ keyauth_credentials: { key } })
    ]
    assert.deepStrictEqual(told, [
      "keyauth_credentials[1]: uniqueness violation: 'keyauth_credentials' entity with key set to '***' already declared",
      `keyauth_credentials[0].key: expected string | null (keyauth_credential "${uuid(2, 1)}")`,
      `keyauth_credentials[0].nope: unknown field (keyauth_credential "${uuid(2, 1)}")`,
      "keyauth_credentials[1].id: required field missing",
      "keyauth_credentials[1].consumer: required field missing",
      "keyauth_credentials: expected an array of keyauth_credentials"
    ])
  })
})

describe("a document", () => {
  let made = 0
  const fresh = () => uuid(9, ++made)
  const read = (document: Row) => {
    const { decoded, raw } = decodeDeclarative({ _format_version: "3.0", ...document }, fresh, testCatalogue)
    if (decoded._tag === "Wrong") throw new Error(decoded.faults.map(formatFault).join("\n"))
    return { raw, table: decoded.table }
  }

  it("has plugins under service, route and consumer, and keys under their consumers", () => {
    const { table: found } = read({
      services: [
        {
          name: "my-service",
          host: "a",
          plugins: [{ name: "key-auth" }],
          routes: [{ name: "my-route", paths: ["/"], plugins: [{ name: "correlation-id" }] }]
        }
      ],
      consumers: [
        {
          username: "bob",
          plugins: [{ name: "request-termination", config: { message: "no" } }],
          keyauth_credentials: [{ key }, { key: "another" }]
        }
      ],
      plugins: [{ name: "correlation-id", route: "my-route", consumer: "bob" }]
    })
    const bob = found.consumers[0]?.id
    assert.deepStrictEqual(
      found.plugins.map(({ name, service, route, consumer }) => [name, service, route, consumer]),
      [
        ["key-auth", "0855b320-0dd2-547d-891d-601e9b38647f", null, null],
        ["correlation-id", null, "481a9539-f49c-51b6-b2e2-fe99ee68866c", null],
        ["request-termination", null, null, bob],
        ["correlation-id", null, "481a9539-f49c-51b6-b2e2-fe99ee68866c", bob]
      ] as ReadonlyArray<ReadonlyArray<unknown>>
    )
    assert.strictEqual(found.plugins[0]?.id, "4a4d9361-8cf7-5304-acb5-d4e8f72ac40b")
    assert.deepStrictEqual(
      found.keyauth_credentials.map((row) => [row.key, row.consumer]),
      [
        [key, bob],
        ["another", bob]
      ] as ReadonlyArray<ReadonlyArray<unknown>>
    )
    assert.notStrictEqual(found.keyauth_credentials[0]?.id, found.keyauth_credentials[1]?.id)
  })

  it("may not bind a plugin to another parent than the one it stands under", () => {
    const { decoded } = decodeDeclarative(
      { _format_version: "3.0", services: [{ name: "s", host: "a", plugins: [{ name: "key-auth", service: "t" }] }] },
      fresh,
      testCatalogue
    )
    assert.deepStrictEqual(decoded._tag === "Wrong" ? decoded.faults.map(formatFault) : [], [
      "services[0].plugins[0].service: expected no value: the row stands under its service"
    ])
  })
})

describe("what a control plane sends", () => {
  const rows = (more: Row): ReadonlyMap<string, ReadonlyArray<Row>> => {
    const found = tableOf(more)
    return new Map(Object.entries(found).map(([name, section]) => [name, section as ReadonlyArray<Row>]))
  }

  it("has no plugin that is switched off or bound to what is", () => {
    const sent = exportTable(
      rows({
        routes: [],
        services: [{ id: serviceId, name: "off", host: "a", enabled: false }],
        plugins: [
          { id: uuid(3, 1), name: "key-auth", enabled: false },
          { id: uuid(3, 2), name: "correlation-id", service: serviceId },
          { id: uuid(3, 3), name: "correlation-id" }
        ]
      }),
      0
    )
    assert.deepStrictEqual(
      (sent.plugins as ReadonlyArray<Row>).map(({ id }) => id),
      [uuid(3, 3)] as ReadonlyArray<unknown>
    )
  })

  it("has no key whose time is over", () => {
    const stored = rows({ keyauth_credentials: [credential(1, { ttl: 200_000_000 }), credential(2)] })
    const keysAt = (nowMs: number) =>
      ((exportTable(stored, nowMs).keyauth_credentials ?? []) as ReadonlyArray<Row>).map((row) => row.key)
    assert.deepStrictEqual(keysAt(199_999_999_999), [`${key}-1`, `${key}-2`])
    assert.deepStrictEqual(keysAt(200_000_000_000), [`${key}-2`])
  })
})
