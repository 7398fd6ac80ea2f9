/**
 * `key-auth` before a real upstream: who gets through, what the upstream is told, and that nobody else does (`proxy-behaviour.md`
 * §1, §3.1; `faults.md`, "auth plugins fail closed"; behaviour of Kong's open-source plugin, 3.9).
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { decodeTable } from "../../../src/model/ConfigTable.ts"
import { compileConfig } from "../../../src/model/compileConfig.ts"
import type { Row } from "../../../src/model/Entity.ts"
import { licenseExpired } from "../../../src/model/GatewayError.ts"
import { builtinCatalogue } from "../../../src/programs/builtinPlugins.ts"
import type { ObservedRequest } from "../../../src/services/RequestObservers.ts"
import { behind, guarded, people, plugin } from "./pluginSupport.ts"
import { type Answer, id, send, sendRaw, startProxy, startUpstream } from "./support.ts"

/** What became of a request: the answer, and what the upstream was sent, if it heard of it. */
interface Outcome {
  readonly answer: Answer
  readonly sent: { readonly url: string; readonly headers: Record<string, string>; readonly body: string } | undefined
}

interface Asked {
  readonly path?: string
  readonly method?: string
  readonly headers?: Row
  readonly body?: string
}

const start = (config: Row = {}, rows: Row = {}) =>
  Effect.gen(function* () {
    let heard = 0
    const upstream = yield* startUpstream((request, response) => {
      heard++
      let body = ""
      request.setEncoding("latin1")
      request.on("data", (chunk) => {
        body += chunk
      })
      request.on("end", () => response.end(JSON.stringify({ url: request.url, headers: request.headers, body })))
    })
    const consumers: Array<string | null> = []
    const observers = [({ consumer }: ObservedRequest) => void consumers.push(consumer?.username ?? null)]
    const { port } = yield* startProxy(guarded(upstream.port, config, rows), { observers })
    const ask = ({ body, ...options }: Asked = {}): Effect.Effect<Outcome> =>
      Effect.promise(async () => {
        const before = heard
        const answer = await send(port, options as never, body)
        return { answer, sent: heard > before ? JSON.parse(answer.body) : undefined }
      })
    return { ask, consumers }
  })

const denied = ({ answer, sent }: Outcome) => [
  answer.status,
  sent,
  JSON.parse(answer.body).message,
  answer.headers["www-authenticate"]
]

const identity = ({ sent }: Outcome) =>
  ["id", "custom-id", "username"].map((name) => sent?.headers[`x-consumer-${name}`])

const form = { "Content-Type": "application/x-www-form-urlencoded; charset=utf-8" }
const json = { "Content-Type": "application/json" }

describe("key-auth", () => {
  it.live("lets through who has a key, says who it is, and takes away what the client said of that", () =>
    Effect.gen(function* () {
      const { ask, consumers } = yield* start()
      const claims = {
        ...{ "X-Consumer-ID": "root", "X-Consumer-Username": "root", "X-Consumer-Custom-ID": "root" },
        ...{ "X-Credential-Identifier": "root", "X-Anonymous-Consumer": "true" }
      }
      const bob = yield* ask({ headers: { apikey: "bob-key", ...claims, Connection: "X-Consumer-Username" } })
      assert.deepStrictEqual(identity(bob), [id(50), "b-1", "bob"])
      assert.strictEqual(bob.sent?.headers["x-credential-identifier"], id(60))
      assert.strictEqual(bob.sent?.headers["x-anonymous-consumer"], undefined)
      assert.strictEqual(bob.sent?.headers.apikey, "bob-key")
      const zoe = yield* ask({ path: "/?apikey=schl%C3%BCssel", headers: claims })
      assert.deepStrictEqual(identity(zoe), [id(51), undefined, Buffer.from("Zoë").toString("latin1")])
      assert.deepStrictEqual(consumers, ["bob", "Zoë"])
    })
  )

  it.live("takes away what the client says of itself behind its body, and a hidden key there", () =>
    Effect.gen(function* () {
      const told: Array<NodeJS.Dict<string>> = []
      const upstream = yield* startUpstream((request, response) => {
        request.resume()
        request.on("end", () => {
          told.push({ announced: request.headers.trailer, ...request.trailers })
          response.end("ok")
        })
      })
      const { port } = yield* startProxy(guarded(upstream.port, { hide_credentials: true }))
      const trailers = "X-Consumer-ID: root\r\napikey: bob-key\r\nX-Sum: 1\r\nX-Anonymous-Consumer: true\r\n"
      const names = "X-Consumer-ID, apikey, X-Sum, X-Anonymous-Consumer"
      const head = `POST / HTTP/1.1\r\nHost: a\r\napikey: bob-key\r\nTrailer: ${names}\r\nTransfer-Encoding: chunked\r\n`
      assert.match(
        yield* sendRaw(port, `${head}Connection: close\r\n\r\n1\r\na\r\n0\r\n${trailers}\r\n`),
        /^HTTP\/1\.1 200 /
      )
      assert.deepStrictEqual(told, [{ announced: "x-sum", "x-sum": "1" }])
    })
  )

  it.live("answers 401 to everybody else, with Kong's messages and challenge", () =>
    Effect.gen(function* () {
      const { ask, consumers } = yield* start()
      const none = [401, undefined, "No API key found in request", "Key"]
      const several = [401, undefined, "Duplicate API key found", "Key"]
      const wrong = [401, undefined, "Unauthorized", "Key"]
      const cases: ReadonlyArray<readonly [Asked, ReadonlyArray<unknown>]> = [
        [{}, none],
        [{ headers: { apikey: "" } }, none],
        [{ path: "/?apikey" }, none],
        [{ path: "/?apikey=" }, none],
        [{ path: "/?apikey=bob-key&apikey=bob-key" }, several],
        [{ headers: { apikey: ["bob-key", "bob-key"] } }, several],
        [{ headers: { apikey: "bob-key " + "x" } }, wrong],
        [{ headers: { apikey: "Bob-Key" } }, wrong],
        [{ headers: { apikey: "__proto__" } }, wrong],
        [{ path: "/?apikey=schl%FCssel" }, wrong],
        [{ method: "OPTIONS" }, none],
        [{ method: "POST", headers: form, body: "apikey=bob-key" }, none],
        [{ headers: { "X-Consumer-ID": id(50), "X-Credential-Identifier": id(60) } }, none]
      ]
      for (const [asked, outcome] of cases)
        assert.deepStrictEqual(denied(yield* ask(asked)), outcome, JSON.stringify(asked))
      assert.deepStrictEqual(new Set(consumers), new Set([null]))
    })
  )

  it.live("names the realm, and keeps names that Node knows to come once", () =>
    Effect.gen(function* () {
      const { ask } = yield* start({ realm: "the office", key_names: ["Authorization", "x-key"] })
      const challenge = 'Key realm="the office"'
      assert.strictEqual(denied(yield* ask())[3], challenge)
      const twice = yield* ask({ headers: { Authorization: ["bob-key", "other"] } })
      assert.deepStrictEqual(denied(twice), [401, undefined, "Duplicate API key found", challenge])
      assert.strictEqual((yield* ask({ headers: { authorization: "bob-key" } })).answer.status, 200)
      assert.strictEqual((yield* ask({ headers: { "X-Key": "bob-key" } })).answer.status, 200)
    })
  )

  it.live("looks only where it was told to", () =>
    Effect.gen(function* () {
      const { ask } = yield* start({ key_in_header: false, key_in_query: false, key_in_body: true })
      const elsewhere = { headers: { apikey: "bob-key", ...form }, path: "/?apikey=bob-key" }
      assert.strictEqual(denied(yield* ask(elsewhere))[0], 401)
      const inside = yield* ask({ method: "POST", headers: form, body: "a=1&apikey=bob-key" })
      assert.deepStrictEqual([inside.answer.status, inside.sent?.body], [200, "a=1&apikey=bob-key"])
    })
  )

  it.live("finds keys in bodies of forms and JSON, and none in what it can't read", () =>
    Effect.gen(function* () {
      const { ask } = yield* start({ key_in_body: true })
      const post = (headers: Row, body: string) => ask({ method: "POST", headers, body })
      for (const [headers, body] of [
        [form, "apikey=bob%2Dkey"],
        [json, '{"apikey":"bob-key"}'],
        [json, '{"apikey":"schlüssel"}']
      ] as const)
        assert.strictEqual((yield* post(headers, body)).answer.status, 200, body)
      for (const [headers, body, message] of [
        [form, "apikey=bob-key&apikey=bob-key", "Duplicate API key found"],
        [json, '{"apikey":["bob-key"]}', "Duplicate API key found"],
        [json, '{"apikey":true}', "No API key found in request"],
        [json, '["apikey"]', "No API key found in request"],
        [json, '{"apikey":"bob-key"', "No API key found in request"],
        [{ "Content-Type": "text/plain" }, "apikey=bob-key", "No API key found in request"],
        [form, `${"x".repeat(65_536)}&apikey=bob-key`, "No API key found in request"],
        [form, "", "No API key found in request"]
      ] as const)
        assert.deepStrictEqual(
          denied(yield* post(headers, body)).slice(0, 3),
          [401, undefined, message],
          body.slice(0, 40)
        )
    })
  )

  it.live("hides the key from the upstream, wherever it came, and nothing else", () =>
    Effect.gen(function* () {
      const { ask } = yield* start({ hide_credentials: true, key_in_body: true })
      const path = "/p?a=%41&apikey=bob-key&b"
      const inQuery = yield* ask({ path, headers: { "X-Other": "1" } })
      assert.deepStrictEqual([inQuery.sent?.url, inQuery.sent?.headers["x-other"]], ["/p?a=%41&b", "1"])
      const inHeader = yield* ask({ path: "/?apikey=x", headers: { apikey: "bob-key" } })
      assert.deepStrictEqual([inHeader.sent?.url, inHeader.sent?.headers.apikey], ["/", undefined])
      const inForm = yield* ask({ method: "POST", headers: form, body: "a=+%41&apikey=bob-key&b=2" })
      assert.deepStrictEqual([inForm.sent?.body, inForm.sent?.headers["content-length"]], ["a=+%41&b=2", "10"])
      const inJson = yield* ask({ method: "POST", headers: json, body: '{"n":1,"apikey":"bob-key"}' })
      assert.strictEqual(inJson.sent?.body, '{"n":1}')
      const both = yield* ask({ method: "POST", headers: { ...json, apikey: "bob-key" }, body: '{"apikey":"x"}' })
      assert.deepStrictEqual([both.sent?.body, both.sent?.headers.apikey], ["{}", undefined])
    })
  )

  it.live("lets preflights pass where it is told to, without what they say of themselves", () =>
    Effect.gen(function* () {
      const { ask } = yield* start({ run_on_preflight: false })
      const headers = { "X-Consumer-ID": id(50), "X-Consumer-Username": "bob", "X-Credential-Identifier": "1" }
      const preflight = yield* ask({ method: "OPTIONS", headers })
      assert.strictEqual(preflight.answer.status, 200)
      assert.deepStrictEqual(identity(preflight), [undefined, undefined, undefined])
      assert.strictEqual(preflight.sent?.headers["x-credential-identifier"], undefined)
      assert.strictEqual((yield* ask({ headers })).answer.status, 401)
    })
  )

  it.live.each([id(52), "anonymous"])("takes those without a key for its anonymous consumer: %s", (anonymous) =>
    Effect.gen(function* () {
      const { ask, consumers } = yield* start({ anonymous })
      for (const headers of [{}, { apikey: "wrong" }, { apikey: ["a", "b"] }]) {
        const outcome = yield* ask({ headers: { ...headers, "X-Credential-Identifier": "1" } })
        assert.deepStrictEqual(identity(outcome), [id(52), undefined, "anonymous"])
        assert.strictEqual(outcome.sent?.headers["x-anonymous-consumer"], "true")
        assert.strictEqual(outcome.sent?.headers["x-credential-identifier"], undefined)
      }
      const bob = yield* ask({ headers: { apikey: "bob-key", "X-Anonymous-Consumer": "true" } })
      assert.deepStrictEqual(identity(bob), [id(50), "b-1", "bob"])
      assert.strictEqual(bob.sent?.headers["x-anonymous-consumer"], undefined)
      assert.deepStrictEqual(consumers, ["anonymous", "anonymous", "anonymous", "bob"])
    })
  )

  it.live("leaves a request to the plugin before it that said who it is, where any of them may", () =>
    Effect.gen(function* () {
      const upstream = yield* startUpstream((request, response) => response.end(JSON.stringify(request.headers)))
      const earlier = plugin(
        "earlier",
        {
          access: (request) => {
            request.authenticate({ consumer: { id: id(51), username: "zoe" } as never, credentialId: "earlier" })
            request.setHeader("X-Consumer-Username", "zoe")
            return undefined
          }
        },
        5000
      )
      const rows = (config: Row) => ({
        ...people,
        plugins: [
          { id: id(100), name: "key-auth", config },
          { id: id(101), name: "earlier" }
        ]
      })
      const { port, serve } = yield* startProxy()
      const ask = (config: Row, options: Row = {}) => {
        serve(behind(upstream.port, [earlier], rows(config)))
        return Effect.promise(() => send(port, options))
      }
      const name = ({ body }: Answer) => JSON.parse(body)["x-consumer-username"]
      assert.strictEqual((yield* ask({})).status, 401)
      assert.strictEqual(name(yield* ask({}, { headers: { apikey: "bob-key" } })), "bob")
      assert.strictEqual(name(yield* ask({ anonymous: "anonymous" })), "zoe")
      assert.strictEqual(name(yield* ask({ anonymous: "anonymous" }, { headers: { apikey: "bob-key" } })), "zoe")
      assert.strictEqual(name(yield* ask({ run_on_preflight: false }, { method: "OPTIONS" })), "zoe")
    })
  )

  it.live("fails closed: an anonymous consumer that nobody knows is 500", () =>
    Effect.gen(function* () {
      const { ask } = yield* start({ anonymous: "nobody" })
      assert.deepStrictEqual(denied(yield* ask()), [500, undefined, "An unexpected error occurred", undefined])
      assert.strictEqual((yield* ask({ headers: { apikey: "bob-key" } })).answer.status, 200)
    })
  )

  it.live("fails closed: without credentials, and with those whose time is over, nobody gets through", () =>
    Effect.gen(function* () {
      const nobody = yield* start({}, { keyauth_credentials: [] })
      assert.strictEqual(denied(yield* nobody.ask({ headers: { apikey: "bob-key" } }))[0], 401)
      const now = Math.floor(Date.now() / 1000)
      const credential = (n: number, key: string, more: Row) => ({ id: id(n), consumer: id(50), key, ...more })
      const timed = yield* start(
        {},
        {
          keyauth_credentials: [
            credential(60, "over", { created_at: now - 100, ttl: 99 }),
            credential(61, "good", { created_at: now, ttl: 3600 }),
            credential(62, "undated", { created_at: null, ttl: 3600 }),
            credential(63, "for-ever", { created_at: 1, ttl: null })
          ]
        }
      )
      const statuses: Array<number> = []
      for (const apikey of ["over", "good", "undated", "for-ever"])
        statuses.push((yield* timed.ask({ headers: { apikey } })).answer.status)
      assert.deepStrictEqual(statuses, [401, 200, 401, 200])
    })
  )

  it.live("fails closed: a key of another workspace is unknown here", () =>
    Effect.gen(function* () {
      const workspaces = [
        { id: id(70), name: "default" },
        { id: id(71), name: "other" }
      ]
      const key = (n: number, text: string, ws_id: string | null) => ({ id: id(n), consumer: id(50), key: text, ws_id })
      const keyauth_credentials = [key(60, "here", id(70)), key(61, "there", id(71)), key(62, "default", null)]
      const { ask } = yield* start({}, { workspaces, keyauth_credentials })
      const statuses: Array<number> = []
      for (const apikey of ["here", "there", "default"])
        statuses.push((yield* ask({ headers: { apikey } })).answer.status)
      assert.deepStrictEqual(statuses, [200, 401, 200])
    })
  )

  it.live("fails closed: a credential whose consumer is missing is 500, though no table should have one", () =>
    Effect.gen(function* () {
      const upstream = yield* startUpstream((_, response) => response.end("through"))
      const decoded = decodeTable(
        {
          _format_version: "3.0",
          services: [{ id: id(1), host: "127.0.0.1", port: upstream.port }],
          routes: [{ id: id(2), service: id(1), paths: ["/"] }],
          plugins: [{ id: id(100), name: "key-auth" }],
          ...people
        },
        builtinCatalogue
      )
      if (decoded._tag === "Wrong") return assert.fail("expected a valid table")
      const { port } = yield* startProxy(compileConfig({ ...decoded.table, consumers: [] }, builtinCatalogue))
      const answer = yield* Effect.promise(() => send(port, { headers: { apikey: "bob-key" } }))
      assert.deepStrictEqual([answer.status, answer.body.includes("through")], [500, false])
    })
  )

  it.live("stays shut while the licence stops the node, and is as it was when it serves again", () =>
    Effect.gen(function* () {
      const upstream = yield* startUpstream((_, response) => response.end("through"))
      const { port, refuse } = yield* startProxy(guarded(upstream.port))
      const ask = (apikey: string) => Effect.promise(() => send(port, { headers: { apikey } }))
      refuse(licenseExpired)
      const refused = [yield* ask("bob-key"), yield* ask("wrong")]
      assert.deepStrictEqual(
        refused.map(({ status, body }) => [status, body.includes("license expired")]),
        [
          [503, true],
          [503, true]
        ]
      )
      refuse(undefined)
      assert.deepStrictEqual([(yield* ask("wrong")).status, (yield* ask("bob-key")).body], [401, "through"])
    })
  )

  it.live("fails closed: a row that is off guards nothing, and one for other protocols of HTTP guards all", () =>
    Effect.gen(function* () {
      const row = { id: id(100), name: "key-auth" }
      const off = yield* start({}, { plugins: [{ ...row, enabled: false }] })
      assert.strictEqual((yield* off.ask()).answer.status, 200)
      const https = yield* start({}, { plugins: [{ ...row, protocols: ["https"] }] })
      assert.strictEqual((yield* https.ask()).answer.status, 401)
    })
  )
})
