/**
 * A disk that never answers delays a stop by a few seconds, and no more. A named pipe in the place of the new cache file
 * stands for it: to open it for writing blocks one of Node's threads until somebody reads.
 */
import { execFileSync } from "node:child_process"
import { mkdir } from "node:fs/promises"
import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { adminReady, ask, type Cluster, eventually, makeCluster, publish, sleep } from "../support/processes.ts"

describe("a node that waits for a dead disk", () => {
  let cluster: Cluster
  beforeAll(async () => {
    cluster = await makeCluster()
    cluster.controlPlane()
    await adminReady(cluster)
    await publish(cluster, "echo", "/echo", await cluster.upstream("up"))
  })
  afterAll(() => cluster.close())

  const serving = async (name: string) => {
    const place = await cluster.makeNode(name)
    await mkdir(place.prefix, { recursive: true })
    execFileSync("mkfifo", [join(place.prefix, "config.json.gz.new")])
    const node = place.start()
    await eventually(
      "the route is served",
      15_000,
      () => ask(`${place.proxy}/echo/a`),
      ({ text }) => text === "up /a"
    )
    return node
  }

  const endOf = ({ exit }: Awaited<ReturnType<typeof serving>>) =>
    Promise.race([exit, sleep(30_000).then(() => "still there after 30 s")])

  it("ends at SIGTERM, and well", async () => {
    const node = await serving("waiting")
    node.child.kill("SIGTERM")
    assert.deepEqual(await endOf(node), { code: 0, signal: null })
    assert.notMatch(node.log(), /ExperimentalWarning/)
  })

  it("ends at once at the second signal", async () => {
    const node = await serving("hurried")
    node.child.kill("SIGTERM")
    await sleep(400)
    node.child.kill("SIGTERM")
    assert.deepEqual(await endOf(node), { code: 143, signal: null })
  })
})
