/** A node in front of real clients and upstreams: reference `proxy-behaviour.md` §1, §3.1, §4, §10. */
import { once } from "node:events"
import { mkdir, writeFile } from "node:fs/promises"
import http from "node:http"
import https from "node:https"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { WebSocket, WebSocketServer } from "ws"
import { type Cluster, eventually, freePort, makeCluster, readiness, start } from "../support/processes.ts"

interface Seen {
  readonly status: number
  readonly headers: http.IncomingHttpHeaders
  readonly text: string
  readonly subject: string | undefined
}

const send = (url: string, options: https.RequestOptions = {}, body?: string): Promise<Seen> =>
  new Promise((resolve, reject) => {
    const make = url.startsWith("https") ? https.request : http.request
    const request = make(url, { agent: false, rejectUnauthorized: false, ...options }, (answer) => {
      const socket = answer.socket as Partial<import("node:tls").TLSSocket>
      const subject = socket.getPeerX509Certificate?.()?.subject
      let text = ""
      answer.on("data", (chunk) => {
        text += chunk
      })
      answer.on("error", reject)
      answer.on("end", () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text, subject }))
    })
    request.on("error", reject)
    request.end(body)
  })

/** Echoes bodies under its name, and tells whom it thinks it is talking to. */
const startUpstream = async (name: string) => {
  const server = http.createServer((request, response) => {
    response.setHeader("X-Upstream", name)
    response.setHeader("X-Seen-Client", String(request.headers["x-real-ip"]))
    response.setHeader("X-Seen-For", String(request.headers["x-forwarded-for"]))
    response.setHeader("X-Seen-Proto", String(request.headers["x-forwarded-proto"]))
    request.pipe(response)
  })
  const sockets = new WebSocketServer({ server })
  sockets.on("connection", (socket) => socket.on("message", (data) => socket.send(`${name} ${data}`)))
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  const close = () => {
    for (const client of sockets.clients) client.terminate()
    server.closeAllConnections()
    server.close()
  }
  return { port: (server.address() as AddressInfo).port, close }
}

describe("a node as clients and upstreams see it (proxy-behaviour.md)", () => {
  let cluster: Cluster
  let upstreams: ReadonlyArray<Awaited<ReturnType<typeof startUpstream>>>
  let plain: string
  let secure: string
  beforeAll(async () => {
    cluster = await makeCluster()
    upstreams = [await startUpstream("one"), await startUpstream("two")]
    const node = await cluster.makeNode("node")
    const [port, tlsPort] = [await freePort(), await freePort()]
    plain = `http://127.0.0.1:${port}`
    secure = `https://127.0.0.1:${tlsPort}`
    await mkdir(node.prefix, { recursive: true })
    const template = join(cluster.folder, "error.html")
    await writeFile(template, "<h1>Sorry: %s</h1><code>%s</code>")
    const document = {
      _format_version: "3.0",
      upstreams: [{ name: "pool", targets: upstreams.map((upstream) => ({ target: `127.0.0.1:${upstream.port}` })) }],
      services: [{ name: "s", host: "pool", routes: [{ name: "r", paths: ["/app"] }] }]
    }
    node.start({
      KONG_CLUSTER_CONTROL_PLANE: "",
      KONG_PROXY_LISTEN: `127.0.0.1:${port}, 127.0.0.1:${tlsPort} http2 ssl`,
      KONG_DECLARATIVE_CONFIG_STRING: JSON.stringify(document),
      KONG_ERROR_TEMPLATE_HTML: template,
      KONG_TRUSTED_IPS: "127.0.0.0/8,10.0.0.0/8",
      KONG_REAL_IP_HEADER: "X-Forwarded-For",
      KONG_REAL_IP_RECURSIVE: "on"
    })
    await eventually("the node is ready", 15_000, readiness(node), ({ status }) => status === 200)
  })
  afterAll(async () => {
    for (const upstream of upstreams) upstream.close()
    await cluster.close()
  })

  it("§10 serves HTTPS with a certificate of its own making", async () => {
    const answer = await send(`${secure}/app`, { method: "POST" }, "over TLS")
    assert.strictEqual(answer.status, 200)
    assert.strictEqual(answer.text, "over TLS")
    assert.strictEqual(answer.headers["x-seen-proto"], "https")
    assert.strictEqual(answer.subject, "CN=localhost")
  })

  it("§10 carries WebSockets, with TLS and without", async () => {
    for (const base of [plain, secure]) {
      const socket = new WebSocket(`${base.replace(/^http/, "ws")}/app`, { rejectUnauthorized: false })
      await once(socket, "open")
      const echoed = once(socket, "message")
      socket.send("hello")
      assert.match(String((await echoed)[0]), /^(one|two) hello$/)
      const closed = once(socket, "close")
      socket.close(1000)
      assert.strictEqual((await closed)[0], 1000)
    }
  })

  it("§3.1 says no in the operator's own words", async () => {
    const answer = await send(`${plain}/elsewhere`, { headers: { Accept: "text/html" } })
    const id = answer.headers["x-kong-request-id"]
    assert.strictEqual(answer.status, 404)
    assert.strictEqual(answer.text, `<h1>Sorry: no Route matched with those values</h1><code>${id}</code>`)
  })

  it("§1 believes trusted proxies about the client", async () => {
    const answer = await send(`${plain}/app`, { headers: { "X-Forwarded-For": "6.6.6.6, 203.0.113.9, 10.1.1.1" } })
    assert.strictEqual(answer.headers["x-seen-client"], "203.0.113.9")
    assert.strictEqual(answer.headers["x-seen-for"], "6.6.6.6, 203.0.113.9, 10.1.1.1, 127.0.0.1")
  })

  it("§4 loses no request when an upstream dies, whatever the method", async () => {
    for (const name of ["one", "two"]) {
      await eventually(
        `${name} has been asked`,
        5_000,
        () => send(`${plain}/app`),
        ({ headers }) => headers["x-upstream"] === name
      )
    }
    upstreams[0]?.close()
    for (let round = 0; round < 20; round++) {
      // A POST on a connection that is just dying can't be saved: it may have been read. PUTs find such connections first.
      const method = round < 4 ? "PUT" : "POST"
      const answer = await send(`${plain}/app`, { method }, `body ${round}`)
      assert.strictEqual(answer.status, 200)
      assert.strictEqual(answer.text, `body ${round}`)
      assert.strictEqual(answer.headers["x-upstream"], "two")
    }
  })

  it("§3.1 does not start with what it can't read, and says all of it", async () => {
    const node = start([], {
      KONG_PREFIX: join(cluster.folder, "wrong"),
      KONG_STATUS_LISTEN: `127.0.0.1:${await freePort()}`,
      KONG_PROXY_LISTEN: `127.0.0.1:${await freePort()}`,
      KONG_ERROR_TEMPLATE_JSON: "/nowhere/error.json",
      KONG_CLIENT_SSL: "on",
      KONG_CLIENT_SSL_CERT: "/nowhere/client.crt",
      KONG_CLIENT_SSL_CERT_KEY: "/nowhere/client.key"
    })
    assert.strictEqual((await node.exit).code, 2)
    for (const name of ["error_template_json", "client_ssl_cert", "client_ssl_cert_key"]) {
      assert.include(node.log(), `${name}: expected`)
    }
  })
})
