/** `/config`: the whole configuration out of a control plane and into one, over real HTTP. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { parse } from "yaml"
import type { Row } from "../../src/model/Entity.ts"
import type { AdminListener } from "../../src/services/control/Listeners.ts"
import { clusterCertificate } from "../support/certificates.ts"
import { adminPort, call, type Given, memoryControlPlane } from "../support/controlPlane.ts"
import { licenseUntil } from "../support/licenses.ts"
import { caCert, leafCert, leafKey } from "../support/pems.ts"

const withAdmin = <A, E>(test: Effect.Effect<A, E, AdminListener>, given?: Given) =>
  Effect.gen(function* () {
    const pair = yield* clusterCertificate
    return yield* test.pipe(Effect.provide(memoryControlPlane(pair, given)))
  }).pipe(Effect.timeout("20 seconds"))

const yaml = { "content-type": "application/yaml" }

const readJson = Effect.map(call("GET", "/config?format=json"), ({ body }) => body)
const hash = Effect.map(call("GET", "/status"), ({ body }) => body.configuration_hash)
const namesOf = (path: string) =>
  Effect.map(call("GET", path), ({ body }) => (body.data as ReadonlyArray<Row>).map(({ name }) => name))

const document = {
  _format_version: "3.0",
  services: [{ name: "s", url: "https://example.com/base", routes: [{ name: "r", paths: ["/a"], tags: ["x"] }] }],
  upstreams: [{ name: "u.internal", targets: [{ target: "10.0.0.1" }] }],
  consumers: [{ username: "bob" }],
  ca_certificates: [{ cert: caCert }],
  certificates: [{ cert: leafCert, key: leafKey, snis: ["a.example.com"] }]
}

/** Something of every kind, made entity by entity. */
const fill = Effect.gen(function* () {
  yield* call("POST", "/workspaces", { name: "team-a" })
  yield* call("POST", "/parameters", { key: "colour", value: "blue" })
  yield* call("POST", "/licenses", { payload: licenseUntil("2099-01-01") })
  yield* call("POST", "/config", document)
  yield* call("POST", "/services", { name: "off", host: "example.com", enabled: false })
  yield* call("PATCH", "/routes/r", { strip_path: false, headers: { "x-a": ["1"] } })
})

const tenTimes = (name: string): string => `[${Array.from({ length: 10 }, () => `*${name}`).join(",")}]`
const bomb = `a: &a [x]\nb: &b ${tenTimes("a")}\nc: &c ${tenTimes("b")}\nd: &d ${tenTimes("c")}\n`

describe("GET /config", () => {
  it.live("gives the document as Kong does, as YAML or as JSON", () =>
    withAdmin(
      Effect.gen(function* () {
        yield* fill
        const plain = yield* readJson
        assert.strictEqual(plain._format_version, "3.0")
        assert.deepStrictEqual(
          (plain.services as ReadonlyArray<Row>).map(({ name }) => name),
          ["s", "off"],
          "disabled rows too"
        )
        const wrapped = yield* call("GET", "/config")
        assert.deepStrictEqual(parse(String(wrapped.body.config)) as Row, plain)
        const port = yield* adminPort
        const accepted = yield* Effect.promise(async () => {
          const reply = await fetch(`http://127.0.0.1:${port}/config`, { headers: { accept: "application/yaml" } })
          return { type: reply.headers.get("content-type"), text: await reply.text() }
        })
        assert.strictEqual(accepted.type, "application/yaml")
        assert.deepStrictEqual(parse(accepted.text) as Row, plain)
      })
    )
  )
})

describe("POST /config", () => {
  it.live("takes back what GET gave: nothing changes, here or in an empty control plane", () =>
    Effect.gen(function* () {
      const [before, first] = yield* withAdmin(
        Effect.gen(function* () {
          yield* fill
          const found = yield* readJson
          const known = yield* hash
          const again = yield* call("POST", "/config", found)
          assert.deepStrictEqual([again.status, again.body.changed], [201, false])
          assert.strictEqual((yield* call("POST", "/config?check_hash=1", found)).status, 304)
          assert.deepStrictEqual(yield* readJson, found)
          assert.strictEqual(yield* hash, known, "nothing to push")
          return [found, known] as const
        })
      )
      yield* withAdmin(
        Effect.gen(function* () {
          const restored = yield* call("POST", "/config", before)
          assert.deepStrictEqual([restored.status, restored.body.changed], [201, true], restored.text)
          assert.deepStrictEqual(yield* readJson, before)
          assert.strictEqual(yield* hash, first, "data planes need not even notice")
        })
      )
    })
  )

  it.live("replaces everything, and keeps what every configuration carries", () =>
    withAdmin(
      Effect.gen(function* () {
        yield* fill
        const cluster = (yield* call("GET", "/parameters/cluster_id")).body
        const next = { _format_version: "3.0", services: [{ name: "new", host: "example.com" }] }
        const reply = yield* call("POST", "/config", next)
        assert.deepStrictEqual(reply.body, { changed: true, entities: { services: 1 } } as Row)
        assert.deepStrictEqual(yield* namesOf("/services"), ["new"])
        for (const gone of ["/routes", "/upstreams", "/targets", "/certificates", "/snis", "/consumers"]) {
          assert.deepStrictEqual(yield* namesOf(gone), [], gone)
        }
        assert.deepStrictEqual(yield* namesOf("/workspaces"), ["default"])
        assert.deepStrictEqual((yield* call("GET", "/parameters/cluster_id")).body, cluster)
        assert.strictEqual((yield* call("POST", "/services", { name: "s", host: "a.example.com" })).status, 201)
      })
    )
  )

  it.live("of the same file again changes nothing, and of a changed one only what changed", () =>
    withAdmin(
      Effect.gen(function* () {
        const file = (retries: number) => ({
          _format_version: "3.0",
          services: [
            { name: "a", host: "example.com" },
            { name: "b", host: "example.com", retries }
          ]
        })
        yield* call("POST", "/config", file(1))
        const known = (yield* call("GET", "/services/a")).body
        assert.strictEqual((yield* call("POST", "/config", file(1))).body.changed, false)
        yield* Effect.sleep("1100 millis")
        assert.strictEqual((yield* call("POST", "/config", file(2))).body.changed, true)
        assert.deepStrictEqual((yield* call("GET", "/services/a")).body, known)
        const changed = (yield* call("GET", "/services/b")).body
        assert.strictEqual(changed.created_at, known.created_at)
        assert.isAbove(Number(changed.updated_at), Number(known.updated_at))
      })
    )
  )

  it.live("takes YAML, a form field, and the wrapping of GET", () =>
    withAdmin(
      Effect.gen(function* () {
        const text = (name: string) => `_format_version: "3.0"\nservices:\n- name: ${name}\n  url: http://example.com\n`
        assert.strictEqual((yield* call("POST", "/config", text("one"), yaml)).status, 201)
        assert.deepStrictEqual(yield* namesOf("/services"), ["one"])
        assert.strictEqual((yield* call("POST", "/config", new URLSearchParams({ config: text("two") }))).status, 201)
        assert.deepStrictEqual(yield* namesOf("/services"), ["two"])
        const { body } = yield* call("GET", "/config")
        yield* call("POST", "/config", text("three"), yaml)
        assert.strictEqual((yield* call("POST", "/config", body)).status, 201)
        assert.deepStrictEqual(yield* namesOf("/services"), ["two"])
        const port = yield* adminPort
        const form = new FormData()
        form.set("config", new Blob([text("four")]), "kong.yml")
        const sent = yield* Effect.promise(() =>
          fetch(`http://127.0.0.1:${port}/config`, { method: "POST", body: form, headers: { connection: "close" } })
        )
        assert.strictEqual(sent.status, 201)
        assert.deepStrictEqual(yield* namesOf("/services"), ["four"])
      })
    )
  )

  it.live("is all or nothing, with every fault at its place (§4)", () =>
    withAdmin(
      Effect.gen(function* () {
        yield* fill
        const before = yield* readJson
        const refused = yield* call("POST", "/config", {
          _format_version: "3.0",
          services: [
            { name: "ok", host: "example.com" },
            { name: "bad", host: "example.com", port: 70_000, routes: [{ name: "x", nope: 1, paths: ["/a"] }] }
          ],
          nonsense: []
        })
        assert.strictEqual(refused.status, 400)
        assert.strictEqual(refused.body.code, 14)
        assert.strictEqual(refused.body.name, "invalid declarative configuration")
        assert.match(String(refused.body.message), /^declarative config is invalid: .*services\[1\]\.port/)
        const fields = refused.body.fields as Record<string, Row>
        assert.strictEqual(fields.nonsense as unknown, "unknown entity")
        assert.include(JSON.stringify(fields.services), "unknown field")
        assert.deepStrictEqual(yield* readJson, before)
      })
    )
  )

  for (const [name, body, words, headers] of [
    ["plugins", { plugins: [{ name: "no-such-plugin" }] }, /plugin 'no-such-plugin' not enabled/, undefined],
    ["entities that are not served", { vaults: [{ name: "env", prefix: "x" }] }, /vaults: expected nothing/, undefined],
    ["a dangling reference", { routes: [{ name: "r", paths: ["/"], service: "x" }] }, /invalid reference/, undefined],
    ["a key of another certificate", { certificates: [{ cert: caCert, key: leafKey }] }, /key of cert/, undefined],
    ["no version", { _format_version: null, services: [] }, /_format_version/, undefined],
    ["broken YAML", "a: [", /expected YAML or JSON/, yaml],
    ["a YAML bomb", bomb, /expected fewer aliases/, yaml],
    ["a text that is no map", "hello", /expected a declarative document/, yaml]
  ] as const) {
    it.live(`refuses ${name}`, () =>
      withAdmin(
        Effect.gen(function* () {
          const given = typeof body === "string" ? body : { _format_version: "3.0", ...body }
          const reply = yield* call("POST", "/config", given, headers)
          assert.deepStrictEqual([reply.status, reply.body.code], [400, 14], reply.text)
          assert.match(String(reply.body.message), words)
        })
      )
    )
  }

  it.live("does not delete everything by mistake", () =>
    withAdmin(
      Effect.gen(function* () {
        const empty = { _format_version: "3.0" }
        assert.strictEqual((yield* call("POST", "/config", empty)).status, 201, "nothing in place of nothing")
        yield* fill
        const refused = yield* call("POST", "/config", empty)
        assert.deepStrictEqual([refused.status, refused.body.code], [400, 14])
        assert.include(refused.body.message, "confirm_empty=true")
        assert.deepStrictEqual(yield* namesOf("/routes"), ["r"])
        assert.strictEqual((yield* call("POST", "/config?confirm_empty=true", empty)).status, 201)
        assert.deepStrictEqual(yield* namesOf("/routes"), [])
      })
    )
  )

  it.live("knows no other method and no other media type", () =>
    withAdmin(
      Effect.gen(function* () {
        assert.strictEqual((yield* call("DELETE", "/config")).status, 405)
        assert.strictEqual((yield* call("POST", "/config", "<a/>", { "content-type": "text/xml" })).status, 415)
        assert.strictEqual((yield* call("POST", "/config", new URLSearchParams({ other: "x" }))).body.code, 14)
      })
    )
  )
})
