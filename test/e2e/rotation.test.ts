/**
 * A node behind a forward proxy whose cluster certificate is replaced while it runs, as its operators do it: reference
 * `hybrid-protocol-v1.md` §1.2, §1.4. It is started once.
 */
import { X509Certificate } from "node:crypto"
import { mkdir, readFile } from "node:fs/promises"
import { join } from "node:path"
import { Effect, Exit, Scope } from "effect"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { forwardProxy, type TestProxy } from "../support/forwardProxy.ts"
import {
  adminReady,
  ask,
  type Cluster,
  copyFile,
  type Environment,
  eventually,
  makeCluster,
  publish,
  type Running,
  run,
  sleep
} from "../support/processes.ts"

const user = "us#er@corp"
const password = "p:ä/s%w0rd? #&"

describe("a node behind a forward proxy, through a rotation of the shared certificate", () => {
  const scope = Effect.runSync(Scope.make())
  let cluster: Cluster
  let proxy: TestProxy
  let node: Awaited<ReturnType<Cluster["makeNode"]>>
  let controlPlane: Running
  let dataPlane: Running

  /** Each plane has its own copy of the files, as on machines of their own. */
  const filesOf = (plane: "cp" | "dp") => join(cluster.folder, `${plane}-files`)
  const environment = (plane: "cp" | "dp"): Environment => ({
    KONG_CLUSTER_CERT: join(filesOf(plane), "cluster.crt"),
    KONG_CLUSTER_CERT_KEY: join(filesOf(plane), "cluster.key")
  })
  /** One file after the other, with time between them in which they don't belong together. */
  const install = async (plane: "cp" | "dp", from: string) => {
    await mkdir(filesOf(plane), { recursive: true })
    await copyFile(join(from, "cluster.crt"), join(filesOf(plane), "cluster.crt"))
    await sleep(700)
    await copyFile(join(from, "cluster.key"), join(filesOf(plane), "cluster.key"))
  }
  const made = (name: string) => join(cluster.folder, name)

  const state = async () =>
    (
      (await ask(`${node.status}/status`)).json() as {
        readonly control_plane: { readonly state: string; readonly since: string }
      }
    ).control_plane
  const connected = (since = "") =>
    eventually("the node is connected", 30_000, state, (found) => found.state === "connected" && found.since !== since)
  /** The session is cut in the middle, as by a restart of the proxy; the next one is another. */
  const reconnect = async () => {
    const { since } = await state()
    proxy.cut()
    await connected(since)
  }
  const logs = (process: Running, text: string) =>
    eventually(
      `"${text}" is logged`,
      15_000,
      async () => process.log(),
      (log) => log.includes(text)
    )
  const served = (path: string) =>
    eventually(
      `${path} is served`,
      20_000,
      () => ask(`${node.proxy}${path}`),
      ({ status }) => status === 200
    )

  beforeAll(async () => {
    cluster = await makeCluster()
    for (const [name, days] of [
      ["old", "700"],
      ["new", "900"]
    ] as const)
      assert.strictEqual((await run(["certs", "--out", made(name), "--days", days])).code, 0)
    await install("cp", made("old"))
    await install("dp", made("old"))
    proxy = await Effect.runPromise(forwardProxy({ credentials: { user, password } }).pipe(Scope.provide(scope)))
    node = await cluster.makeNode("dp")
    controlPlane = cluster.controlPlane(environment("cp"))
    await adminReady(cluster)
    await publish(cluster, "one", "/one", await cluster.upstream("up"))
    dataPlane = node.start({
      ...environment("dp"),
      KONG_CLUSTER_USE_PROXY: "on",
      KONG_PROXY_SERVER: `http://${encodeURIComponent(user)}:${encodeURIComponent(password)}@127.0.0.1:${proxy.port}`
    })
    await served("/one")
  })
  afterAll(async () => {
    await Effect.runPromise(Scope.close(scope, Exit.void))
    await cluster.close()
  })

  /** When the certificate ends that the node showed last, as the control plane saw it. */
  const shownUntil = async (): Promise<number> => {
    const { data } = (await ask(`${cluster.admin}/clustering/data-planes`)).json() as {
      readonly data: ReadonlyArray<{ readonly cert_details: { readonly expiry_timestamp: number } }>
    }
    return data[0]?.cert_details.expiry_timestamp ?? 0
  }
  const endOf = async (name: string): Promise<number> =>
    Math.floor(new X509Certificate(await readFile(join(made(name), "cluster.crt"))).validToDate.getTime() / 1000)

  it("dials its control plane through the proxy, and through nothing else", async () => {
    const targets = new Set(proxy.asked.map(({ target }) => target))
    assert.deepStrictEqual([...targets], [`127.0.0.1:${cluster.clusterPort}`])
    assert.strictEqual(proxy.openCount(), 1)
    assert.strictEqual(await shownUntil(), await endOf("old"))
  })

  it("takes the new certificate and leaves the session alone; the control plane has only the old one, and lets it in", async () => {
    const { since } = await state()
    await install("dp", made("new"))
    await logs(dataPlane, "cluster credentials replaced")
    assert.strictEqual((await state()).since, since)
    await reconnect()
    assert.strictEqual(await shownUntil(), await endOf("old"))
  })

  it("shows the new one once the control plane has it too, without a restart of either", async () => {
    const { since } = await state()
    await install("cp", made("new"))
    await logs(controlPlane, "cluster credentials replaced")
    assert.strictEqual((await state()).since, since)
    await reconnect()
    assert.strictEqual(await shownUntil(), await endOf("new"))
  })

  it("joins a control plane that was killed and comes back with the new certificate alone", async () => {
    await controlPlane.kill("SIGKILL")
    await eventually("the loss is noticed", 10_000, state, (found) => found.state === "disconnected")
    assert.strictEqual((await ask(`${node.proxy}/one`)).status, 200)
    controlPlane = cluster.controlPlane(environment("cp"))
    await adminReady(cluster)
    await connected()
    await publish(cluster, "two", "/two", await cluster.upstream("up"))
    await served("/two")
    assert.strictEqual(await shownUntil(), await endOf("new"))
    assert.strictEqual(dataPlane.child.exitCode, null)
  })

  it("said what happened once each, and nothing of the proxy's password", async () => {
    const log = dataPlane.log()
    const count = (text: string) => log.split(text).length - 1
    assert.strictEqual(count("cluster credentials replaced"), 1)
    assert.strictEqual(count("can't be used"), 0)
    assert.notInclude(log, password)
    assert.notInclude(log, encodeURIComponent(password))
    assert.notInclude(log, Buffer.from(`${user}:${password}`).toString("base64"))
  })
})
