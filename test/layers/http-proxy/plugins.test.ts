/** Plugins on the way of a request: order, answers, changes, what fails (`config-model.md` §6, `proxy-behaviour.md` §2). */
import http from "node:http"
import http2 from "node:http2"
import net from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { PluginAnswer, PluginOutcome, PluginRequest } from "../../../src/model/plugin/Plugin.ts"
import type { ObservedRequest } from "../../../src/services/RequestObservers.ts"
import { authority, leaf } from "../../support/pki.ts"
import { recordedLogs } from "../../support/recordedLogs.ts"
import { behind, plugin } from "./pluginSupport.ts"
import {
  configOf,
  get,
  id,
  loopback,
  readAll,
  send,
  sendRaw,
  signal,
  startProxy,
  startRawUpstream,
  startUpstream
} from "./support.ts"

/** Tells what it was sent. */
const mirror = () => {
  const seen: Array<string> = []
  const upstream = startUpstream((request, response) => {
    const chunks: Array<Buffer> = []
    request.on("data", (chunk) => chunks.push(chunk))
    request.on("end", () => {
      seen.push(`${request.method} ${request.url}`)
      response.setHeader("X-Upstream", "1")
      response.end(
        JSON.stringify({ url: request.url, headers: request.headers, body: Buffer.concat(chunks).toString() })
      )
    })
  })
  return Effect.map(upstream, ({ port }) => ({ port, seen }))
}

const until = (holds: () => boolean) =>
  Effect.promise(async () => {
    for (let left = 500; left > 0 && !holds(); left--) await new Promise((resolve) => setTimeout(resolve, 10))
  })

const denial: PluginAnswer = { status: 403, headers: ["X-Why", "no"], body: "denied" }

describe("§6.1 phases", () => {
  it.live("§6.1 run by priority; after an answer no access, but later phases of those that come after", () =>
    Effect.gen(function* () {
      const { port: upstream, seen } = yield* mirror()
      const calls: Array<string> = []
      const noting = (name: string, priority: number, answer?: PluginAnswer) =>
        plugin(
          name,
          {
            access: () => {
              calls.push(`${name} access`)
              return answer
            },
            headerFilter: (_, response) => void calls.push(`${name} head ${response.status} ${response.source}`),
            log: (_, { status, source }) => void calls.push(`${name} log ${status} ${source}`)
          },
          priority
        )
      const { port } = yield* startProxy(
        behind(upstream, [noting("late", 1), noting("deny", 10, denial), noting("early", 20)])
      )
      const answer = yield* get(port)
      yield* until(() => calls.length === 8)
      assert.deepStrictEqual(calls, [
        ...["early access", "deny access"],
        ...["early head 403 exit", "deny head 403 exit", "late head 403 exit"],
        ...["early log 403 exit", "deny log 403 exit", "late log 403 exit"]
      ])
      assert.deepStrictEqual([answer.status, answer.body, answer.headers["x-why"]], [403, "denied", "no"])
      assert.deepStrictEqual(seen, [])
    })
  )

  it.live("§6.1 each row has a state of its own from phase to phase, and promises keep the order", () =>
    Effect.gen(function* () {
      const { port: upstream } = yield* mirror()
      const calls: Array<string> = []
      const slow = (name: string, priority: number) =>
        plugin(
          name,
          {
            access: async (request) => {
              await new Promise((resolve) => setTimeout(resolve, 5))
              request.state = name
              calls.push(name)
              return undefined
            },
            headerFilter: ({ state }, response) => response.setHeader(`X-${name}`, String(state))
          },
          priority
        )
      const { port } = yield* startProxy(behind(upstream, [slow("second", 1), slow("first", 2)]))
      const { status, headers } = yield* get(port)
      assert.deepStrictEqual(calls, ["first", "second"])
      assert.deepStrictEqual([status, headers["x-first"], headers["x-second"]], [200, "first", "second"])
    })
  )

  it.live("§6.2 only the plugins behind the one that says who it is see a consumer's row", () =>
    Effect.gen(function* () {
      const { port: upstream } = yield* mirror()
      const bob = { id: id(50), username: "bob" }
      const says = plugin(
        "says",
        {
          access: (request) => {
            request.authenticate({ consumer: { ...bob, custom_id: null } as never, credentialId: id(60) })
            return undefined
          }
        },
        500
      )
      const marks = (name: string, priority: number) =>
        ({
          ...plugin(name, {}, priority),
          handler: ({ id: row }: { readonly id: string }) => ({
            headerFilter: (_: unknown, response: { setHeader: (name: string, value: string) => void }) =>
              response.setHeader(`X-${name}`, row === id(201) || row === id(203) ? "bob's" : "everybody's")
          })
        }) as ReturnType<typeof plugin>
      const plugins = [says, marks("before", 900), marks("after", 100)]
      const rows = {
        consumers: [bob],
        plugins: [
          { id: id(199), name: "says" },
          { id: id(200), name: "before" },
          { id: id(201), name: "before", consumer: id(50) },
          { id: id(202), name: "after" },
          { id: id(203), name: "after", consumer: id(50) }
        ]
      }
      const heard: Array<string | undefined> = []
      const observers = [({ consumer }: ObservedRequest) => void heard.push(consumer?.username ?? undefined)]
      const { port } = yield* startProxy(behind(upstream, plugins, rows), { observers })
      const { headers } = yield* get(port)
      assert.deepStrictEqual([headers["x-before"], headers["x-after"]], ["everybody's", "bob's"])
      yield* until(() => heard.length === 1)
      assert.deepStrictEqual(heard, ["bob"])
    })
  )

  it.live("run for a route without a service before that is told, and not where no route matched", () =>
    Effect.gen(function* () {
      const calls: Array<string> = []
      const noting = plugin("noting", {
        access: ({ path }) => {
          calls.push(path)
          return path === "/own" ? denial : undefined
        },
        headerFilter: (_, response) => response.setHeader("X-Filtered", response.source)
      })
      const config = behind(1, [noting], { services: [], routes: [{ id: id(2), paths: ["/own", "/none"] }] })
      const { port } = yield* startProxy(config)
      const [own, none, nowhere] = yield* Effect.all([get(port, "/own"), get(port, "/none"), get(port, "/nowhere")])
      assert.deepStrictEqual(
        [own, none, nowhere].map(({ status, headers }) => [status, headers["x-filtered"]]),
        [
          [403, "exit"],
          [503, "error"],
          [404, undefined]
        ]
      )
      assert.deepStrictEqual(calls, ["/own", "/none"])
    })
  )

  it.live("log hears how it ended, and what it throws harms nobody", () =>
    Effect.gen(function* () {
      const { port: upstream } = yield* mirror()
      const outcomes: Array<PluginOutcome> = []
      const first = plugin("first", {
        log: () => {
          throw new Error("log")
        }
      })
      const second = plugin("second", { log: (_, outcome) => void outcomes.push(outcome) }, 1)
      const { port } = yield* startProxy(behind(upstream, [first, second]))
      const { body } = yield* Effect.promise(() => send(port, { method: "POST" }, "12345"))
      yield* until(() => outcomes.length === 1)
      const [outcome] = outcomes
      assert.deepStrictEqual(
        [outcome?.status, outcome?.source, outcome?.requestBodyBytes, outcome?.responseBodyBytes],
        [200, "service", 5, body.length]
      )
      assert.isTrue((outcome?.requestMs ?? 0) >= (outcome?.upstreamMs ?? 0) && (outcome?.proxyMs ?? -1) >= 0)
    })
  )
})

describe("§2 what plugins answer", () => {
  it.live("§2 gets the gateway's own headers, and its length whatever the plugin says of it", () =>
    Effect.gen(function* () {
      const answers: Record<string, PluginAnswer> = {
        "/text": {
          status: 200,
          headers: ["Content-Length", "999", "Transfer-Encoding", "chunked", "X-A", "é\r\nX-B: 1"],
          body: "höf"
        },
        "/bytes": { status: 201, body: new Uint8Array([1, 2]) },
        "/none": { status: 204, body: "never" },
        "/mine": { status: 200, headers: ["Server", "mine"], body: "" },
        "/error": { status: 401, headers: ["WWW-Authenticate", "Key"], message: "Unauthorized" }
      }
      const { port } = yield* startProxy(behind(1, [plugin("answers", { access: ({ path }) => answers[path] })]))
      const text = yield* get(port, "/text")
      assert.deepStrictEqual([text.status, text.body, text.headers["content-length"]], [200, "höf", "4"])
      assert.strictEqual(text.headers["transfer-encoding"], undefined)
      assert.deepStrictEqual([text.headers["x-a"], text.headers["x-b"]], ["é%0D%0AX-B: 1", undefined])
      assert.strictEqual(text.headers.server, "kong/3.9.0")
      assert.match(text.headers["x-kong-response-latency"] as string, /^\d+$/)
      assert.match(text.headers["x-kong-request-id"] as string, /^[0-9a-f]{32}$/)
      assert.strictEqual(text.headers.via, undefined)
      const head = yield* Effect.promise(() => send(port, { path: "/text", method: "HEAD" }))
      assert.deepStrictEqual([head.status, head.body, head.headers["content-length"]], [200, "", "4"])
      const bytes = yield* get(port, "/bytes")
      assert.deepStrictEqual([bytes.status, bytes.body], [201, "\u0001\u0002"])
      const none = yield* get(port, "/none")
      assert.deepStrictEqual([none.status, none.body, none.headers["content-length"]], [204, "", undefined])
      assert.strictEqual((yield* get(port, "/mine")).headers.server, "mine")
      const error = yield* get(port, "/error")
      assert.deepStrictEqual(JSON.parse(error.body), {
        message: "Unauthorized",
        request_id: error.headers["x-kong-request-id"]
      })
      assert.deepStrictEqual([error.status, error.headers["www-authenticate"]], [401, "Key"])
      const plain = yield* get(port, "/error", { Accept: "text/plain" })
      assert.match(plain.body, /^Unauthorized\nrequest_id: /)
    })
  )

  it.live("§2 keeps the connection usable, whatever became of the body", () =>
    Effect.gen(function* () {
      const reads = plugin("reads", {
        access: async (request) => {
          const bytes = request.path === "/read" ? await request.body(10) : undefined
          return { status: 200, body: `${request.path} ${bytes?.length}` }
        }
      })
      const { port } = yield* startProxy(behind(1, [reads]))
      const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
      const bodies: Array<string> = []
      for (const [path, size] of [
        ["/read", 200_000],
        ["/left", 200_000],
        ["/read", 3],
        ["/read", 0]
      ] as const) {
        const body = "x".repeat(size)
        const headers = { "Transfer-Encoding": "chunked" }
        bodies.push((yield* Effect.promise(() => send(port, { path, method: "PUT", agent, headers }, body))).body)
      }
      agent.destroy()
      assert.deepStrictEqual(bodies, ["/read undefined", "/left undefined", "/read 3", "/read 0"])
    })
  )

  it.live("refuses a WebSocket, and its connection ends; an accepted one is shown to header filters", () =>
    Effect.gen(function* () {
      const upstream = yield* startRawUpstream((socket) =>
        socket.once("data", () =>
          socket.end("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello")
        )
      )
      const guard = plugin("guard", {
        access: async ({ path }) => (path === "/no" ? denial : undefined),
        headerFilter: ({ path }, response) => {
          if (path === "/broken") throw new Error("filter")
          response.setHeader("X-Filter", `${response.status}`)
        }
      })
      const { port } = yield* startProxy(behind(upstream.port, [guard]))
      const ask = (path: string) =>
        sendRaw(port, `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`)
      const refused = yield* ask("/no")
      assert.match(refused, /^HTTP\/1\.1 403 Forbidden\r\n/)
      assert.match(refused, /\r\nX-Filter: 403\r\n[\s\S]*\r\n\r\ndenied$/)
      assert.match(yield* ask("/yes"), /^HTTP\/1\.1 101 [\s\S]*\r\nX-Filter: 101\r\n[\s\S]*\r\n\r\nhello$/)
      assert.match(yield* ask("/broken"), /^HTTP\/1\.1 500 [\s\S]*An unexpected error occurred/)
    })
  )

  it.live("over HTTP/2: answers, refusals, changed headers and bodies", () =>
    Effect.gen(function* () {
      const { port: upstream } = yield* mirror()
      const guard = plugin("guard", {
        access: async (request) => {
          if (request.path === "/no") return denial
          const bytes = await request.body(100)
          request.setBody(Buffer.from(`<${Buffer.from(bytes ?? []).toString()}>`))
          request.setHeader("X-Host", request.header("host"))
          request.setHeader("Cookie", request.header("cookie"))
          return undefined
        }
      })
      const certificate = yield* leaf(yield* authority("CA"), { commonName: "localhost", dnsNames: ["localhost"] })
      const settings = { proxy_listen: [{ ...loopback, isTls: true, isHttp2: true }] }
      const { port } = yield* startProxy(behind(upstream, [guard]), { settings, certificate })
      const session = http2.connect(`https://127.0.0.1:${port}`, { rejectUnauthorized: false })
      yield* Effect.addFinalizer(() => Effect.sync(() => session.destroy()))
      const ask = (path: string, body: string) =>
        Effect.promise(
          () =>
            new Promise<{ status: unknown; body: string }>((resolve, reject) => {
              const stream = session.request({ ":path": path, ":method": "POST", cookie: ["a=1", "b=2"] })
              let [status, text]: [unknown, string] = [undefined, ""]
              stream.on("response", (headers) => {
                status = headers[":status"]
              })
              stream.on("data", (chunk) => {
                text += chunk
              })
              stream.on("error", reject)
              stream.on("close", () => resolve({ status, body: text }))
              stream.end(body)
            })
        )
      assert.deepStrictEqual(yield* ask("/no", "x"), { status: 403, body: "denied" })
      const { status, body } = yield* ask("/yes", "hello")
      const told = JSON.parse(body)
      assert.deepStrictEqual([status, told.body, told.headers.cookie], [200, "<hello>", "a=1; b=2"])
      assert.strictEqual(told.headers["x-host"], `127.0.0.1:${port}`)
    })
  )
})

describe("§1 what plugins change", () => {
  it.live("§1 headers, query, host and body reach the upstream; what the gateway manages stays", () =>
    Effect.gen(function* () {
      const { port: upstream } = yield* mirror()
      const changes = plugin("changes", {
        access: async (request) => {
          assert.strictEqual(request.header("x-twice"), "1, 2")
          assert.deepStrictEqual(request.headerValues("x-twice"), ["1", "2"])
          request.setHeader("X-Twice", "3")
          request.setHeader("X-Gone", undefined)
          request.setHeader("X-New", "Zoë 日\r\n")
          request.setHeader("Host", "other.test")
          request.setHeader("Via", "mine")
          request.setHeader("Content-Length", "1")
          request.setHeader("Transfer-Encoding", "chunked")
          assert.strictEqual(request.header("x-twice"), "3")
          assert.strictEqual(request.header("x-gone"), undefined)
          assert.deepStrictEqual(request.headers().get("host"), ["other.test"])
          request.setQuery("?c=3")
          const body = await request.body(100)
          request.setBody(Buffer.from(`${Buffer.from(body ?? [])}!!`))
          return undefined
        }
      })
      const { port } = yield* startProxy(behind(upstream, [changes]))
      const headers = { "X-Twice": ["1", "2"], "X-Gone": "1", Connection: "close, X-New", "X-Kept": "1" }
      const answer = yield* Effect.promise(() => send(port, { path: "/a?b=2", method: "POST", headers }, "body"))
      const told = JSON.parse(answer.body)
      assert.deepStrictEqual([told.url, told.body], ["/a?c=3", "body!!"])
      const { "x-twice": twice, "x-gone": gone, "x-kept": kept, host, via } = told.headers
      assert.deepStrictEqual([twice, gone, kept, host, via], ["3", undefined, "1", "other.test", "1.1 kong/3.9.0"])
      assert.strictEqual(Buffer.from(told.headers["x-new"], "latin1").toString(), "Zoë 日%0D%0A")
      assert.deepStrictEqual([told.headers["content-length"], told.headers["transfer-encoding"]], ["6", undefined])
    })
  )

  it.live("§2 the answer's head, the gateway's own failures included", () =>
    Effect.gen(function* () {
      const broken = yield* startRawUpstream((socket) => void socket.destroy())
      const { port: good } = yield* mirror()
      const filter = plugin("filter", {
        headerFilter: (_, response) => {
          response.setHeader("X-Seen", `${response.source} ${response.header("x-upstream")}`)
          response.setHeader("X-Upstream", undefined)
          response.setHeader("Content-Length", "1")
        }
      })
      const { port, serve } = yield* startProxy(behind(good, [filter]))
      const fine = yield* get(port)
      assert.deepStrictEqual([fine.headers["x-seen"], fine.headers["x-upstream"]], ["service 1", undefined])
      assert.isAbove(fine.body.length, 1)
      serve(behind(broken.port, [filter]))
      const bad = yield* get(port)
      assert.deepStrictEqual([bad.status, bad.headers["x-seen"]], [502, "error undefined"])
    })
  )
})

describe("bodies that plugins read", () => {
  const reading = (maxBytes: number, then: (request: PluginRequest, body: Uint8Array | undefined) => void = () => {}) =>
    plugin("reads", {
      access: async (request) => {
        then(request, await request.body(maxBytes))
        return undefined
      }
    })

  it.live.each([
    ["known", {}],
    ["in chunks", { "Transfer-Encoding": "chunked" }]
  ] as const)("go upstream whole, whether they were too large or not: length %s", ([, headers]) =>
    Effect.gen(function* () {
      const { port: upstream } = yield* mirror()
      const read: Array<number | undefined> = []
      const { port } = yield* startProxy(behind(upstream, [reading(1000, (_, body) => read.push(body?.length))]))
      for (const size of [0, 1, 1000, 1001, 300_000]) {
        const body = "y".repeat(size)
        const answer = yield* Effect.promise(() => send(port, { method: "POST", headers }, body))
        assert.strictEqual(JSON.parse(answer.body).body.length, size)
      }
      assert.deepStrictEqual(read, [0, 1, 1000, undefined, undefined])
    })
  )

  it.live("are read on by a plugin that takes more, and found as they were by the next", () =>
    Effect.gen(function* () {
      const { port: upstream } = yield* mirror()
      const read: Array<number | undefined> = []
      const greedy = plugin("greedy", {
        access: async (request) => {
          const both = [request.body(10), request.body(100_000)]
          for (const body of await Promise.all(both)) read.push(body?.length)
          read.push((await request.body(10))?.length)
          return undefined
        }
      })
      const { port } = yield* startProxy(behind(upstream, [greedy]))
      const headers = { "Transfer-Encoding": "chunked" }
      const answer = yield* Effect.promise(() => send(port, { method: "POST", headers }, "z".repeat(50_000)))
      assert.strictEqual(JSON.parse(answer.body).body.length, 50_000)
      assert.deepStrictEqual(read, [undefined, 50_000, undefined])
    })
  )

  it.live("§4 are sent again from the beginning, as the plugin left them", () =>
    Effect.gen(function* () {
      let tries = 0
      const flaky = yield* startUpstream((request, response) => {
        const chunks: Array<Buffer> = []
        request.on("data", (chunk) => chunks.push(chunk))
        request.on("end", () => {
          tries++
          if (tries === 1) request.socket.destroy()
          else response.end(Buffer.concat(chunks))
        })
      })
      const replace = plugin("replace", {
        access: async (request) => {
          const body = await request.body(100)
          if (request.path === "/replaced") request.setBody(Buffer.from(`${Buffer.from(body ?? [])} and more`))
          return undefined
        }
      })
      const { port } = yield* startProxy(behind(flaky.port, [replace]))
      const put = (path: string) => Effect.promise(() => send(port, { path, method: "PUT" }, "first"))
      assert.strictEqual((yield* put("/replaced")).body, "first and more")
      tries = 0
      assert.strictEqual((yield* put("/kept")).body, "first")
    })
  )

  it.live("wait with the client while the plugin thinks, and lose nothing by it", () =>
    Effect.gen(function* () {
      const { port: upstream } = yield* mirror()
      const thinks = plugin("thinks", {
        access: async (request) => {
          await request.body(1000)
          await new Promise((resolve) => setTimeout(resolve, 50))
          return undefined
        }
      })
      const careless = plugin("careless", { access: (request) => void request.body(1000) }, 1)
      const { port, serve } = yield* startProxy(behind(upstream, [thinks]))
      const headers = { "Transfer-Encoding": "chunked" }
      const sent = () => Effect.promise(() => send(port, { method: "POST", headers }, "w".repeat(300_000)))
      assert.strictEqual(JSON.parse((yield* sent()).body).body.length, 300_000)
      serve(behind(upstream, [careless]))
      assert.strictEqual(JSON.parse((yield* sent()).body).body.length, 300_000)
      // A body that comes once the request is on its way.
      const late = () =>
        new Promise<string>((resolve, reject) => {
          const request = http.request({ port, host: "127.0.0.1", method: "POST", headers })
          request.on("response", (answer) => void readAll(answer).then(({ body }) => resolve(body), reject))
          request.on("error", reject)
          request.flushHeaders()
          setTimeout(() => request.write("a".repeat(2000)), 50)
          setTimeout(() => request.end("b".repeat(2000)), 100)
        })
      assert.strictEqual(JSON.parse(yield* Effect.promise(late)).body.length, 4000)
    })
  )

  it.live("are told to be too large as soon as they are, and unread where the client says how large", () =>
    Effect.gen(function* () {
      const small = plugin("small", {
        access: async (request) => ((await request.body(10)) === undefined ? { status: 413, body: "" } : undefined)
      })
      const { port } = yield* startProxy(behind(1, [small]))
      const ask = (head: string) =>
        Effect.promise(
          () =>
            new Promise<string>((resolve, reject) => {
              const socket = net.connect(port, "127.0.0.1")
              socket.once("data", (bytes) => {
                resolve(bytes.toString())
                socket.destroy()
              })
              socket.on("error", reject)
              socket.write(`POST / HTTP/1.1\r\nHost: a\r\n${head}`)
            })
        )
      // Neither of these bodies ever ends.
      assert.match(yield* ask("Transfer-Encoding: chunked\r\n\r\n14\r\n01234567890123456789\r\n"), /^HTTP\/1\.1 413 /)
      assert.match(yield* ask("Expect: 100-continue\r\nContent-Length: 11\r\n\r\n"), /^HTTP\/1\.1 413 /)
    })
  )

  it.live("end for the plugin when the client leaves, as none", () =>
    Effect.gen(function* () {
      const { port: upstream, seen } = yield* mirror()
      const asked = signal()
      const told = signal<Uint8Array | undefined>()
      const reads = plugin("reads", {
        access: async (request) => {
          const bytes = request.body(100)
          asked.tell()
          told.tell(await bytes)
          assert.isUndefined(await request.body(100))
          return undefined
        }
      })
      const { port } = yield* startProxy(behind(upstream, [reads]))
      const socket = net.connect(port, "127.0.0.1")
      socket.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab")
      yield* Effect.promise(() => asked.done)
      socket.destroy()
      assert.isUndefined(yield* Effect.promise(() => told.done))
      assert.deepStrictEqual(seen, [])
    })
  )

  it.live("leave the connection usable when nobody serves the route", () =>
    Effect.gen(function* () {
      const config = behind(1, [reading(10)], { services: [], routes: [{ id: id(2), paths: ["/"] }] })
      const { port } = yield* startProxy(config)
      const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
      const headers = { "Transfer-Encoding": "chunked" }
      for (let left = 3; left > 0; left--) {
        const ask = () => send(port, { method: "POST", agent, headers }, "v".repeat(200_000))
        assert.strictEqual((yield* Effect.promise(ask)).status, 503)
      }
      agent.destroy()
    })
  )

  it.live("are asked for once from a client that waits to be told", () =>
    Effect.gen(function* () {
      const { port: upstream } = yield* mirror()
      const { port } = yield* startProxy(behind(upstream, [reading(100)]))
      let continued = 0
      const answer = yield* Effect.promise(
        () =>
          new Promise<string>((resolve, reject) => {
            const request = http.request({
              port,
              host: "127.0.0.1",
              method: "POST",
              headers: { Expect: "100-continue" }
            })
            request.on("information", () => continued++)
            request.on("continue", () => request.end("waited"))
            request.on("response", (response) => {
              response.setEncoding("utf8")
              let text = ""
              response.on("data", (chunk) => {
                text += chunk
              })
              response.on("end", () => resolve(text))
            })
            request.on("error", reject)
          })
      )
      assert.strictEqual(JSON.parse(answer).body, "waited")
      assert.strictEqual(continued, 1)
    })
  )

  it.live("§3 of clients that stop sending are answered 408, and nothing goes upstream", () =>
    Effect.gen(function* () {
      const { port: upstream, seen } = yield* mirror()
      const settings = { client_body_timeout: 0.2 }
      const { port } = yield* startProxy(behind(upstream, [reading(100)]), { settings })
      const told = yield* sendRaw(port, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab")
      assert.match(told, /^HTTP\/1\.1 408 /)
      assert.deepStrictEqual(seen, [])
    })
  )
})

describe("a request fails closed", () => {
  const failures: ReadonlyArray<readonly [string, () => unknown]> = [
    [
      "throws",
      () => {
        throw new Error("secret of the plugin")
      }
    ],
    [
      "rejects",
      async () => {
        throw new Error("secret of the plugin")
      }
    ],
    ["answers what is no answer", () => true],
    ["answers null", () => null],
    ["answers with an informational status", () => ({ status: 101, body: "" })],
    ["answers without a body", () => ({ status: 401 })],
    ["answers with a header that is none", () => ({ status: 401, headers: ["a b", "c"], body: "" })],
    ["resolves with what is no answer", async () => 7]
  ]

  it.live.each(failures)("when access %s: 500, told once, and no upstream hears of it", ([, access]) =>
    Effect.gen(function* () {
      const { port: upstream, seen } = yield* mirror()
      const logs = recordedLogs()
      const sources: Array<string> = []
      const observers = [({ source, status }: ObservedRequest) => void sources.push(`${status} ${source}`)]
      const bad = plugin("bad", {
        access: access as never,
        log: () => {
          throw new Error("again")
        }
      })
      const after = plugin("after", { headerFilter: (_, response) => response.setHeader("X-After", "1") }, 1)
      const { port } = yield* startProxy(behind(upstream, [bad, after]), { observers }).pipe(Effect.provide(logs.layer))
      const { status, body, headers } = yield* get(port, "/", { Accept: "application/json" })
      assert.deepStrictEqual([status, JSON.parse(body).message], [500, "An unexpected error occurred"])
      assert.strictEqual(headers["x-after"], "1")
      yield* until(() => sources.length === 1)
      assert.deepStrictEqual([seen, sources], [[], ["500 error"]])
      assert.strictEqual(logs.of("a request failed on a defect").length, 1)
    })
  )

  it.live("when a header filter throws: 500 in place of what it did not let go, told once", () =>
    Effect.gen(function* () {
      const { port: upstream } = yield* mirror()
      const logs = recordedLogs()
      const bad = plugin("bad", {
        access: ({ path }) => (path === "/own" ? { status: 200, body: "own" } : undefined),
        headerFilter: (_, response) => response.setHeader("no name", "1")
      })
      const sources: Array<string> = []
      const observers = [({ source }: ObservedRequest) => void sources.push(source)]
      const { port } = yield* startProxy(behind(upstream, [bad]), { observers }).pipe(Effect.provide(logs.layer))
      for (const path of ["/own", "/theirs"]) {
        const { status, body } = yield* get(port, path)
        assert.strictEqual(status, 500)
        assert.match(body, /^An unexpected error occurred/)
      }
      yield* until(() => sources.length === 2)
      assert.deepStrictEqual(sources, ["error", "error"])
      assert.strictEqual(logs.of("a request failed on a defect").length, 2)
    })
  )

  it.live("when the client leaves while a plugin thinks: nothing goes upstream, and the log phase hears of it", () =>
    Effect.gen(function* () {
      const { port: upstream, seen } = yield* mirror()
      const asked = signal()
      const decided = signal<undefined>()
      const outcomes: Array<number> = []
      const slow = plugin("slow", {
        access: () => {
          asked.tell()
          return decided.done
        },
        log: (_, { status }) => void outcomes.push(status)
      })
      const { port } = yield* startProxy(behind(upstream, [slow]))
      const socket = net.connect(port, "127.0.0.1")
      socket.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
      yield* Effect.promise(() => asked.done)
      socket.destroy()
      yield* until(() => outcomes.length === 1)
      decided.tell(undefined)
      yield* Effect.promise(() => new Promise((resolve) => setTimeout(resolve, 50)))
      assert.deepStrictEqual([outcomes, seen], [[499], []])
    })
  )

  it("when a handler can't be made: the configuration is refused, every fault told", () => {
    const cannot = {
      ...plugin("cannot", {}),
      handler: () => {
        throw new Error("no such file")
      }
    }
    assert.throws(() => behind(1, [cannot]), /plugins\[0\]: plugin 'cannot' \(.*\) can't be made: no such file/)
  })

  it("when a plugin is none of the node's: the configuration is refused", () => {
    assert.throws(() => configOf({ plugins: [{ id: id(1), name: "key-auth" }] }, new Map()), /not enabled/)
  })
})
