/**
 * A cluster whose members an authority vouches for, as its operators meet it: reference `hybrid-protocol-v1.md` §1.2,
 * §1.3; and a node that starts from Konnect's settings, §13.
 */
import { existsSync } from "node:fs"
import { join } from "node:path"
import { Effect } from "effect"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { konnectEnvironment } from "../support/konnect.ts"
import { authority, leaf } from "../support/pki.ts"
import {
  adminReady,
  ask,
  type Cluster,
  type Environment,
  eventually,
  makeCluster,
  publish,
  type Running
} from "../support/processes.ts"

interface ControlPlaneStatus {
  readonly control_plane: { readonly state: string; readonly attempts?: number; readonly reason?: string }
}

const controlPlaneOf = async (node: { readonly status: string }) =>
  ((await ask(`${node.status}/status`)).json() as ControlPlaneStatus).control_plane

describe("a cluster with an authority of its own (hybrid-protocol-v1.md §1.2, §1.3)", () => {
  let cluster: Cluster
  let controlPlane: Running
  let node: Awaited<ReturnType<Cluster["makeNode"]>>
  let right: Environment
  let wrong: Environment

  const makeEnvironments = Effect.gen(function* () {
    const root = yield* authority("cluster root")
    const own = yield* leaf(root, { commonName: "cp.example.com", dnsNames: ["cp.example.com"] })
    const common = { KONG_CLUSTER_MTLS: "pki_check_cn", KONG_CLUSTER_CA_CERT: root.cert }
    const member = Effect.fnUntraced(function* (commonName: string) {
      const { cert, key } = yield* leaf(root, { commonName })
      return {
        ...common,
        KONG_CLUSTER_SERVER_NAME: "cp.example.com",
        KONG_CLUSTER_CERT: cert,
        KONG_CLUSTER_CERT_KEY: key
      }
    })
    return {
      cp: {
        ...common,
        KONG_CLUSTER_CERT: own.cert,
        KONG_CLUSTER_CERT_KEY: own.key,
        KONG_CLUSTER_ALLOWED_COMMON_NAMES: "dp-1.example.com"
      },
      right: yield* member("dp-1.example.com"),
      wrong: yield* member("dp-2.example.com")
    }
  })

  beforeAll(async () => {
    const made = await Effect.runPromise(makeEnvironments)
    right = made.right
    wrong = made.wrong
    cluster = await makeCluster()
    controlPlane = cluster.controlPlane(made.cp)
    await adminReady(cluster)
    node = await cluster.makeNode("one")
  })
  afterAll(() => cluster.close())

  const serves = () =>
    eventually(
      "/echo is served",
      20_000,
      () => ask(`${node.proxy}/echo`),
      ({ status }) => status === 200
    )

  it("lets a listed node join, and serves", async () => {
    const running = node.start(right)
    await publish(cluster, "echo", "/echo", await cluster.upstream("up"))
    await serves()
    assert.strictEqual((await controlPlaneOf(node)).state, "connected")
    await eventually(
      "the configuration is cached",
      10_000,
      async () => existsSync(node.cache),
      (isThere) => isThere
    )
    await running.kill("SIGTERM")
  })

  it("refuses another name with the reason in the log; the node serves its cache and tries again", async () => {
    const running = node.start(wrong)
    await serves()
    await eventually(
      "the node tries again",
      30_000,
      () => controlPlaneOf(node),
      ({ state, attempts = 0 }) => state === "disconnected" && attempts >= 2
    )
    assert.match((await controlPlaneOf(node)).reason ?? "", /broke off without an answer/)
    assert.include(controlPlane.log(), "the common name dp-2.example.com is not in cluster_allowed_common_names")
    assert.strictEqual(controlPlane.log().split("dp-2.example.com is not in").length, 2, "told once, then counted")
    await serves()
    await running.kill("SIGTERM")
  })

  it("says so when somebody speaks plain HTTP to it", async () => {
    await ask(`http://127.0.0.1:${cluster.clusterPort}/v1/outlet`).then(
      () => assert.fail("expected no answer"),
      () => undefined
    )
    await eventually(
      "the refusal is logged",
      5_000,
      async () => controlPlane.log(),
      (log) => log.includes("plain HTTP on the TLS port")
    )
  })
})

describe("the environment that Konnect hands out (hybrid-protocol-v1.md §13)", () => {
  it("starts a node unchanged, which serves what it has and tries to connect", async () => {
    const cluster = await makeCluster()
    try {
      const { cert, key } = await Effect.runPromise(
        Effect.flatMap(authority("konnect"), (root) => leaf(root, { commonName: "konnect-dp" }))
      )
      const node = await cluster.makeNode("one")
      const port = await cluster.upstream("up")
      const running = node.start({
        ...konnectEnvironment({ cert, key }),
        KONG_DECLARATIVE_CONFIG_STRING: JSON.stringify({
          _format_version: "3.0",
          services: [{ name: "s", host: "127.0.0.1", port, routes: [{ name: "r", paths: ["/own"] }] }]
        })
      })
      await eventually(
        "the declarative file is served",
        20_000,
        () => ask(`${node.proxy}/own`),
        ({ status }) => status === 200
      )
      await eventually(
        "the node tries again",
        30_000,
        () => controlPlaneOf(node),
        ({ state, attempts = 0 }) => state === "disconnected" && attempts >= 2
      )
      assert.strictEqual(running.log().split("setting not served").length, 2, "one notice")
      assert.notInclude(running.log(), "PRIVATE KEY")
      await running.kill("SIGTERM")
      assert.deepStrictEqual(await running.exit, { code: 0, signal: null })
    } finally {
      await cluster.close()
    }
  })

  it("names every fault of it at once, with code 2 and no stack trace", async () => {
    const cluster = await makeCluster()
    try {
      const node = await cluster.makeNode("one")
      const running = node.start({
        ...konnectEnvironment({ cert: "/no/such.crt", key: "/no/such.key" }),
        KONG_CLUSTER_CA_CERT: join(cluster.folder, "missing.pem")
      })
      assert.strictEqual((await running.exit).code, 2)
      for (const name of ["cluster_cert", "cluster_cert_key", "cluster_ca_cert"])
        assert.match(running.log(), new RegExp(`^holdfast: ${name}: expected `, "m"))
      assert.notMatch(running.log(), /^\s+at /m)
    } finally {
      await cluster.close()
    }
  })
})
