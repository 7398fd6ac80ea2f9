/** The control plane towards data planes, over real TLS: reference `hybrid-protocol-v1.md` §1, §2, §8, §11. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Queue, type Scope } from "effect"
import { hashTable } from "../../src/model/ConfigHash.ts"
import { decodeTable } from "../../src/model/ConfigTable.ts"
import type { Row } from "../../src/model/Entity.ts"
import type { AdminListener, ClusterListener } from "../../src/services/control/Listeners.ts"
import type { CertificatePair } from "../../src/services/ServerCertificate.ts"
import { clusterCertificate } from "../support/certificates.ts"
import { adminPort, call, clusterPort, type Given, memoryControlPlane } from "../support/controlPlane.ts"
import { defaultNodeId, dial, join, next } from "../support/outletClient.ts"
import { testCatalogue } from "../support/plugins.ts"

type Listeners = AdminListener | ClusterListener

const withControlPlane = <A, E>(
  test: (pair: CertificatePair, port: number) => Effect.Effect<A, E, Listeners | Scope.Scope>,
  given?: Given
) =>
  Effect.gen(function* () {
    const pair = yield* clusterCertificate
    return yield* Effect.flatMap(clusterPort, (port) => test(pair, port)).pipe(
      Effect.scoped,
      Effect.provide(memoryControlPlane(pair, given))
    )
  }).pipe(Effect.timeout("20 seconds"))

const sections = (message: Row): Row => message.config_table as Row
const names = (message: Row, section: string): ReadonlyArray<unknown> =>
  ((sections(message)[section] ?? []) as ReadonlyArray<Row>).map(({ name }) => name)

const hashOf = (message: Row): string => String(message.config_hash)

/** Asks the admin API until it says so: what a ping changes is seen a moment later. */
const eventually = <E, R>(ask: Effect.Effect<boolean, E, R>): Effect.Effect<void, E, R> =>
  Effect.flatMap(ask, (isSo) => (isSo ? Effect.void : Effect.andThen(Effect.sleep("5 millis"), eventually(ask))))

describe("who may connect (§1.2, §1.3)", () => {
  it.live("nobody without a certificate", () =>
    withControlPlane((trusted, port) =>
      Effect.gen(function* () {
        const { heard } = yield* dial({ port, trusted })
        const event = yield* Queue.take(heard)
        assert.strictEqual(event._tag, "Ended")
        assert.notInclude(event._tag === "Ended" ? event.reason : "", "HTTP")
      })
    )
  )

  it.live("nobody with another certificate of the same name", () =>
    withControlPlane((trusted, port) =>
      Effect.gen(function* () {
        const presented = yield* clusterCertificate
        const { heard } = yield* dial({ port, trusted, presented })
        const event = yield* Queue.take(heard)
        assert.strictEqual(event._tag, "Ended")
        assert.notInclude(event._tag === "Ended" ? event.reason : "", "HTTP")
      })
    )
  )

  for (const [query, path, expected] of [
    ["node_hostname=x&node_version=3.9.0", "/v1/outlet", "HTTP 400"],
    [`node_id=${defaultNodeId}&node_hostname=x`, "/v1/outlet", "HTTP 400"],
    [`node_id=${defaultNodeId}&node_version=3.9.0`, "/v2/outlet", "HTTP 404"]
  ] as const) {
    it.live(`${path}?${query} gets ${expected}`, () =>
      withControlPlane((pair, port) =>
        Effect.gen(function* () {
          const { heard } = yield* dial({ port, trusted: pair, presented: pair, query, path })
          assert.deepStrictEqual(yield* Queue.take(heard), { _tag: "Ended", reason: expected })
        })
      )
    )
  }
})

describe("a session (§8)", () => {
  it.live("starts with the whole configuration, under the hash of its table", () =>
    withControlPlane((pair, port) =>
      Effect.gen(function* () {
        yield* call("POST", "/services", { name: "shown", host: "example.com" })
        const hidden = yield* call("POST", "/services", { name: "hidden", host: "example.com", enabled: false })
        yield* call("POST", "/services/shown/routes", { name: "r1", paths: ["/a"] })
        yield* call("POST", "/services/hidden/routes", { name: "r2", paths: ["/b"] })
        const { heard } = yield* join({ port, trusted: pair, presented: pair })
        const { message } = yield* next(heard, "Configured")
        const table = sections(message)
        assert.strictEqual(hidden.status, 201)
        assert.strictEqual(message.type, "reconfigure")
        assert.deepStrictEqual(message.hashes, hashTable(table) as unknown)
        assert.strictEqual(message.config_hash, hashTable(table).config)
        assert.strictEqual(table._format_version, "3.0")
        assert.strictEqual(table._transform, false)
        assert.deepStrictEqual(names(message, "services"), ["shown"])
        assert.deepStrictEqual(names(message, "routes"), ["r1"])
        assert.deepStrictEqual(names(message, "workspaces"), ["default"])
        assert.strictEqual((table.parameters as ReadonlyArray<Row>)[0]?.key, "cluster_id")
        const [service] = table.services as ReadonlyArray<Row>
        const [route] = table.routes as ReadonlyArray<Row>
        assert.strictEqual(route?.service, service?.id, "references are bare ids")
        assert.strictEqual(service?.path, null, "unset fields stay null")
        assert.strictEqual(decodeTable(table, testCatalogue)._tag, "Right", "our own data plane takes it")
      })
    )
  )

  it.live("answers a ping with an empty pong, and shows the node", () =>
    withControlPlane((pair, port) =>
      Effect.gen(function* () {
        const { socket, heard } = yield* join({ port, trusted: pair, presented: pair })
        const { message } = yield* next(heard, "Configured")
        socket.ping("0".repeat(32))
        assert.strictEqual((yield* next(heard, "Pong")).length, 0)
        const shown = yield* call("GET", `/clustering/data-planes/${defaultNodeId}`)
        assert.strictEqual(shown.body.hostname, "dp-1")
        assert.strictEqual(shown.body.ip, "127.0.0.1")
        assert.strictEqual(shown.body.sync_status, "normal")
        assert.deepStrictEqual(shown.body.labels, { region: "eu" } as unknown)
        assert.strictEqual(shown.body.connected, true)
        assert.strictEqual(shown.body.configuration_state, "applying")
        assert.strictEqual(shown.body.expected_config_hash, hashOf(message))
        socket.ping(hashOf(message))
        yield* next(heard, "Pong")
        yield* eventually(
          Effect.map(call("GET", "/clustering/data-planes"), ({ body }) => {
            const [node] = body.data as ReadonlyArray<Row>
            return node?.config_hash === hashOf(message) && node.configuration_state === "in_sync"
          })
        )
        const status = yield* call("GET", "/status")
        assert.deepStrictEqual(status.body, {
          database: { reachable: true },
          configuration_hash: hashOf(message),
          data_planes: { connected: 1 }
        } as Row)
        socket.close()
        yield* next(heard, "Ended")
        yield* eventually(
          Effect.map(
            call("GET", `/clustering/data-planes/${defaultNodeId}`),
            ({ body }) => body.connected === false && body.connected_since === null
          )
        )
      })
    )
  )

  it.live("is in the deprecated status too, which says so (§11)", () =>
    withControlPlane((pair, port) =>
      Effect.gen(function* () {
        const { socket, heard } = yield* join({ port, trusted: pair, presented: pair })
        const { message } = yield* next(heard, "Configured")
        socket.ping(hashOf(message))
        yield* next(heard, "Pong")
        const { body } = yield* call("GET", "/clustering/status")
        const node = body[defaultNodeId] as Row
        assert.deepStrictEqual(Object.keys(node), ["config_hash", "hostname", "ip", "last_seen"])
        assert.deepInclude(node, { config_hash: hashOf(message), hostname: "dp-1", ip: "127.0.0.1" })
        const admin = yield* adminPort
        const { headers } = yield* Effect.promise(() => fetch(`http://127.0.0.1:${admin}/clustering/status`))
        assert.strictEqual(headers.get("deprecation"), "true")
      })
    )
  )

  it.live("notes what the node refused, and stays", () =>
    withControlPlane((pair, port) =>
      Effect.gen(function* () {
        const { socket, heard } = yield* join({ port, trusted: pair, presented: pair })
        const { message } = yield* next(heard, "Configured")
        const error = { name: "configuration reload failed", message: "map full", config_hash: hashOf(message) }
        socket.send(Buffer.from(JSON.stringify({ type: "error", error })))
        socket.ping("0".repeat(32))
        yield* next(heard, "Pong")
        const { body } = yield* call("GET", `/clustering/data-planes/${defaultNodeId}`)
        assert.strictEqual((body.last_error as Row).message, "map full")
        assert.strictEqual(body.configuration_state, "refused_by_node")
      })
    )
  )

  for (const [name, frame] of [
    ["no basic_info", '{"type":"hello"}'],
    ["no JSON", "{"],
    ["no plugins", '{"type":"basic_info"}']
  ] as const) {
    it.live(`ends when the first frame is ${name}`, () =>
      withControlPlane((pair, port) =>
        Effect.gen(function* () {
          const { socket, heard } = yield* dial({ port, trusted: pair, presented: pair })
          yield* next(heard, "Opened")
          socket.send(Buffer.from(frame))
          assert.strictEqual((yield* next(heard, "Ended")).reason, "1002")
        })
      )
    )
  }

  it.live("ends on a ping that carries no hash", () =>
    withControlPlane((pair, port) =>
      Effect.gen(function* () {
        const { socket, heard } = yield* join({ port, trusted: pair, presented: pair })
        yield* next(heard, "Configured")
        socket.ping("short")
        assert.strictEqual((yield* next(heard, "Ended")).reason, "1002")
      })
    )
  )

  it.live("ends for a newer node, and says so in the fleet (§9.1)", () =>
    withControlPlane((pair, port) =>
      Effect.gen(function* () {
        const query = `node_id=${defaultNodeId}&node_hostname=x&node_version=3.10.0`
        const { heard } = yield* join({ port, trusted: pair, presented: pair, query })
        yield* next(heard, "Ended")
        const { body } = yield* call("GET", `/clustering/data-planes/${defaultNodeId}`)
        assert.strictEqual(body.sync_status, "kong_version_incompatible")
        assert.strictEqual(body.connected, false)
      })
    )
  )
})

describe("changes (§8.7)", () => {
  it.live("go out at once, and a burst is collapsed to its newest", () =>
    withControlPlane(
      (pair, port) =>
        Effect.gen(function* () {
          const { heard } = yield* join({ port, trusted: pair, presented: pair })
          yield* next(heard, "Configured")
          const writes = 50
          for (let i = 1; i <= writes; i++) yield* call("PUT", "/services/burst", { host: `h${i}.example.com` })
          const pushed: Array<unknown> = []
          while (pushed.at(-1) !== `h${writes}.example.com`) {
            const { message } = yield* next(heard, "Configured")
            pushed.push((sections(message).services as ReadonlyArray<Row>)[0]?.host)
          }
          assert.strictEqual(pushed[0], "h1.example.com", "the first change waits for nobody")
          assert.isBelow(pushed.length, writes / 2)
        }),
      { db_update_frequency: "0.5" }
    )
  )

  it.live("reach every node", () =>
    withControlPlane((pair, port) =>
      Effect.gen(function* () {
        const ids = ["1", "2", "3"].map((digit) => defaultNodeId.replace(/.$/, digit))
        const nodes = yield* Effect.forEach(ids, (id) =>
          join({ port, trusted: pair, presented: pair, query: `node_id=${id}&node_version=3.9.0` })
        )
        for (const { heard } of nodes) yield* next(heard, "Configured")
        yield* call("POST", "/consumers", { username: "bob" })
        const hashes = yield* Effect.forEach(nodes, ({ heard }) =>
          Effect.map(next(heard, "Configured"), ({ message }) => hashOf(message))
        )
        assert.strictEqual(new Set(hashes).size, 1)
      })
    )
  )

  it.live("that change nothing for a data plane are not sent", () =>
    withControlPlane((pair, port) =>
      Effect.gen(function* () {
        const { heard } = yield* join({ port, trusted: pair, presented: pair })
        yield* next(heard, "Configured")
        yield* call("POST", "/services", { name: "off", host: "example.com", enabled: false })
        yield* Effect.sleep("150 millis")
        yield* call("POST", "/services", { name: "on", host: "example.com" })
        const { message } = yield* next(heard, "Configured")
        assert.deepStrictEqual(names(message, "services"), ["on"])
      })
    )
  )
})
