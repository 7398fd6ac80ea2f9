/**
 * Signed configurations with real processes (`docs/signed-configurations.md`): what serves from the disk while the control
 * plane is gone, and what does not.
 */
import { existsSync } from "node:fs"
import { readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { gunzipSync, gzipSync } from "node:zlib"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import {
  adminReady,
  ask,
  type Cluster,
  eventually,
  makeCluster,
  publish,
  type Running,
  run
} from "../support/processes.ts"

describe("a node with config_trust_keys", () => {
  let cluster: Cluster
  let node: Awaited<ReturnType<Cluster["makeNode"]>>
  let controlPlane: Running
  let running: Running
  let first: Buffer
  let second: Buffer
  const key = () => join(cluster.folder, "signing.key")
  const trust = () => ({ HOLDFAST_CONFIG_TRUST_KEYS: `${key()}.pub` })
  const provenance = async (file: string) => JSON.parse(gunzipSync(await readFile(file)).toString())._holdfast
  const serves = (path: string, status: number) =>
    eventually(
      `${path} is answered ${status}`,
      15_000,
      () => ask(`${node.proxy}${path}`),
      (answer) => answer.status === status
    )
  const cached = (path: string) =>
    eventually(
      `${path} is in the cache`,
      5_000,
      async () => gunzipSync(await readFile(node.cache)).toString(),
      (text) => text.includes(`"${path}"`)
    )
  const status = async () => (await ask(`${node.status}/status`)).text

  beforeAll(async () => {
    cluster = await makeCluster()
    node = await cluster.makeNode("dp")
    const made = await run(["config", "keygen", "--out", key()])
    assert.strictEqual(made.code, 0, made.output)
  })
  afterAll(() => cluster.close())

  it("serves what its control plane signed, and again after kill -9 of both", async () => {
    controlPlane = cluster.controlPlane({ HOLDFAST_CONFIG_SIGNING_KEY: key() })
    await adminReady(cluster)
    running = node.start(trust())
    const port = await cluster.upstream("up")
    await publish(cluster, "one", "/one", port)
    await serves("/one", 200)
    await cached("/one")
    first = await readFile(node.cache)
    await publish(cluster, "two", "/two", port)
    await serves("/two", 200)
    await cached("/two")
    second = await readFile(node.cache)
    const { statement, signatures, gateway_version } = await provenance(node.cache)
    assert.match(signatures[0].by, /^ed25519:[0-9a-f]{16}$/)
    assert.isAbove(statement.sequence, 0)
    assert.strictEqual(gateway_version, "3.9.0.0")
    // A moment after the cache, so that it is never ahead of it.
    await eventually(
      "it is remembered as the newest",
      5_000,
      async () => JSON.parse(await readFile(join(node.prefix, "newest.kept"), "utf8")),
      ({ sequence }) => sequence === statement.sequence
    )
    await Promise.all([controlPlane.kill("SIGKILL"), running.kill("SIGKILL")])
    running = node.start(trust())
    await serves("/two", 200)
    await running.kill("SIGKILL")
  })

  it("refuses an older one that was signed as well, and says so", async () => {
    await writeFile(node.cache, first)
    running = node.start(trust())
    await serves("/one", 404)
    assert.include(await status(), "expected nothing older than the newest configuration seen")
    await running.kill("SIGKILL")
    assert.isTrue(existsSync(node.cache), "it may serve another day")
  })

  it("refuses what was changed, and serves it once a person has sealed it", async () => {
    const { _holdfast, ...table } = JSON.parse(gunzipSync(second).toString())
    const { sha256: _, ...forged } = _holdfast
    const edited = { ...table, routes: [{ ...table.routes[0], paths: ["/by-hand"] }] }
    await writeFile(node.cache, gzipSync(JSON.stringify({ ...edited, _holdfast: forged })))
    running = node.start(trust())
    await serves("/by-hand", 404)
    assert.include(await status(), "content or statement was changed since")
    // An older generation may serve another day, so the name of the current file is not given up.
    const sealed = await run(["config", "seal", node.cache], cluster.shared)
    assert.match(sealed.output, /sealed: .* by seal:[0-9a-f]{16}/)
    await serves("/by-hand", 200)
    await running.kill("SIGKILL")
    running = node.start(trust())
    await serves("/by-hand", 200)
  })

  it("is rolled back by whoever has the signing key, and taken over by its control plane in the end", async () => {
    const [older, newer] = [join(cluster.folder, "older.gz"), join(cluster.folder, "newer.gz")]
    await writeFile(older, first)
    await writeFile(newer, second)
    await running.kill("SIGKILL")
    await writeFile(node.cache, second)
    // A person's seal is the newest that this node has seen; without the memory of it, the control plane's second one is.
    const { statement } = await provenance(newer)
    await writeFile(join(node.prefix, "newest.kept"), JSON.stringify(statement))
    running = node.start(trust())
    await serves("/two", 200)
    const out = ["--rollback-over", newer, "--out", node.cache]
    const sealed = await run(["config", "seal", older, "--key", key(), ...out], cluster.shared)
    assert.strictEqual(sealed.code, 0, sealed.output)
    await serves("/two", 404)
    await serves("/one", 200)
    controlPlane = cluster.controlPlane({ HOLDFAST_CONFIG_SIGNING_KEY: key() })
    await serves("/two", 200)
    await cached("/two")
  })
})

describe("a control plane that can't sign", () => {
  let cluster: Cluster
  beforeAll(async () => {
    cluster = await makeCluster()
  })
  afterAll(() => cluster.close())

  it("is believed by its session, and the node's own seal carries it over a restart", async () => {
    const key = join(cluster.folder, "other.key")
    await run(["config", "keygen", "--out", key])
    const trust = { HOLDFAST_CONFIG_TRUST_KEYS: `${key}.pub` }
    const node = await cluster.makeNode("dp")
    const controlPlane = cluster.controlPlane()
    await adminReady(cluster)
    const running = node.start(trust)
    await publish(cluster, "one", "/one", await cluster.upstream("up"))
    const served = () =>
      eventually(
        "served",
        15_000,
        () => ask(`${node.proxy}/one`),
        (answer) => answer.status === 200
      )
    await served()
    await eventually(
      "sealed",
      5_000,
      async () => JSON.parse(gunzipSync(await readFile(node.cache)).toString()),
      ({ routes, _holdfast }) => routes?.length === 1 && /^seal:/.test(_holdfast.signatures[0].by)
    )
    await Promise.all([controlPlane.kill("SIGKILL"), running.kill("SIGKILL")])
    node.start(trust)
    await served()
    assert.include((await ask(`${node.status}/status`)).text, '"source":"disk"')
  })
})
