/** The admin API in Kong's shapes, over real HTTP, for every entity of the table. */
import { X509Certificate } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { entities } from "../../src/model/Entities.ts"
import type { Entity, Row } from "../../src/model/Entity.ts"
import type { AdminListener } from "../../src/services/control/Listeners.ts"
import { clusterCertificate } from "../support/certificates.ts"
import { type AdminReply, adminPort, call, type Given, memoryControlPlane } from "../support/controlPlane.ts"
import { caCert, expiredCaCert, leafCert, leafKey } from "../support/pems.ts"
import { type Sample, samples } from "../support/samples.ts"

const withAdmin = <A, E>(test: Effect.Effect<A, E, AdminListener>, given?: Given) =>
  Effect.gen(function* () {
    const pair = yield* clusterCertificate
    return yield* test.pipe(Effect.provide(memoryControlPlane(pair, given)))
  }).pipe(Effect.timeout("20 seconds"))

const sampleOf = (entity: Entity): Sample => {
  const sample = samples[entity.name]
  if (sample === undefined)
    throw new Error(`no sample for the entity ${entity.name}: add one to test/support/samples.ts`)
  return sample
}

const rowsOf = (reply: AdminReply): ReadonlyArray<Row> => reply.body.data as ReadonlyArray<Row>

/** The sample's input, with the parent that it needs made first. */
const prepared = Effect.fnUntraced(function* (entity: Entity) {
  const { create, parent } = sampleOf(entity)
  if (parent === undefined) return { input: create, parentId: undefined }
  const made = yield* call("POST", `/${parent.of}`, samples[parent.of]?.create)
  return { input: { ...create, [parent.field]: { id: made.body.id } }, parentId: String(made.body.id) }
})

describe("every entity", () => {
  for (const entity of entities) {
    const path = `/${entity.adminNames?.top ?? entity.name}`
    const nested = entity.adminNames?.nested ?? entity.name

    it.live(`${entity.name}: created, read, changed, replaced, listed, deleted`, () =>
      withAdmin(
        Effect.gen(function* () {
          const { input } = yield* prepared(entity)
          const made = yield* call("POST", path, input)
          assert.strictEqual(made.status, 201, made.text)
          const id = String(made.body[entity.primaryKey])
          const ownFields = Object.keys(entity.fields).filter((field) => field !== "ws_id")
          const shownFields = entity.name === "certificates" ? [...ownFields, "snis"] : ownFields
          assert.deepStrictEqual(Object.keys(made.body).sort(), shownFields.sort(), "defaults and nulls are shown")

          const read = yield* call("GET", `${path}/${id}`)
          assert.deepStrictEqual(read.body, made.body)
          const name = entity.endpointKey === undefined ? undefined : made.body[entity.endpointKey]
          if (typeof name === "string" && entity.name !== "targets") {
            assert.deepStrictEqual((yield* call("GET", `${path}/${encodeURIComponent(name)}`)).body, made.body)
          }

          const { change } = sampleOf(entity)
          const changed = yield* call("PATCH", `${path}/${id}`, change)
          assert.strictEqual(changed.status, 200, changed.text)
          assert.deepInclude(changed.body, change)
          assert.strictEqual(changed.body.created_at, made.body.created_at)

          const replaced = yield* call("PUT", `${path}/${id}`, input)
          assert.strictEqual(replaced.status, 200, replaced.text)
          const { updated_at: _, ...withoutStamp } = made.body
          assert.deepInclude(replaced.body, withoutStamp, "what is not given is as if never given")

          const listed = rowsOf(yield* call("GET", path))
          assert.isTrue(listed.some((row) => row[entity.primaryKey] === id))

          assert.strictEqual((yield* call("DELETE", `${path}/${id}`)).status, 204)
          assert.strictEqual((yield* call("DELETE", `${path}/${id}`)).status, 204, "deleting is done when it is gone")
          const gone = yield* call("GET", `${path}/${id}`)
          assert.deepStrictEqual([gone.status, gone.body], [404, { message: "Not found" }])
          assert.strictEqual((yield* call("PATCH", `${path}/${id}`, change)).status, 404)
        })
      )
    )

    it.live(`${entity.name}: forms`, () =>
      withAdmin(
        Effect.gen(function* () {
          const { input, parentId } = yield* prepared(entity)
          const { form, formMeans, parent } = sampleOf(entity)
          const plain = Object.entries(input).filter(([, value]) => typeof value === "string") as Array<
            [string, string]
          >
          const reference: Array<[string, string]> =
            parent === undefined ? [] : [[`${parent.field}.id`, String(parentId)]]
          const pairs = [...(form ?? plain), ...reference].map(([name, value]): [string, string] => [name, value])
          const made = yield* call("POST", path, new URLSearchParams(pairs))
          assert.strictEqual(made.status, 201, made.text)
          assert.deepInclude(made.body, formMeans ?? Object.fromEntries(plain))
        })
      )
    )

    it.live(`${entity.name}: an unknown field and a wrong one are both told`, () =>
      withAdmin(
        Effect.gen(function* () {
          const reply = yield* call("POST", path, { nope: 1, [entity.primaryKey]: 5 })
          assert.strictEqual(reply.status, 400)
          assert.strictEqual(reply.body.code, 2)
          const fields = reply.body.fields as Row
          assert.strictEqual(fields.nope, "unknown field")
          assert.isString(fields[entity.primaryKey])
        })
      )
    )

    for (const reference of entity.references) {
      it.live(`${entity.name}: ${reference.field} must exist, and is found below ${reference.to}`, () =>
        withAdmin(
          Effect.gen(function* () {
            const missing = "7f1c2c0e-3f0a-4f0e-9a3b-0d3d0a3f6d11"
            const { input } = yield* prepared(entity)
            const tls =
              "client_certificate" === reference.field && entity.name === "services" ? { protocol: "https" } : {}
            const refused = yield* call("POST", path, { ...input, ...tls, [reference.field]: { id: missing } })
            assert.strictEqual(refused.status, 400, refused.text)
            assert.deepStrictEqual(refused.body, {
              code: 4,
              name: "foreign key violation",
              message: `the foreign key '{id="${missing}"}' does not reference an existing '${reference.to}' entity.`,
              fields: { [reference.field]: { id: missing } }
            } as Row)

            const parent = yield* call("POST", `/${reference.to}`, {
              ...samples[reference.to]?.create,
              ...(reference.to === "upstreams" ? { name: "other.internal" } : {}),
              ...(reference.to === "consumers" ? { username: "other" } : {})
            })
            const below = `/${reference.to}/${parent.body.id}/${nested}`
            const { [reference.field]: _, ...own } = input as Record<string, unknown>
            const made = yield* call("POST", below, { ...own, ...tls })
            assert.strictEqual(made.status, 201, made.text)
            assert.deepStrictEqual(made.body[reference.field], { id: parent.body.id } as unknown)
            assert.strictEqual(rowsOf(yield* call("GET", below)).length, 1)
            assert.strictEqual((yield* call("GET", `${below}/${made.body.id}`)).status, 200)
            const up = yield* call("GET", `${path}/${made.body.id}/${reference.field}`)
            assert.strictEqual(up.body.id, parent.body.id)

            const removal = yield* call("DELETE", `/${reference.to}/${parent.body.id}`)
            if (reference.onDelete === "cascade") {
              assert.strictEqual(removal.status, 204)
              assert.strictEqual((yield* call("GET", `${path}/${made.body.id}`)).status, 404)
            } else {
              assert.strictEqual(removal.status, 400)
              const words = `an existing '${entity.name}' entity references this '${reference.to}' entity`
              assert.strictEqual(removal.body.message, words)
            }
          })
        )
      )
    }
  }
})

describe("names", () => {
  it.live("are unique", () =>
    withAdmin(
      Effect.gen(function* () {
        yield* call("POST", "/services", { name: "x", host: "a.example.com" })
        const refused = yield* call("POST", "/services", { name: "x", host: "b.example.com" })
        assert.strictEqual(refused.status, 409)
        assert.deepStrictEqual(refused.body, {
          code: 5,
          name: "unique constraint violation",
          message: `UNIQUE violation detected on '{name="x"}'`,
          fields: { name: "x" }
        } as Row)
        const other = yield* call("POST", "/services", { name: "y", host: "a.example.com" })
        assert.strictEqual((yield* call("PATCH", `/services/${other.body.id}`, { name: "x" })).status, 409)
        assert.strictEqual((yield* call("PATCH", "/services/x", { name: "z" })).status, 200)
        assert.strictEqual((yield* call("PATCH", "/services/y", { name: "x" })).status, 200, "a name is free again")
      })
    )
  )

  it.live("stand for ids in URLs and in references", () =>
    withAdmin(
      Effect.gen(function* () {
        const service = yield* call("PUT", "/services/x", { host: "a.example.com" })
        assert.strictEqual(service.body.name, "x")
        for (const reference of [{ name: "x" }, { id: service.body.id }, "x", service.body.id]) {
          const route = yield* call("POST", "/routes", { paths: ["/a"], service: reference })
          assert.deepStrictEqual(route.body.service, { id: service.body.id } as unknown)
        }
        const formed = yield* call(
          "POST",
          "/routes",
          new URLSearchParams([
            ["service.name", "x"],
            ["paths", "/b"]
          ])
        )
        assert.deepStrictEqual(formed.body.service, { id: service.body.id } as unknown)
        assert.strictEqual(rowsOf(yield* call("GET", "/services/x/routes")).length, 5)
      })
    )
  )

  it.live("of targets belong to their upstream, with the default port", () =>
    withAdmin(
      Effect.gen(function* () {
        for (const upstream of ["a.internal", "b.internal"]) yield* call("PUT", `/upstreams/${upstream}`, {})
        const first = yield* call("POST", "/upstreams/a.internal/targets", { target: "10.0.0.1" })
        assert.strictEqual(first.body.target, "10.0.0.1:8000")
        assert.strictEqual(
          (yield* call("POST", "/upstreams/a.internal/targets", { target: "10.0.0.1:8000" })).status,
          409
        )
        assert.strictEqual((yield* call("POST", "/upstreams/b.internal/targets", { target: "10.0.0.1" })).status, 201)
        const again = yield* call("PUT", "/upstreams/a.internal/targets/10.0.0.1", { weight: 7 })
        assert.deepStrictEqual([again.body.id, again.body.weight], [first.body.id, 7])
        assert.strictEqual((yield* call("GET", "/upstreams/b.internal/targets/10.0.0.1:8000")).status, 200)
        assert.strictEqual((yield* call("GET", `/upstreams/b.internal/targets/${first.body.id}`)).status, 404)
        assert.strictEqual((yield* call("DELETE", "/upstreams/a.internal")).status, 204)
        assert.strictEqual(rowsOf(yield* call("GET", "/targets")).length, 1)
      })
    )
  )
})

describe("writes", () => {
  it.live("merge into records with fixed fields, and bring no defaults back", () =>
    withAdmin(
      Effect.gen(function* () {
        yield* call("PUT", "/upstreams/u.internal", {
          healthchecks: { active: { timeout: 9, healthy: { interval: 5 } } }
        })
        const changed = yield* call("PATCH", "/upstreams/u.internal", {
          healthchecks: { active: { healthy: { successes: 2 } } }
        })
        const active = (changed.body.healthchecks as Row).active as Row
        assert.strictEqual(active.timeout, 9)
        assert.deepInclude(active.healthy as Row, { interval: 5, successes: 2 })
        yield* call("PUT", "/routes/r", { paths: ["/a"], strip_path: false })
        const route = yield* call("PATCH", "/routes/r", { preserve_host: true })
        assert.strictEqual(route.body.strip_path, false)
        const service = yield* call("PUT", "/services/s", { url: "https://example.com/a" })
        assert.strictEqual(service.body.port, 443)
        const moved = yield* call("PATCH", "/services/s", { url: "http://example.org" })
        assert.deepInclude(moved.body, { protocol: "http", host: "example.org", port: 80, path: null })
      })
    )
  )

  it.live("tell all that is wrong, at its place", () =>
    withAdmin(
      Effect.gen(function* () {
        const one = yield* call("POST", "/services", {})
        assert.deepStrictEqual(one.body, {
          code: 2,
          name: "schema violation",
          message: "schema violation (host: required field missing)",
          fields: { host: "required field missing" }
        } as Row)
        const two = yield* call("POST", "/services", { port: -1 })
        assert.match(String(two.body.message), /^2 schema violations \(host: required field missing; port: /)
        const inner = yield* call("POST", "/upstreams", {
          name: "u.internal",
          healthchecks: { active: { timeout: -1 } }
        })
        assert.match(String(inner.body.message), /^schema violation \(healthchecks\.active\.timeout: /)
        const whole = yield* call("POST", "/routes", { name: "r" })
        assert.isArray((whole.body.fields as Row)["@entity"])
      })
    )
  )

  it.live("with hostile names are refused and harm nobody", () =>
    withAdmin(
      Effect.gen(function* () {
        const headers = JSON.parse('{"__proto__":[1],"constructor":[2]}')
        const refused = yield* call("POST", "/routes", { paths: ["/a"], headers })
        assert.strictEqual(refused.status, 400, refused.text)
        assert.notProperty({}, "1")
        const unknown = yield* call("POST", "/services", JSON.parse('{"host":"h","__proto__":{"port":1}}'))
        assert.strictEqual(unknown.status, 400, unknown.text)
        const document = JSON.parse('{"_format_version":"3.0","__proto__":[{}],"services":[{"name":"s","host":"h"}]}')
        assert.strictEqual((yield* call("POST", "/config", document)).status, 400)
        assert.strictEqual((yield* call("POST", "/services", { host: "h" })).status, 201)
      })
    )
  )

  it.live("of text that no data plane could read are refused", () =>
    withAdmin(
      Effect.gen(function* () {
        const refused = yield* call("POST", "/consumers", { username: "\ud800" })
        assert.strictEqual(refused.status, 400, refused.text)
        assert.match(refused.text, /well-formed Unicode/)
      })
    )
  )

  it.live("of an expired authority, or of an alternative of the same kind, are refused", () =>
    withAdmin(
      Effect.gen(function* () {
        const expired = yield* call("POST", "/ca_certificates", { cert: expiredCaCert })
        assert.match(expired.text, /expected a certificate that has not expired/)
        const twice = { cert: leafCert, key: leafKey, cert_alt: leafCert, key_alt: leafKey }
        const same = yield* call("POST", "/certificates", twice)
        assert.match(same.text, /expected a key of another type than cert's, which is ec/)
      })
    )
  )

  it.live("of certificates are checked, for a bad one would make every data plane refuse the whole", () =>
    withAdmin(
      Effect.gen(function* () {
        const made = yield* call("POST", "/ca_certificates", { cert: caCert })
        const digest = new X509Certificate(caCert).fingerprint256.replaceAll(":", "").toLowerCase()
        assert.strictEqual(made.body.cert_digest, digest)
        assert.strictEqual((yield* call("POST", "/ca_certificates", { cert: caCert })).status, 409)
        for (const cert of [leafCert, caCert + caCert, "-----BEGIN CERTIFICATE-----"]) {
          const refused = yield* call("POST", "/ca_certificates", { cert })
          assert.deepStrictEqual([refused.status, Object.keys(refused.body.fields as Row)], [400, ["cert"]])
        }
        const alien = yield* call("POST", "/certificates", { cert: caCert, key: leafKey })
        assert.deepStrictEqual(alien.body.fields, { key: "expected the key of cert" } as unknown)
        const rubbish = yield* call("POST", "/certificates", { cert: "-----BEGIN X", key: "-----BEGIN Y" })
        assert.deepStrictEqual(Object.keys(rubbish.body.fields as Row), ["cert", "key"])
        assert.notInclude(rubbish.text, "BEGIN Y")
      })
    )
  )

  it.live("may come as multipart forms, files included", () =>
    withAdmin(
      Effect.gen(function* () {
        const form = new FormData()
        form.set("cert", new Blob([leafCert]), "cluster.crt")
        form.set("key", leafKey)
        form.append("tags[]", "a")
        form.append("tags[]", "b")
        const port = yield* adminPort
        const reply = yield* Effect.promise(() =>
          fetch(`http://127.0.0.1:${port}/certificates`, {
            method: "POST",
            body: form,
            headers: { connection: "close" }
          })
        )
        const body = (yield* Effect.promise(() => reply.json())) as Row
        assert.strictEqual(reply.status, 201)
        assert.deepInclude(body, { cert: leafCert, tags: ["a", "b"] })
        const type = { "content-type": "multipart/form-data; boundary=x" }
        assert.strictEqual((yield* call("POST", "/certificates", "rubbish", type)).status, 400)
      })
    )
  )

  it.live("under a taken id are refused", () =>
    withAdmin(
      Effect.gen(function* () {
        const { body } = yield* call("POST", "/consumers", { username: "a" })
        const again = yield* call("POST", "/consumers", { id: body.id, username: "b" })
        assert.deepStrictEqual([again.status, again.body.code], [400, 3])
        assert.strictEqual((yield* call("PUT", "/certificates/not-a-uuid", { cert: "x" })).body.code, 1)
      })
    )
  )

  it.live("never take away what every configuration carries", () =>
    withAdmin(
      Effect.gen(function* () {
        assert.strictEqual((yield* call("DELETE", "/workspaces/default")).status, 405)
        assert.strictEqual((yield* call("PATCH", "/workspaces/default", { name: "other" })).status, 405)
        assert.strictEqual((yield* call("DELETE", "/parameters/cluster_id")).status, 405)
        assert.strictEqual((yield* call("GET", "/workspaces/default")).status, 200)
      })
    )
  )
})

describe("collections", () => {
  it.live("come in pages that miss and repeat nothing", () =>
    withAdmin(
      Effect.gen(function* () {
        const names = Array.from({ length: 25 }, (_, i) => `user-${i}`)
        for (const username of names) yield* call("POST", "/consumers", { username, tags: ["a", "b"] })
        const seen: Array<unknown> = []
        let path: unknown = "/consumers?size=10&tags=a,b"
        let pages = 0
        while (typeof path === "string") {
          const reply = yield* call("GET", path)
          seen.push(...rowsOf(reply).map(({ username }) => username))
          path = reply.body.next
          pages++
        }
        assert.deepStrictEqual(seen, names)
        assert.strictEqual(pages, 3)
        assert.strictEqual(rowsOf(yield* call("GET", "/consumers?tags=a,c")).length, 0)
        yield* call("PATCH", "/consumers/user-7", { tags: ["c"] })
        const either = rowsOf(yield* call("GET", "/consumers?tags=c/d"))
        assert.deepStrictEqual(
          either.map(({ username }) => username),
          ["user-7"]
        )
        assert.strictEqual(rowsOf(yield* call("GET", "/consumers?tags=a/c")).length, 25)
        assert.strictEqual((yield* call("GET", "/consumers?tags=a,b/c")).body.code, 11)
        for (const size of ["0", "1001", "x"]) {
          assert.strictEqual((yield* call("GET", `/consumers?size=${size}`)).body.code, 9)
        }
        assert.strictEqual((yield* call("GET", "/consumers?offset=nonsense")).body.code, 7)
      })
    )
  )
})

describe("tags", () => {
  it.live("tell which rows carry them, page by page", () =>
    withAdmin(
      Effect.gen(function* () {
        const service = (yield* call("POST", "/services", { host: "example.com", tags: ["a", "b"] })).body
        const consumer = (yield* call("POST", "/consumers", { username: "x", tags: ["a", "c"] })).body
        const row = (entity_name: string, { id }: Row, tag: string) => ({ entity_name, entity_id: id, tag })
        const first = yield* call("GET", "/tags?size=3")
        const second = yield* call("GET", String(first.body.next))
        assert.deepStrictEqual(
          [...rowsOf(first), ...rowsOf(second)],
          [
            row("services", service, "a"),
            row("services", service, "b"),
            row("consumers", consumer, "a"),
            row("consumers", consumer, "c")
          ]
        )
        assert.strictEqual(second.body.next, null)
        const ofOne = rowsOf(yield* call("GET", "/tags/a"))
        assert.deepStrictEqual(ofOne, [row("services", service, "a"), row("consumers", consumer, "a")])
        assert.deepStrictEqual(rowsOf(yield* call("GET", "/tags/none")), [])
        assert.strictEqual((yield* call("GET", "/tags?size=0")).body.code, 9)
      })
    )
  )
})

describe("a certificate's snis (config-model §3)", () => {
  const pair = { cert: leafCert, key: leafKey }
  const sniNames = Effect.map(call("GET", "/snis"), (reply) => rowsOf(reply).map(({ name }) => name))

  it.live("declare rows of their own, and are shown with it", () =>
    withAdmin(
      Effect.gen(function* () {
        const made = yield* call("POST", "/certificates", { ...pair, snis: ["a.example.com", "b.example.com"] })
        assert.strictEqual(made.status, 201, made.text)
        assert.deepStrictEqual(made.body.snis as unknown, ["a.example.com", "b.example.com"])
        const [sni] = rowsOf(yield* call("GET", "/snis"))
        assert.deepStrictEqual(sni?.certificate, { id: made.body.id } as unknown)
        const path = `/certificates/${made.body.id}`
        const changed = yield* call("PATCH", path, { snis: ["b.example.com", "*.example.com"] })
        assert.deepStrictEqual(changed.body.snis as unknown, ["b.example.com", "*.example.com"])
        yield* call("PATCH", path, { tags: ["x"] })
        assert.deepStrictEqual(yield* sniNames, ["b.example.com", "*.example.com"], "not named, not touched")
        const replaced = yield* call("PUT", path, { ...pair, snis: [] })
        assert.deepStrictEqual([replaced.body.snis, yield* sniNames] as unknown, [[], []])
        const form = new URLSearchParams({ ...pair, snis: "c.example.com,d.example.com" })
        assert.strictEqual((yield* call("POST", "/certificates", form)).status, 201)
        assert.deepStrictEqual(yield* sniNames, ["c.example.com", "d.example.com"])
      })
    )
  )

  it.live("are refused as a whole, certificate included", () =>
    withAdmin(
      Effect.gen(function* () {
        const first = yield* call("POST", "/certificates", { ...pair, snis: ["a.example.com"] })
        for (const [snis, words] of [
          [["new.example.com", "a.example.com"], `already associated with existing certificate '${first.body.id}'`],
          [["new.example.com", "not a name"], "expected"],
          [5, "expected an array of server names"]
        ] as const) {
          const refused = yield* call("POST", "/certificates", { ...pair, snis })
          assert.deepStrictEqual([refused.status, refused.body.code], [400, 2], refused.text)
          assert.include(JSON.stringify((refused.body.fields as Row).snis), words)
        }
        assert.strictEqual(rowsOf(yield* call("GET", "/certificates")).length, 1)
        assert.deepStrictEqual(yield* sniNames, ["a.example.com"])
      })
    )
  )
})

describe("requests that are none", () => {
  for (const [name, send, status] of [
    ["broken JSON", call("POST", "/services", "{"), 400],
    ["JSON that is no object", call("POST", "/services", "[1]"), 400],
    ["another media type", call("POST", "/services", "<a/>", { "content-type": "text/xml" }), 415],
    ["too large a body", call("POST", "/services", " ".repeat(16 * 1024 * 1024 + 1)), 413],
    ["an unknown path", call("GET", "/nope"), 404],
    ["an unknown child", call("GET", "/services/x/nope"), 404],
    ["children of nothing", call("GET", "/services/x/routes"), 404],
    ["a broken escape", call("GET", "/services/%E0%A4%A"), 404],
    ["a wrong method", call("DELETE", "/services"), 405],
    ["a write to the status", call("POST", "/status"), 405],
    ["a name that only resolves to this machine", call("GET", "/services", undefined, { host: "evil.example" }), 403],
    ["a page of another site", call("POST", "/services", {}, { origin: "https://evil.example" }), 403]
  ] as const) {
    it.live(name, () => withAdmin(Effect.map(send, (reply) => assert.strictEqual(reply.status, status, reply.text))))
  }

  it.live("a body that grows too large without saying so", () =>
    withAdmin(
      Effect.gen(function* () {
        const reply = yield* call("POST", "/services", " ".repeat(17 * 1024 * 1024), { "transfer-encoding": "chunked" })
        assert.strictEqual(reply.status, 413)
      })
    )
  )
})

describe("the token", () => {
  it.live("is asked of every request", () =>
    withAdmin(
      Effect.gen(function* () {
        assert.strictEqual((yield* call("GET", "/services")).status, 401)
        assert.strictEqual((yield* call("GET", "/status", undefined, { "kong-admin-token": "wrong" })).status, 401)
        assert.strictEqual((yield* call("GET", "/services", undefined, { "kong-admin-token": "s3cret" })).status, 200)
      }),
      { admin_token: "s3cret" }
    )
  )
})
