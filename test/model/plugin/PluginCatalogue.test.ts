/** What rows of `plugins` may say: `config-model.md` §3, and the schemas of the three plugins that come with Holdfast. */
import { assert, describe, it } from "@effect/vitest"
import { plugins as pluginsEntity } from "../../../src/model/Entities.ts"
import type { Entity, Row } from "../../../src/model/Entity.ts"
import { formatFault } from "../../../src/model/Fault.ts"
import * as Field from "../../../src/model/Field.ts"
import { definePlugin } from "../../../src/model/plugin/Plugin.ts"
import {
  catalogueOf,
  enabledOf,
  makeDecodeRow,
  noPlugins,
  rowFields
} from "../../../src/model/plugin/PluginCatalogue.ts"
import { idle, idlePlugins, testCatalogue } from "../../support/plugins.ts"

const entity = pluginsEntity as unknown as Entity
const id = "5e1f0000-0000-4000-8000-000000000001"
const consumer = "5e1f0000-0000-4000-8000-000000000002"

/** Secrets at every depth at which a field may stand. */
const secretive = idle("secretive", {
  fields: {
    token: Field.sensitive(Field.nullable(Field.headerName)),
    tokens: Field.withDefault(Field.array(Field.sensitive(Field.headerName)), []),
    login: Field.record({
      user: Field.nullable(Field.headerName),
      password: Field.sensitive(Field.nullable(Field.integer(0, 9)))
    }),
    logins: Field.withDefault(
      Field.array(
        Field.record({
          user: Field.nullable(Field.headerName),
          password: Field.sensitive(Field.nullable(Field.string))
        })
      ),
      []
    ),
    byName: Field.nullable(Field.map(Field.string, Field.sensitive(Field.integer(0, 9)))),
    ports: Field.withDefault(Field.set(Field.port), [])
  },
  check: ({ token, login }) =>
    token === "told"
      ? [
          { path: ["token"], message: "expected another", value: token },
          { path: ["login"], message: "expected another", value: login }
        ]
      : []
})

const needy = definePlugin({
  name: "needy",
  priority: 1,
  schema: {
    fields: { url: Field.nonEmpty, more: Field.record({ port: Field.port }) },
    neverScopedBy: ["service", "route"]
  },
  handler: () => ({})
})

const shorthand = idle("shorthand", {
  fields: { host: Field.nullable(Field.host) },
  expand: ({ address, ...config }) => ({ ...config, ...(address === undefined ? {} : { host: address }) })
})

const catalogue = catalogueOf([...idlePlugins, secretive, needy, shorthand])
const decode = makeDecodeRow(catalogue)

const configOf = (name: string, config?: unknown): unknown => {
  const decoded = decode(entity, { id, name, ...(config === undefined ? {} : { config }) })
  if (decoded._tag === "Wrong") throw new Error(decoded.faults.map(formatFault).join("\n"))
  return decoded.row.config
}

const faultsOf = (name: string, config: unknown, more: Row = {}): ReadonlyArray<string> => {
  const decoded = decode(entity, { id, name, config, ...more })
  return decoded._tag === "Wrong" ? decoded.faults.map(formatFault) : []
}

const keyAuth = {
  key_names: ["apikey"],
  hide_credentials: false,
  anonymous: null,
  key_in_header: true,
  key_in_query: true,
  key_in_body: false,
  run_on_preflight: true,
  realm: null
}

describe("a plugin's config", () => {
  it("has Kong's defaults where it says nothing, null or no config at all", () => {
    for (const config of [undefined, null, {}, { key_names: null, realm: null }]) {
      assert.deepStrictEqual(configOf("key-auth", config), keyAuth)
    }
    assert.deepStrictEqual(configOf("request-termination"), {
      status_code: 503,
      message: null,
      content_type: null,
      body: null,
      echo: false,
      trigger: null
    })
    assert.deepStrictEqual(configOf("correlation-id"), {
      header_name: "Kong-Request-ID",
      generator: "uuid#counter",
      echo_downstream: false
    })
  })

  it("may have Lua's {} for an empty array, in arrays of records too", () => {
    assert.deepStrictEqual(configOf("key-auth", { key_names: {} }), { ...keyAuth, key_names: [] })
    const { logins } = configOf("secretive", { logins: [{ user: null, password: "x" }], ports: {} }) as Row
    assert.deepStrictEqual(logins as unknown, [{ user: null, password: "x" }])
  })

  it("is told all that is wrong with it, each with its path below config", () => {
    assert.deepStrictEqual(faultsOf("key-auth", { key_names: ["a b"], hide_credentials: "yes", nope: 1 }), [
      "config.nope: unknown field",
      'config.key_names[0]: expected a header name, got "a b"',
      'config.hide_credentials: expected boolean, got "yes"'
    ])
    assert.deepStrictEqual(faultsOf("needy", { more: {} }), [
      "config.url: required field missing",
      "config.more.port: required field missing"
    ])
    assert.deepStrictEqual(faultsOf("correlation-id", { generator: "guess" }), [
      'config.generator: expected "uuid" | "uuid#counter" | "tracker", got "guess"'
    ])
  })

  it("must be a record", () => {
    assert.deepStrictEqual(faultsOf("key-auth", ["apikey"]), ['config: expected a config object, got ["apikey"]'])
    assert.deepStrictEqual(faultsOf("secretive", "hush"), ["config: expected a config object"])
  })

  it("takes no prototype: such keys are unknown fields", () => {
    const config: unknown = JSON.parse(
      '{"__proto__": {"hide_credentials": true}, "constructor": 1, "key_names": ["k"]}'
    )
    assert.deepStrictEqual(faultsOf("key-auth", config), [
      "config.__proto__: unknown field",
      "config.constructor: unknown field"
    ])
    for (const name of ["__proto__", "constructor", "toString"]) {
      assert.deepStrictEqual(faultsOf(name, {}), [
        `name: plugin '${name}' not enabled; add it to the 'plugins' configuration property`
      ])
    }
  })

  it("is judged by rules between fields once each of them is right (request-termination)", () => {
    const wrongs: ReadonlyArray<readonly [Row, ReadonlyArray<string>]> = [
      [{ content_type: "text/plain" }, ["config.content_type: content_type requires a body"]],
      [{ message: "m", body: "b" }, ["config.message: message cannot be used with content_type or body"]],
      [{ echo: true, body: "b" }, ["config.echo: echo cannot be used with content_type and body"]],
      [
        { status_code: 99, message: "m", body: "b" },
        ["config.status_code: expected an integer between 100 and 599, got 99"]
      ]
    ]
    for (const [config, faults] of wrongs) assert.deepStrictEqual(faultsOf("request-termination", config), faults)
    assert.deepInclude(configOf("request-termination", { body: "b", content_type: "text/plain" }), { body: "b" })
    assert.deepInclude(configOf("request-termination", { message: "m", trigger: "x-stop" }), { trigger: "x-stop" })
  })

  it("may be written in shorthand", () => {
    assert.deepStrictEqual(configOf("shorthand", { address: "a.example" }), { host: "a.example" })
  })
})

describe("what is secret in a config", () => {
  const secret = "s e c r e t"
  const places: ReadonlyArray<readonly [string, Row]> = [
    ["a field", { token: secret }],
    ["an array's element", { tokens: ["fine", secret] }],
    ["what should be an array", { tokens: secret }],
    ["a field of a record", { login: { password: secret } }],
    ["what should be a record", { login: secret }],
    ["a field of an array's records", { logins: [{ password: [secret] }] }],
    ["an element that should be a record", { logins: [secret] }],
    ["what should be an array of records", { logins: secret }],
    ["a value of a map", { byName: { a: secret } }]
  ]
  for (const [place, config] of places) {
    it(`is told in no fault: ${place}`, () => {
      const faults = faultsOf("secretive", config)
      assert.isAbove(faults.length, 0)
      assert.notInclude(faults.join(), "s e c")
    })
  }

  it("is told by no rule of the plugin's own either", () => {
    assert.deepStrictEqual(faultsOf("secretive", { token: "told", login: { password: 7 } }), [
      "config.token: expected another",
      "config.login: expected another"
    ])
  })

  it("leaves what is none to be told", () => {
    assert.deepStrictEqual(faultsOf("secretive", { login: { user: "a b" }, logins: [{ user: "c d" }] }), [
      'config.login.user: expected a header name, got "a b"',
      'config.logins[0].user: expected a header name, got "c d"'
    ])
  })
})

describe("a row of plugins", () => {
  it("whose plugin is not enabled is told so, whatever else is wrong", () => {
    const message = "name: plugin 'acl' not enabled; add it to the 'plugins' configuration property"
    assert.deepStrictEqual(faultsOf("acl", { any: "thing" }), [message])
    assert.deepStrictEqual(faultsOf("acl", {}, { enabled: "x" }), ['enabled: expected boolean, got "x"', message])
    const none = makeDecodeRow(noPlugins)(entity, { id, name: "key-auth" })
    assert.strictEqual(none._tag, "Wrong")
  })

  it("is bound to nothing that its plugin is never bound to", () => {
    assert.deepStrictEqual(faultsOf("key-auth", {}, { consumer }), [
      "consumer: expected no value: key-auth is never bound to a consumer"
    ])
    assert.deepStrictEqual(faultsOf("key-auth", {}, { consumer: null, service: id, route: id }), [])
    assert.deepStrictEqual(faultsOf("needy", { url: "" }, { service: id, route: id }), [
      "service: expected no value: needy is never bound to a service",
      "route: expected no value: needy is never bound to a route",
      'config.url: expected text that is not empty, got ""',
      "config.more.port: required field missing"
    ])
  })

  it("runs for HTTP and gRPC unless it says otherwise, and for something", () => {
    const decoded = decode(entity, { id, name: "key-auth" })
    assert.deepInclude(decoded._tag === "Right" ? decoded.row : {}, { protocols: ["grpc", "grpcs", "http", "https"] })
    assert.strictEqual(faultsOf("key-auth", {}, { protocols: [] }).length, 1)
    assert.strictEqual(faultsOf("key-auth", {}, { protocols: ["gopher"] }).length, 1)
    assert.deepStrictEqual(faultsOf("key-auth", {}, { protocols: ["http", "ws", "wss"] }), [])
  })

  it("has the fields of its config, for forms and partial writes, where the plugin is known", () => {
    assert.strictEqual(rowFields(catalogue, "key-auth").config?.fields?.key_names?.shape, "array")
    for (const name of ["nope", undefined, 5, "__proto__"]) {
      assert.isUndefined(rowFields(catalogue, name).config?.fields)
    }
  })
})

describe("the setting plugins", () => {
  const namesOf = (names: ReadonlyArray<string>) => {
    const { plugins, unknown } = enabledOf(testCatalogue, names)
    return [[...plugins.keys()].sort(), unknown]
  }
  it("enables all, some or none, and tells what nobody knows", () => {
    const all = ["correlation-id", "key-auth", "request-termination"]
    assert.deepStrictEqual(namesOf(["bundled"]), [all, []])
    assert.deepStrictEqual(namesOf(["bundled", "mine"]), [all, ["mine"]])
    assert.deepStrictEqual(namesOf(["key-auth", "acl"]), [["key-auth"], ["acl"]])
    assert.deepStrictEqual(namesOf([]), [[], []])
  })

  it("leaves the very catalogue where it enables all: what is worked out by it is shared", () => {
    assert.strictEqual(enabledOf(testCatalogue, ["bundled"]).plugins, testCatalogue)
  })
})
