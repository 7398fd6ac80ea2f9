/** `/licenses` of the admin API, what of it reaches the data planes, and what a whole configuration does to it. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { Row } from "../../src/model/Entity.ts"
import type { AdminListener } from "../../src/services/control/Listeners.ts"
import { clusterCertificate } from "../support/certificates.ts"
import { call, memoryControlPlane } from "../support/controlPlane.ts"
import { licenseUntil } from "../support/licenses.ts"

const withAdmin = <A, E>(test: Effect.Effect<A, E, AdminListener>) =>
  Effect.gen(function* () {
    const pair = yield* clusterCertificate
    return yield* test.pipe(Effect.provide(memoryControlPlane(pair)))
  }).pipe(Effect.timeout("20 seconds"))

const id = "30f06b7f-4bbd-4f2f-9d9d-9c7d1a0a1111"
const payload = licenseUntil("2099-01-01")
const idsNow = Effect.map(call("GET", "/licenses"), ({ body }) =>
  (body.data as ReadonlyArray<Row>).map((row) => row.id)
)
const service = { _format_version: "3.0", services: [{ name: "s", host: "example.com" }] }

describe("/licenses (resilience.md §6.1)", () => {
  it.live("takes and shows the fields of Kong's, and no other", () =>
    withAdmin(
      Effect.gen(function* () {
        const made = yield* call("PUT", `/licenses/${id}`, { payload })
        assert.strictEqual(made.status, 200)
        assert.deepStrictEqual(Object.keys(made.body).sort(), ["created_at", "id", "payload", "updated_at"])
        assert.deepInclude(made.body, { id, payload })
        const renewed = yield* call("PUT", `/licenses/${id}`, { payload: licenseUntil("2100-01-01") })
        assert.deepInclude(renewed.body, { id, created_at: made.body.created_at })
        assert.deepStrictEqual(yield* idsNow, [id])
      })
    )
  )

  it.live("refuses what is no licence, with every fault at its place and no value of it", () =>
    withAdmin(
      Effect.gen(function* () {
        const secret = "s3cret"
        const license = {
          payload: { license_expiration_date: secret, license_key: secret },
          signature: secret,
          version: "1"
        }
        const refused = yield* call("POST", "/licenses", { payload: JSON.stringify({ license }) })
        assert.strictEqual(refused.status, 400)
        assert.deepStrictEqual(refused.body, {
          code: 2,
          name: "schema violation",
          message:
            "2 schema violations (payload.license.payload.license_expiration_date: expected a date, written YYYY-MM-DD; " +
            "payload.license.signature: expected a signature in hexadecimal digits)",
          fields: {
            payload: {
              license: {
                payload: { license_expiration_date: "expected a date, written YYYY-MM-DD" },
                signature: "expected a signature in hexadecimal digits"
              }
            }
          }
        } as Row)
        for (const wrong of [secret, "", 5, { license }, [secret], null]) {
          const reply = yield* call("POST", "/licenses", { payload: wrong })
          assert.strictEqual(reply.status, 400)
          assert.notInclude(reply.text, secret)
        }
        assert.deepStrictEqual(yield* idsNow, [])
        assert.strictEqual((yield* call("PUT", `/licenses/${id}`, { payload })).status, 200)
        assert.strictEqual((yield* call("PATCH", `/licenses/${id}`, { payload: "{}" })).status, 400)
        assert.strictEqual((yield* call("GET", `/licenses/${id}`)).body.payload, payload)
      })
    )
  )

  it.live("takes an expired licence: whether it counts is for the data planes to say", () =>
    withAdmin(
      Effect.gen(function* () {
        assert.strictEqual((yield* call("POST", "/licenses", { payload: licenseUntil("2001-02-03") })).status, 201)
      })
    )
  )
})

describe("a whole configuration", () => {
  it.live("that says nothing of licences leaves them; one that does replaces them", () =>
    withAdmin(
      Effect.gen(function* () {
        yield* call("PUT", `/licenses/${id}`, { payload })
        assert.strictEqual((yield* call("POST", "/config", service)).status, 201)
        assert.deepStrictEqual(yield* idsNow, [id])
        const other = "30f06b7f-4bbd-4f2f-9d9d-9c7d1a0a2222"
        yield* call("POST", "/config", { ...service, licenses: [{ id: other, payload }] })
        assert.deepStrictEqual(yield* idsNow, [other])
        yield* call("POST", "/config", { ...service, licenses: [] })
        assert.deepStrictEqual(yield* idsNow, [])
      })
    )
  )

  it.live("of nothing but licences is one of nothing", () =>
    withAdmin(
      Effect.gen(function* () {
        yield* call("PUT", `/licenses/${id}`, { payload })
        yield* call("POST", "/config", service)
        const empty = { _format_version: "3.0" }
        assert.strictEqual((yield* call("POST", "/config", empty)).body.code, 14)
        assert.strictEqual((yield* call("POST", "/config?confirm_empty=true", empty)).status, 201)
        assert.deepStrictEqual(yield* idsNow, [id])
      })
    )
  )

  it.live("with a licence that is wrong is refused whole: the shape of the row, or what stands in it", () =>
    withAdmin(
      Effect.gen(function* () {
        for (const licenses of [[{ payload: "s3cret" }], [{ payload: 5 }], ["s3cret"], "s3cret", [{ payload, x: 1 }]]) {
          const refused = yield* call("POST", "/config", { ...service, licenses })
          assert.deepStrictEqual([refused.status, refused.body.code], [400, 14])
          assert.include(refused.text, "licenses")
          assert.notInclude(refused.text, "s3cret")
        }
        assert.deepStrictEqual((yield* call("GET", "/services")).body.data, [] as never)
      })
    )
  )
})
