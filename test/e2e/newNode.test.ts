/**
 * Nodes that never met their control plane, with real processes and object stores over real sockets (`resilience.md` §5.4):
 * who exports, who imports, what becomes of it while the store is in trouble, and who wins in the end.
 */
import { existsSync } from "node:fs"
import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { gunzipSync } from "node:zlib"
import { afterAll, assert, beforeAll, beforeEach, describe, it } from "vitest"
import { showStorageLocation } from "../../src/model/StorageLocation.ts"
import {
  adminReady,
  ask,
  type Cluster,
  type Environment,
  eventually,
  makeCluster,
  publish,
  type Running,
  run
} from "../support/processes.ts"
import { type Emulator, emulators, type RunningEmulator } from "../support/storeEmulators.ts"
import { startTroubledProxy, type TroubledProxy } from "../support/troubledProxy.ts"

type Node = Awaited<ReturnType<Cluster["makeNode"]>>

const served = (node: Node, path: string, withinMs = 20_000) =>
  eventually(
    `${path} is served`,
    withinMs,
    () => ask(`${node.proxy}${path}`),
    ({ status }) => status === 200
  )

/** It serves a moment before it stands on the disk. */
const cached = async (node: Node): Promise<Buffer> => {
  await eventually(
    "what was imported is in the cache",
    5_000,
    async () => existsSync(node.cache),
    (isThere) => isThere
  )
  return readFile(node.cache)
}

const shows = (node: Node, words: string, withinMs = 20_000) =>
  eventually(
    `the status shows ${words}`,
    withinMs,
    () => ask(`${node.status}/status`),
    ({ text }) => text.includes(words)
  )

const story = (emulator: Emulator) => {
  let cluster: Cluster
  let store: RunningEmulator
  let proxy: TroubledProxy
  let controlPlane: Running
  let port: number
  let exporting: Environment
  let importing: Environment
  beforeAll(async () => {
    cluster = await makeCluster()
    store = await emulator.start()
    proxy = await startTroubledProxy(store.port)
    port = await cluster.upstream("up")
    const place = showStorageLocation(store.location("story"))
    exporting = {
      ...store.env(store.port),
      KONG_CLUSTER_FALLBACK_CONFIG_EXPORT: "on",
      KONG_CLUSTER_FALLBACK_CONFIG_STORAGE: place,
      KONG_CLUSTER_FALLBACK_CONFIG_EXPORT_DELAY: "1"
    }
    importing = {
      ...store.env(proxy.port),
      KONG_CLUSTER_FALLBACK_CONFIG_IMPORT: "on",
      KONG_CLUSTER_FALLBACK_CONFIG_STORAGE: place
    }
  })
  afterAll(async () => {
    await cluster?.close()
    await proxy?.close()
    await store?.stop()
  })

  // What a failed story leaves behind is not the next one's trouble.
  beforeEach(() => proxy.become(() => undefined))

  const exported = (running: Running, times: number) =>
    eventually(
      `exported ${times} times`,
      30_000,
      async () => running.log().split("configuration exported").length - 1,
      (count) => count >= times
    )

  it("a control plane exports, dies, and a new node serves what it exported, restarts on it, and is taken over", async () => {
    controlPlane = cluster.controlPlane(exporting)
    await adminReady(cluster)
    await publish(cluster, "one", "/one", port)
    await exported(controlPlane, 1)
    await publish(cluster, "two", "/two", port)
    await exported(controlPlane, 2)
    await controlPlane.kill("SIGKILL")
    const node = await cluster.makeNode("first")
    const running = node.start(importing)
    await served(node, "/two")
    await served(node, "/one")
    await shows(node, '"source":"object_storage"')
    await cached(node)
    await running.kill("SIGKILL")
    node.start()
    await served(node, "/two")
    await shows(node, '"source":"disk"')
    controlPlane = cluster.controlPlane(exporting)
    await adminReady(cluster)
    await publish(cluster, "three", "/three", port)
    await served(node, "/three")
    await exported(controlPlane, 1)
    await controlPlane.kill("SIGKILL")
  })

  it("a store in trouble is passed over with its own words, asked again, and serves once it is well", async () => {
    const node = await cluster.makeNode("second")
    proxy.become(() => ({ _tag: "Answers", status: 403, body: "<Error><Code>AccessDenied</Code></Error>" }))
    const running = node.start(importing)
    await shows(node, "403")
    assert.strictEqual((await ask(`${node.proxy}/one`)).status, 404)
    proxy.become(() => ({ _tag: "Answers", status: 500 }))
    await shows(node, "500")
    proxy.become(() => ({ _tag: "BreaksOff", afterBytes: 10 }))
    await eventually(
      "what breaks off is no object",
      25_000,
      () => ask(`${node.status}/status`),
      ({ text }) => !text.includes("500") && /latest\.json\.gz: [^"]*(?:ECONNRESET|SOCKET|aborted|closed)/i.test(text)
    )
    proxy.become(() => undefined)
    await served(node, "/three")
    // However often it was asked: each trouble is told once.
    const told = running.log().split("configuration rejected").length - 1
    assert.isAtMost(told, 2, running.log())
    await running.kill("SIGTERM")
  })

  it("a data plane exports as well, for a control plane that does not", async () => {
    const place = showStorageLocation(store.location("by-data-plane"))
    const exporter = await cluster.makeNode("exporter")
    controlPlane = cluster.controlPlane()
    await adminReady(cluster)
    const running = exporter.start({ ...exporting, KONG_CLUSTER_FALLBACK_CONFIG_STORAGE: place })
    await exported(running, 1)
    await Promise.all([controlPlane.kill("SIGKILL"), running.kill("SIGKILL")])
    const node = await cluster.makeNode("third")
    const started = node.start({ ...importing, KONG_CLUSTER_FALLBACK_CONFIG_STORAGE: place })
    await served(node, "/three")
    await started.kill("SIGTERM")
  })

  it("encrypted to the nodes' keys, nothing lies there in plain, and only who has a key serves it", async () => {
    const place = showStorageLocation(store.location("encrypted"))
    const key = join(cluster.folder, `${emulator.name}.age`)
    const made = await run(["config", "keygen", "--encryption", "--out", key])
    assert.strictEqual(made.code, 0, made.output)
    const recipient = (await readFile(`${key}.pub`, "utf8")).trim()
    controlPlane = cluster.controlPlane({
      ...exporting,
      KONG_CLUSTER_FALLBACK_CONFIG_STORAGE: place,
      HOLDFAST_CONFIG_ENCRYPTION_RECIPIENTS: recipient
    })
    await exported(controlPlane, 1)
    await controlPlane.kill("SIGKILL")
    const without = await cluster.makeNode("without")
    const blind = without.start({ ...importing, KONG_CLUSTER_FALLBACK_CONFIG_STORAGE: place })
    await shows(without, "expected config_decryption_keys, for it is encrypted")
    await blind.kill("SIGTERM")
    const node = await cluster.makeNode("with")
    const started = node.start({
      ...importing,
      KONG_CLUSTER_FALLBACK_CONFIG_STORAGE: place,
      HOLDFAST_CONFIG_DECRYPTION_KEYS: key
    })
    await served(node, "/three")
    const cache = gunzipSync(await cached(node)).toString()
    assert.include(cache, '"source":"object_storage"')
    await started.kill("SIGTERM")
  })
}

for (const emulator of emulators) {
  const name = `${emulator.name}: new nodes during an outage`
  if (emulator.missing === undefined) describe(name, () => story(emulator))
  else describe.skip(`${name} (${emulator.missing})`, () => story(emulator))
}
