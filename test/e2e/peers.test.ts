/**
 * New nodes during an outage, from a neighbour: `DESIGN.md`, "The life of a node", 3; reference
 * `hybrid-protocol-v1.md` §1.2, §1.3 for whom a neighbour lets in. Real processes.
 */
import { existsSync } from "node:fs"
import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import {
  adminReady,
  ask,
  type Cluster,
  type Environment,
  eventually,
  freePort,
  makeCluster,
  publish,
  type Running,
  run
} from "../support/processes.ts"

interface Status {
  readonly configuration: { readonly source: string; readonly hash: string; readonly cache: string }
  readonly control_plane: { readonly state: string }
  readonly ladder: {
    readonly passed_over: ReadonlyArray<{ readonly rung: string; readonly reasons: ReadonlyArray<string> }>
  }
  readonly peers: {
    readonly listening: boolean
    readonly given?: number
    readonly told?: number
    readonly refused?: number
  }
}

type Node = Awaited<ReturnType<Cluster["makeNode"]>>

const statusOf = async (node: Node) => (await ask(`${node.status}/status`)).json() as Status

const serves = (node: Node, path: string, withinMs: number) =>
  eventually(
    `${path} is served`,
    withinMs,
    () => ask(`${node.proxy}${path}`),
    ({ status }) => status === 200
  )

describe("a node that starts while its control plane is dead", () => {
  let cluster: Cluster
  let controlPlane: Running
  let giving: Node
  let fresh: Node
  let upstream: number
  let peers: string
  let ofGiving: Environment
  let ofFresh: Environment

  beforeAll(async () => {
    cluster = await makeCluster()
    upstream = await cluster.upstream("up")
    const peerPort = await freePort()
    peers = `127.0.0.1:${peerPort}`
    ofGiving = { HOLDFAST_CONFIG_PEER_LISTEN: peers }
    // One that is not there, and the one that is, by a name.
    ofFresh = { HOLDFAST_CONFIG_PEERS: `127.0.0.1:${await freePort()}, localhost:${peerPort}` }
    giving = await cluster.makeNode("giving")
    fresh = await cluster.makeNode("fresh")
    controlPlane = cluster.controlPlane()
    await adminReady(cluster)
    await publish(cluster, "echo", "/echo", upstream)
  })
  afterAll(() => cluster.close())

  it("takes what its neighbour serves within seconds, and caches it", async () => {
    const first = giving.start(ofGiving)
    await serves(giving, "/echo", 20_000)
    await controlPlane.kill("SIGKILL")

    const startedAt = performance.now()
    const second = fresh.start(ofFresh)
    await serves(fresh, "/echo", 20_000)
    process.stdout.write(`a fresh node served after ${Math.round(performance.now() - startedAt)} ms\n`)

    const [given, taken] = [await statusOf(giving), await statusOf(fresh)]
    assert.strictEqual(taken.configuration.source, "peer")
    assert.strictEqual(taken.configuration.hash, given.configuration.hash)
    assert.deepInclude(given.peers, { listening: true, given: 1, refused: 0 })
    assert.deepEqual(taken.peers, { listening: false })
    assert.match(first.log(), /a neighbour takes the configuration from this node/)
    await eventually(
      "it is cached",
      10_000,
      async () => existsSync(fresh.cache),
      (isThere) => isThere
    )
    await second.kill("SIGTERM")
    await first.kill("SIGKILL")
  })

  it("starts alone from what it cached, and follows the control plane that comes back", async () => {
    const second = fresh.start(ofFresh)
    await serves(fresh, "/echo", 10_000)
    assert.strictEqual((await statusOf(fresh)).configuration.source, "disk")
    cluster.controlPlane()
    await adminReady(cluster)
    await publish(cluster, "later", "/later", upstream)
    await serves(fresh, "/later", 30_000)
    assert.strictEqual((await statusOf(fresh)).configuration.source, "control_plane")
    await second.kill("SIGTERM")
  })

  it("gets nothing from a node of another cluster, and gives it nothing", async () => {
    const first = giving.start(ofGiving)
    await serves(giving, "/later", 20_000)
    const folder = join(cluster.folder, "strangers")
    assert.strictEqual((await run(["certs", "--out", folder])).code, 0)
    const stranger = await cluster.makeNode("stranger")
    const running = stranger.start({
      ...ofFresh,
      KONG_CLUSTER_CERT: join(folder, "cluster.crt"),
      KONG_CLUSTER_CERT_KEY: join(folder, "cluster.key"),
      KONG_CLUSTER_CONTROL_PLANE: `127.0.0.1:${await freePort()}`
    })
    await eventually(
      "the stranger asked in vain",
      40_000,
      () => statusOf(stranger),
      ({ ladder }) =>
        ladder.passed_over.some(
          ({ rung, reasons }) => rung === "peer" && reasons.some((reason) => reason.includes("neighbour's certificate"))
        )
    )
    assert.strictEqual((await statusOf(stranger)).configuration.source, "empty")
    assert.deepInclude((await statusOf(giving)).peers, { given: 0, told: 0 })
    await running.kill("SIGTERM")
    await first.kill("SIGTERM")
    assert.deepStrictEqual(await first.exit, { code: 0, signal: null })
  })

  it("says which setting names an address that can't be had", async () => {
    const node = await cluster.makeNode("taken")
    const running = node.start({ HOLDFAST_CONFIG_PEER_LISTEN: `127.0.0.1:${cluster.clusterPort}` })
    assert.strictEqual((await running.exit).code, 1)
    assert.match(running.log(), /config_peer_listen: expected a free address/)
  })
})
