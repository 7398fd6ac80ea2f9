/** Plugins and their credentials over the admin API: `config-model.md` §3, §6; Kong's paths, codes and messages. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Logger } from "effect"
import type { Row } from "../../src/model/Entity.ts"
import * as Field from "../../src/model/Field.ts"
import type { Plugin } from "../../src/model/plugin/Plugin.ts"
import type { AdminListener, ClusterListener } from "../../src/services/control/Listeners.ts"
import type { CertificatePair } from "../../src/services/ServerCertificate.ts"
import { clusterCertificate } from "../support/certificates.ts"
import { type AdminReply, call, clusterPort, type Given, memoryControlPlane } from "../support/controlPlane.ts"
import { eventsInto, type LoggedEvent } from "../support/logged.ts"
import { join, next } from "../support/outletClient.ts"
import { idle } from "../support/plugins.ts"
import { type Skew, skewedClock } from "../support/skewedClock.ts"

interface Options {
  readonly given?: Given
  readonly plugins?: ReadonlyArray<Plugin>
  readonly events?: Array<LoggedEvent>
}

type Test<A, E> = Effect.Effect<A, E, AdminListener | ClusterListener>

const withCluster = <A, E>(test: (pair: CertificatePair) => Test<A, E>, { given, plugins, events }: Options = {}) =>
  Effect.gen(function* () {
    const pair = yield* clusterCertificate
    const log = Logger.layer(events === undefined ? [] : [eventsInto(events)])
    return yield* test(pair).pipe(Effect.provide(memoryControlPlane(pair, given, log, plugins)))
  }).pipe(Effect.timeout("20 seconds"))

const withAdmin = <A, E>(test: Test<A, E>, options?: Options) => withCluster(() => test, options)

const rowsOf = (reply: AdminReply): ReadonlyArray<Row> => reply.body.data as ReadonlyArray<Row>
const idOf = (reply: AdminReply): string => String(reply.body.id)
const form = (...pairs: ReadonlyArray<readonly [string, string]>) =>
  new URLSearchParams(pairs.map(([name, value]): [string, string] => [name, value]))

const made = Effect.fnUntraced(function* (path: string, body: Row | URLSearchParams) {
  const reply = yield* call("POST", path, body)
  assert.strictEqual(reply.status, 201, reply.text)
  return reply
})

const config = { key_names: ["apikey"], hide_credentials: false }

/** With records inside records, and a secret. */
const layered = idle("layered", {
  fields: {
    secret: Field.sensitive(Field.nullable(Field.headerName)),
    redis: Field.record({
      host: Field.nullable(Field.host),
      port: Field.withDefault(Field.port, 6379),
      tls: Field.record({ verify: Field.withDefault(Field.boolean, true), name: Field.nullable(Field.hostname) })
    }),
    names: Field.withDefault(Field.array(Field.string), ["a"])
  }
})

describe("plugins", () => {
  it.live("are made for everything, or below what they are bound to", () =>
    withAdmin(
      Effect.gen(function* () {
        const service = yield* made("/services", { name: "s", host: "a" })
        const route = yield* made("/services/s/routes", { name: "r", paths: ["/"] })
        const consumer = yield* made("/consumers", { username: "bob" })
        const everywhere = yield* made("/plugins", { name: "key-auth" })
        assert.deepInclude(everywhere.body, { service: null, route: null, consumer: null, enabled: true })
        assert.deepInclude(everywhere.body.config, config)
        const scopes: ReadonlyArray<readonly [string, string, AdminReply]> = [
          ["/services/s/plugins", "service", service],
          ["/routes/r/plugins", "route", route],
          ["/consumers/bob/plugins", "consumer", consumer]
        ]
        for (const [path, field, parent] of scopes) {
          const own = yield* made(path, { name: "correlation-id", instance_name: field })
          assert.deepStrictEqual(own.body[field] as Row, { id: parent.body.id })
          assert.deepStrictEqual(
            rowsOf(yield* call("GET", path)).map(({ id }) => id),
            [own.body.id]
          )
          assert.strictEqual((yield* call("GET", `${path}/${field}`)).body.id, own.body.id, "by the name of the row")
        }
        assert.strictEqual(rowsOf(yield* call("GET", "/plugins")).length, 4)
        yield* call("DELETE", "/consumers/bob")
        assert.strictEqual(rowsOf(yield* call("GET", "/plugins")).length, 3, "gone with what they were bound to")
      })
    )
  )

  it.live("are refused by their own schema, in Kong's words, and told all at once", () =>
    withAdmin(
      Effect.gen(function* () {
        yield* made("/consumers", { username: "bob" })
        const unknown = yield* call("POST", "/plugins", { name: "rate-limiting", config: { minute: 5 } })
        const message = "plugin 'rate-limiting' not enabled; add it to the 'plugins' configuration property"
        assert.strictEqual(unknown.status, 400)
        assert.deepStrictEqual(unknown.body, {
          code: 2,
          name: "schema violation",
          message: `schema violation (name: ${message})`,
          fields: { name: message }
        } as Row)
        const wrong = yield* call("POST", "/consumers/bob/plugins", {
          name: "key-auth",
          config: { key_names: ["a b"], nope: 1 }
        })
        assert.strictEqual(wrong.status, 400)
        assert.deepStrictEqual(wrong.body.fields as Row, {
          consumer: "expected no value: key-auth is never bound to a consumer",
          config: { key_names: { "1": 'expected a header name, got "a b"' }, nope: "unknown field" }
        })
        const rule = yield* call("POST", "/plugins", { name: "request-termination", config: { content_type: "a/b" } })
        assert.deepStrictEqual(rule.body.fields as Row, { config: { content_type: "content_type requires a body" } })
        assert.strictEqual((yield* call("POST", "/plugins", {})).body.code, 2)
        assert.strictEqual(rowsOf(yield* call("GET", "/plugins")).length, 0)
      })
    )
  )

  it.live("take no prototype, in JSON or in forms, anew or as a change", () =>
    withAdmin(
      Effect.gen(function* () {
        const hostile = '{"name": "key-auth", "config": {"__proto__": {"hide_credentials": true}}}'
        const refused = yield* call("POST", "/plugins", hostile)
        assert.strictEqual(refused.status, 400)
        assert.include(refused.text, "unknown field")
        const plugin = yield* made(
          "/plugins",
          form(["name", "key-auth"], ["config.__proto__.hide_credentials", "true"])
        )
        assert.deepInclude(plugin.body.config, config)
        const path = `/plugins/${idOf(plugin)}`
        assert.strictEqual((yield* call("PATCH", path, '{"config": {"__proto__": {"key_names": ["x"]}}}')).status, 400)
        assert.strictEqual((yield* call("PATCH", path, '{"__proto__": {"enabled": false}}')).status, 400)
        assert.deepStrictEqual((yield* call("GET", path)).body, plugin.body)
        assert.isUndefined(({} as Row).hide_credentials)
      })
    )
  )

  it.live("are one for each set of scopes: none is one too", () =>
    withAdmin(
      Effect.gen(function* () {
        const service = yield* made("/services", { name: "s", host: "a" })
        yield* made("/plugins", { name: "key-auth" })
        yield* made("/services/s/plugins", { name: "key-auth" })
        const again = yield* call("POST", "/services/s/plugins", { name: "key-auth" })
        assert.strictEqual(again.status, 409)
        assert.deepStrictEqual(again.body, {
          code: 5,
          name: "unique constraint violation",
          message: `UNIQUE violation detected on '{consumer=null,name="key-auth",route=null,service={id="${idOf(service)}"}}'`,
          fields: { name: "key-auth", route: null, service: { id: idOf(service) }, consumer: null }
        } as Row)
        assert.strictEqual((yield* call("POST", "/plugins", { name: "key-auth" })).status, 409)
        const moved = yield* made("/plugins", { name: "correlation-id" })
        const clash = yield* call("PATCH", `/plugins/${idOf(moved)}`, { name: "key-auth", config: null })
        assert.strictEqual(clash.status, 409, clash.text)
      })
    )
  )

  it.live("are changed in part: records of the config merge, lists are replaced, and the whole is judged", () =>
    withAdmin(
      Effect.gen(function* () {
        const plugin = yield* made("/plugins", {
          name: "layered",
          config: { secret: "hush", redis: { host: "a", tls: { name: "b.example" } }, names: ["x", "y"] }
        })
        const path = `/plugins/${idOf(plugin)}`
        const changed = yield* call("PATCH", path, { config: { redis: { tls: { verify: false } }, names: ["z"] } })
        assert.deepStrictEqual(changed.body.config as Row, {
          secret: "hush",
          redis: { host: "a", port: 6379, tls: { verify: false, name: "b.example" } },
          names: ["z"]
        })
        const formed = yield* call("PATCH", path, form(["config.redis.port", "1"], ["config.names[]", "5"]))
        assert.deepInclude(formed.body.config, { names: ["5"], secret: "hush" }, "by the row's own plugin")
        assert.strictEqual(((formed.body.config as Row).redis as Row).port, 1)
        const reset = yield* call("PATCH", path, { config: { redis: { port: null } } })
        assert.strictEqual(((reset.body.config as Row).redis as Row).port, 6379, "null is the default")
        const refused = yield* call("PATCH", path, { config: { redis: { port: 99_999 } } })
        assert.strictEqual(refused.status, 400)
        const replaced = yield* call("PUT", path, { name: "layered" })
        assert.deepStrictEqual(
          (replaced.body.config as Row).names as unknown,
          ["a"],
          "what is not given is as if never given"
        )
        const other = yield* call("PATCH", path, { name: "key-auth", config: { key_names: ["k"] } })
        assert.strictEqual(other.status, 400, "the rest of another plugin's config is none of this one's")
        assert.strictEqual((yield* call("PUT", path, { name: "key-auth" })).status, 200)
      }),
      { plugins: [layered] }
    )
  )

  it.live("tell no secret in an error or in a log", () => {
    const events: Array<LoggedEvent> = []
    return withAdmin(
      Effect.gen(function* () {
        const secret = "s e c r e t"
        const replies = [
          yield* call("POST", "/plugins", { name: "layered", config: { secret } }),
          yield* call("POST", "/plugins", { name: "layered", config: secret }),
          yield* call("POST", "/plugins", { name: secret, config: { secret: "x" } }),
          yield* call("POST", "/config", { _format_version: "3.0", plugins: [{ name: "layered", config: { secret } }] })
        ]
        assert.deepStrictEqual(
          replies.map(({ status }) => status),
          [400, 400, 400, 400]
        )
        for (const reply of [replies[0], replies[1], replies[3]]) assert.notInclude(reply?.text, "s e c")
        assert.notInclude(JSON.stringify(events), "s e c")
      }),
      { plugins: [layered], events }
    )
  })
})

describe("keys", () => {
  it.live("are made up where none is given, stand below their consumers and are found by id or key", () =>
    withAdmin(
      Effect.gen(function* () {
        const bob = yield* made("/consumers", { username: "bob" })
        yield* made("/consumers", { username: "eve" })
        const own = yield* made("/consumers/bob/key-auth", {})
        const key = String(own.body.key)
        assert.match(key, /^[A-Za-z0-9]{32}$/)
        assert.notStrictEqual((yield* made("/consumers/bob/key-auth", { key: "" === key ? "x" : null })).body.key, key)
        assert.deepInclude(own.body, { consumer: { id: idOf(bob) }, tags: null, ttl: null })
        for (const path of [`/key-auths/${key}`, `/key-auths/${idOf(own)}`, `/consumers/bob/key-auth/${key}`]) {
          assert.deepStrictEqual((yield* call("GET", path)).body, own.body, path)
        }
        assert.strictEqual((yield* call("GET", `/key-auths/${key}/consumer`)).body.username, "bob")
        assert.strictEqual((yield* call("GET", `/consumers/eve/key-auth/${key}`)).status, 404, "not another's")
        assert.strictEqual((yield* call("GET", "/keyauth_credentials")).status, 404, "Kong has no such path")
        assert.strictEqual((yield* call("GET", "/consumers/bob/keyauth_credentials")).status, 404)

        const named = yield* call("PUT", "/consumers/bob/key-auth/chosen", { tags: ["t"] })
        assert.deepInclude(named.body, { key: "chosen", tags: ["t"] })
        assert.strictEqual((yield* call("PATCH", "/key-auths/chosen", { tags: [] })).body.key, "chosen")
        const taken = yield* call("POST", "/consumers/eve/key-auth", { key: "chosen" })
        assert.deepStrictEqual([taken.status, taken.body.fields as Row], [409, { key: "chosen" }])
        assert.strictEqual((yield* call("POST", "/key-auths", { key: "of nobody" })).status, 400)
        assert.strictEqual((yield* call("DELETE", "/consumers/bob")).status, 204)
        assert.strictEqual(rowsOf(yield* call("GET", "/key-auths")).length, 0)
      })
    )
  )

  it.live("stay for ever with a ttl of 0, as Kong has it, and take none that Kong refuses", () =>
    withAdmin(
      Effect.gen(function* () {
        yield* made("/consumers", { username: "bob" })
        const own = yield* made("/consumers/bob/key-auth", { key: "k", ttl: 0 })
        assert.strictEqual(own.body.ttl, null)
        assert.strictEqual((yield* call("PATCH", "/key-auths/k", { ttl: 100_000_000 })).body.ttl, 100_000_000)
        assert.strictEqual((yield* call("PATCH", "/key-auths/k", { tags: ["t"] })).status, 200, "keeps its moment")
        const moment = Math.floor(Date.now() / 1000) + 60
        for (const [method, path] of [
          ["POST", "/consumers/bob/key-auth"],
          ["PUT", "/consumers/bob/key-auth/other"],
          ["PATCH", "/key-auths/k"]
        ] as const) {
          for (const ttl of [100_000_001, moment]) {
            const refused = yield* call(method, path, { ttl, tags: 1 })
            assert.strictEqual(refused.status, 400, method)
            const { ttl: told, tags } = refused.body.fields as Row
            assert.strictEqual(told, `expected an integer between 0 and 100000000, got ${ttl}`)
            assert.isString(tags, "told with all else that is wrong")
          }
        }
        assert.strictEqual((yield* call("PATCH", "/key-auths/k", { ttl: 0 })).body.ttl, null)
        assert.strictEqual(
          (yield* call("POST", "/plugins", { name: "key-auth", ttl: 0 })).status,
          400,
          "no field of it"
        )
      })
    )
  )

  it.live("end when their time is over, and are free again then", () => {
    const skew: Skew = { wallErrorMs: 0 }
    return withAdmin(
      Effect.gen(function* () {
        yield* made("/consumers", { username: "bob" })
        const own = yield* made("/consumers/bob/key-auth", { key: "k", ttl: 60 })
        assert.approximately(Number(own.body.ttl), 60, 1)
        yield* made("/consumers/bob/key-auth", { key: "stays" })
        skew.wallErrorMs = 40_000
        assert.approximately(Number((yield* call("GET", "/key-auths/k")).body.ttl), 20, 2, "what is left")
        const longer = yield* call("PATCH", "/key-auths/k", { ttl: 60 })
        assert.approximately(Number(longer.body.ttl), 60, 1, "counted from now")
        yield* call("PATCH", "/key-auths/k", { tags: ["t"] })
        skew.wallErrorMs = 90_000
        assert.strictEqual((yield* call("GET", "/key-auths/k")).status, 200)
        skew.wallErrorMs = 102_000
        for (const path of ["/key-auths/k", `/key-auths/${idOf(own)}`, "/consumers/bob/key-auth/k"]) {
          assert.strictEqual((yield* call("GET", path)).status, 404, path)
        }
        for (const path of ["/key-auths", "/consumers/bob/key-auth"]) {
          assert.deepStrictEqual(
            rowsOf(yield* call("GET", path)).map(({ key }) => key),
            ["stays"],
            path
          )
        }
        assert.notInclude((yield* call("GET", "/config")).text, "key: k\n")
        assert.strictEqual((yield* call("POST", "/consumers/bob/key-auth", { key: "k" })).status, 201)
      })
    ).pipe(Effect.provide(skewedClock(skew)))
  })
})

describe("a whole configuration", () => {
  it.live("carries plugins and keys, out and in, and to the data planes", () =>
    withCluster((pair) =>
      Effect.gen(function* () {
        const document = {
          _format_version: "3.0",
          services: [{ name: "s", host: "a", plugins: [{ name: "key-auth", config: { key_names: ["x-key"] } }] }],
          consumers: [{ username: "bob", keyauth_credentials: [{ key: "k" }, {}] }],
          plugins: [{ name: "correlation-id", enabled: false }]
        }
        const posted = yield* call("POST", "/config", document)
        assert.strictEqual(posted.status, 201, posted.text)
        assert.deepInclude(posted.body.entities, { plugins: 2, keyauth_credentials: 2 })
        const keys = rowsOf(yield* call("GET", "/key-auths")).map(({ key }) => String(key))
        assert.strictEqual(keys[0], "k")
        assert.match(String(keys[1]), /^[A-Za-z0-9]{32}$/, "made up here, where it can be looked up")
        const out = yield* call("GET", "/config?format=json")
        assert.deepStrictEqual((yield* call("POST", "/config?check_hash=1", out.body)).status, 304, "nothing changed")
        const plugins = out.body.plugins as ReadonlyArray<Row>
        assert.deepStrictEqual(plugins.map(({ name }) => name).sort(), ["correlation-id", "key-auth"])

        const capable = [{ name: "key-auth" }]
        const { heard } = yield* join({ port: yield* clusterPort, trusted: pair, presented: pair, plugins: capable })
        const { message } = yield* next(heard, "Configured")
        const sent = message.config_table as Record<string, ReadonlyArray<Row>>
        assert.deepStrictEqual(
          sent.plugins?.map(({ name }) => name),
          ["key-auth"]
        )
        assert.deepStrictEqual(
          sent.keyauth_credentials?.map(({ key }) => key),
          keys
        )
        assert.isString(sent.plugins?.[0]?.service)
      }).pipe(Effect.scoped)
    )
  )

  it.live("goes to no data plane that lacks one of its plugins (hybrid-protocol-v1.md §9.2)", () =>
    withCluster((pair) =>
      Effect.gen(function* () {
        yield* made("/plugins", { name: "key-auth" })
        yield* join({ port: yield* clusterPort, trusted: pair, presented: pair, plugins: [{ name: "acl" }] })
        const status = Effect.map(call("GET", "/clustering/data-planes"), (reply) => rowsOf(reply)[0]?.sync_status)
        const told = yield* status.pipe(Effect.repeat({ until: (found) => found === "plugin_set_incompatible" }))
        assert.strictEqual(told, "plugin_set_incompatible")
      }).pipe(Effect.scoped)
    )
  )
})

describe("what is known of plugins", () => {
  it.live("is told: those that are enabled, their schemas, those that are used", () =>
    withAdmin(
      Effect.gen(function* () {
        yield* made("/plugins", { name: "key-auth" })
        const enabled = yield* call("GET", "/plugins/enabled")
        assert.deepStrictEqual(enabled.body, {
          enabled_plugins: ["correlation-id", "key-auth", "layered", "request-termination"]
        } as Row)
        const schema = yield* call("GET", "/schemas/plugins/key-auth")
        assert.isArray(schema.body.fields)
        for (const name of ["nope", "__proto__", "%ZZ"]) {
          assert.strictEqual((yield* call("GET", `/schemas/plugins/${name}`)).status, 404, name)
        }
        assert.strictEqual((yield* call("POST", "/plugins/enabled", {})).status, 405)
        const { plugins } = (yield* call("GET", "/")).body as { readonly plugins: Row }
        assert.deepStrictEqual(plugins.enabled_in_cluster as unknown, ["key-auth"])
        assert.deepStrictEqual((plugins.available_on_server as Row)["key-auth"] as unknown, { priority: 1250 })
      }),
      { plugins: [layered] }
    )
  )

  it.live("follows the setting plugins", () =>
    withAdmin(
      Effect.gen(function* () {
        assert.deepStrictEqual((yield* call("GET", "/plugins/enabled")).body, { enabled_plugins: ["key-auth"] } as Row)
        const refused = yield* call("POST", "/plugins", { name: "correlation-id" })
        assert.include(refused.text, "plugin 'correlation-id' not enabled")
      }),
      { given: { plugins: "key-auth" } }
    )
  )
})
