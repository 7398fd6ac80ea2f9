/** The cache is a file that people may read, copy and delete. */
import { execFileSync } from "node:child_process"
import { existsSync } from "node:fs"
import { mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { gunzipSync, gzipSync } from "node:zlib"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import {
  adminReady,
  ask,
  type Cluster,
  copyFile,
  eventually,
  makeCluster,
  publish,
  readiness,
  run
} from "../support/processes.ts"
import { deepText } from "../support/tables.ts"

describe("the cache file (resilience.md §2, §4)", () => {
  let cluster: Cluster
  let first: Awaited<ReturnType<Cluster["makeNode"]>>
  beforeAll(async () => {
    cluster = await makeCluster()
    first = await cluster.makeNode("first")
  })
  afterAll(() => cluster.close())

  it("zcat shows the config table", async () => {
    const controlPlane = cluster.controlPlane()
    await adminReady(cluster)
    first.start()
    await publish(cluster, "echo", "/echo", await cluster.upstream("up"))
    await eventually(
      "the route is served",
      15_000,
      () => ask(`${first.proxy}/echo/a`),
      ({ text }) => text === "up /a"
    )
    await eventually(
      "the cache holds the route",
      5_000,
      async () => gunzipSync(await readFile(first.cache)).toString(),
      (text) => text.includes('"/echo"')
    )
    const table = JSON.parse(execFileSync("zcat", [first.cache], { encoding: "utf8" }))
    assert.strictEqual(table._format_version, "3.0")
    assert.deepEqual(
      table.routes.map(({ paths }: { readonly paths: ReadonlyArray<string> }) => paths),
      [["/echo"]]
    )
    assert.strictEqual(table.routes[0].service, table.services[0].id)
    assert.strictEqual((await stat(first.cache)).mode & 0o777, 0o600)
    await controlPlane.kill("SIGKILL")
  })

  it("makes another node serve it, once copied to that node's prefix", async () => {
    const second = await cluster.makeNode("second")
    await mkdir(second.prefix, { recursive: true })
    await copyFile(first.cache, second.cache)
    second.start()
    await eventually(
      "the copy is served",
      15_000,
      () => ask(`${second.proxy}/echo/b`),
      ({ text }) => text === "up /b"
    )
    const ready = await readiness(second)()
    assert.strictEqual(ready.status, 200)
    assert.include(ready.text, '"source":"disk"')
    const ids = await Promise.all([first, second].map(({ prefix }) => readFile(join(prefix, "kong.id"), "utf8")))
    assert.notStrictEqual(ids[0], ids[1])
  })

  const damages = [
    { name: "cut", damaged: (whole: Buffer) => whole.subarray(0, 60) },
    { name: "too-deep", damaged: () => gzipSync(`{"_format_version":"3.0","keys":[${deepText}]}`) }
  ]
  it.each(damages)(
    "never stops a node when it is $name: the next rung serves, and the log says why",
    async (damage) => {
      const third = await cluster.makeNode(damage.name)
      await mkdir(third.prefix, { recursive: true })
      await writeFile(third.cache, damage.damaged(await readFile(first.cache)))
      const port = await cluster.upstream("file")
      const text = JSON.stringify({
        _format_version: "3.0",
        services: [{ name: "f", url: `http://127.0.0.1:${port}`, routes: [{ name: "f", paths: ["/file"] }] }]
      })
      const node = third.start({ KONG_DECLARATIVE_CONFIG_STRING: text })
      await eventually(
        "the file is served",
        15_000,
        () => ask(`${third.proxy}/file/c`),
        ({ text }) => text === "file /c"
      )
      assert.match(node.log(), /ladder: climbed.*"from":"empty","to":"declarative_file","passedOver":\["disk: /)
      assert.include(node.log(), third.cache)
      // Out of the way of the next start, and not lost.
      const kept = (await readdir(join(third.prefix, "quarantine"))).sort()
      assert.match(kept.join(), /^000001-[0-9a-f]{12}\.json\.gz,000001-[0-9a-f]{12}\.reason\.txt$/)
      assert.isFalse(existsSync(third.cache))
    }
  )

  it("falls back to the configuration before it, which takes its place; a seal makes an edited file serve", async () => {
    const controlPlane = cluster.controlPlane()
    await adminReady(cluster)
    const node = await cluster.makeNode("older")
    const running = node.start()
    const answers = (path: string, expected: string) =>
      eventually(
        `${path} answers ${expected}`,
        15_000,
        () => ask(`${node.proxy}${path}`),
        ({ text }) => text === expected
      )
    await answers("/echo/a", "up /a")
    await publish(cluster, "newer", "/newer", await cluster.upstream("new"))
    await answers("/newer/a", "new /a")
    await eventually(
      "the one before is kept",
      5_000,
      async () => readdir(join(node.prefix, "generations")).catch(() => []),
      (names) => names.length > 0
    )
    await controlPlane.kill("SIGKILL")
    await running.kill("SIGKILL")

    const alone = { KONG_CLUSTER_CONTROL_PLANE: "127.0.0.1:1" }
    const whole = await readFile(node.cache)
    await writeFile(node.cache, whole.subarray(0, whole.length - 100))
    const fallen = node.start(alone)
    await answers("/echo/b", "up /b")
    assert.strictEqual((await ask(`${node.proxy}/newer/b`)).status, 404)
    assert.match((await ask(`${node.status}/status`)).text, /"passed_over":\[\{"rung":"disk","reasons":\["[^"]*gzip: /)
    await fallen.kill("SIGKILL")
    const table = JSON.parse(gunzipSync(await readFile(node.cache)).toString())
    assert.lengthOf(table.routes, 1, "it is the current file")

    table.routes[0].paths = ["/edited"]
    await writeFile(node.cache, gzipSync(JSON.stringify(table)))
    const refused = node.start(alone)
    const mend = () => /"mend":"holdfast (config seal [^"]*)"/.exec(refused.log())?.[1] ?? ""
    await eventually(
      "the log names the command that mends it",
      15_000,
      async () => mend(),
      (command) => command !== ""
    )
    const sealed = await run(mend().split(" "))
    assert.strictEqual(sealed.code, 0, sealed.output)
    await answers("/edited/c", "up /c")
    await refused.kill("SIGTERM")
  })

  it("is not needed to serve: a prefix that can't be written is told in the status", async () => {
    const fourth = await cluster.makeNode("fourth")
    // A file where a folder is expected can't be written into, not even by root.
    await writeFile(fourth.prefix, "in the way")
    const controlPlane = cluster.controlPlane()
    await adminReady(cluster)
    const node = fourth.start()
    await eventually(
      "the route is served",
      20_000,
      () => ask(`${fourth.proxy}/echo/d`),
      ({ text }) => text === "up /d"
    )
    await eventually(
      "the status tells",
      5_000,
      async () => (await ask(`${fourth.status}/status`)).text,
      (text) => text.includes("not written")
    )
    assert.match(node.log(), /can't be cached/)
    await controlPlane.kill("SIGTERM")
  })
})
