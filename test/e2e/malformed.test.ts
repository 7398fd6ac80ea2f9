/**
 * Malformed settings, caches, documents, frames and admin bodies, thrown at the real daemon: no crash, no stack trace,
 * no lost configuration. `HOLDFAST_CASES` says how many (500), `HOLDFAST_SEED` replays a run.
 */
import { mkdir, readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import fc from "fast-check"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { type FakeControlPlane, reconfigure, startFakeControlPlane } from "../support/fakeControlPlane.ts"
import {
  gzipBomb,
  malformedBody,
  malformedCache,
  malformedDocument,
  malformedFrame,
  malformedSettings
} from "../support/malformed.ts"
import {
  adminReady,
  ask,
  type Cluster,
  type Environment,
  eventually,
  makeCluster,
  type Running,
  readiness,
  sleep,
  start
} from "../support/processes.ts"

const cases = Number(process.env.HOLDFAST_CASES ?? 500)
const seed = Number(process.env.HOLDFAST_SEED ?? Date.now() % 2 ** 31)
const share = (part: number): number => Math.max(1, Math.round(cases * part))
const sample = <A>(arbitrary: fc.Arbitrary<A>, part: number): ReadonlyArray<A> =>
  fc.sample(arbitrary, { numRuns: share(part), seed })

console.info(`${cases} malformed inputs; replay with HOLDFAST_SEED=${seed}`)

const stackTrace = /\n\s+at .+:\d+:\d+/

const inParallel = async <A>(
  items: ReadonlyArray<A>,
  width: number,
  work: (item: A, index: number) => Promise<void>
): Promise<void> => {
  const queue = items.entries()
  const worker = async () => {
    for (const [index, item] of queue) await work(item, index)
  }
  await Promise.all(Array.from({ length: width }, worker))
}

interface Seen {
  readonly hash: string
  readonly rejectedAt: string | undefined
}

const look = async (node: { readonly status: string }): Promise<Seen> => {
  const status = (await ask(`${node.status}/status`)).json() as {
    readonly configuration: { readonly hash: string; readonly last_rejection: { readonly at: string } | null }
  }
  return { hash: status.configuration.hash, rejectedAt: status.configuration.last_rejection?.at }
}

/** What the node makes of an input: a new configuration, a refusal, or nothing at all. */
const reaction = async (node: { readonly status: string }, before: Seen, withinMs: number): Promise<Seen> => {
  const endMs = performance.now() + withinMs
  let seen = before
  while (performance.now() < endMs) {
    seen = await look(node)
    if (seen.hash !== before.hash || seen.rejectedAt !== before.rejectedAt) return seen
    await sleep(5)
  }
  return seen
}

const text = (running: Running): string => running.log()

const assertCalm = (running: Running, input: unknown): void => {
  const shown = () => `${JSON.stringify(input)?.slice(0, 2_000)}\n${text(running).slice(-3_000)}`
  assert.isNull(running.child.exitCode, `the daemon ended over ${shown()}`)
  assert.notMatch(text(running), stackTrace, `a stack trace over ${shown()}`)
}

describe("malformed input (hybrid-protocol-v1.md §1.1, §4, §6; config-model.md §2, §4; resilience.md §2)", {
  timeout: 400_000
}, () => {
  let cluster: Cluster
  let upstreamPort: number
  let document: string
  beforeAll(async () => {
    cluster = await makeCluster()
    upstreamPort = await cluster.upstream("up")
    document = JSON.stringify({
      _format_version: "3.0",
      services: [{ name: "good", host: "127.0.0.1", port: upstreamPort, routes: [{ name: "good", paths: ["/good"] }] }]
    })
  })
  afterAll(() => cluster.close())

  const serves = async (node: { readonly proxy: string }, path = "/good"): Promise<void> => {
    await eventually(
      `${path} is served`,
      15_000,
      () => ask(`${node.proxy}${path}/x`),
      ({ text }) => text === "up /x"
    )
  }

  it("settings: each start ends in one clear line a fault, exit 2 or 1, or in a node that runs and stops", async () => {
    await inParallel(sample(malformedSettings, 0.3), 3, async (settings, index) => {
      const env: Environment = {
        KONG_PREFIX: join(cluster.folder, `settings-${index}`),
        KONG_PROXY_LISTEN: "127.0.0.1:0",
        KONG_STATUS_LISTEN: "127.0.0.1:0",
        ...settings
      }
      const running = start([], env)
      const isEnded = await Promise.race([running.exit.then(() => true), sleep(2_500).then(() => false)])
      if (!isEnded) running.child.kill("SIGTERM")
      const { code, signal } = await running.exit
      const shown = `${JSON.stringify(settings)}\n${text(running)}`
      assert.isNull(signal, shown)
      assert.include(isEnded ? [1, 2] : [0], code, shown)
      assert.notMatch(text(running), stackTrace, shown)
      assert.notInclude(text(running), "defect", shown)
      if (isEnded) assert.isNotEmpty(text(running), shown)
    })
  })

  it("caches: the next rung serves when the file is refused, and the node is ready either way", async () => {
    await inParallel(sample(malformedCache, 0.2), 3, async (content, index) => {
      const node = await cluster.makeNode(`cache-${index}`)
      await mkdir(node.prefix, { recursive: true })
      await writeFile(node.cache, content)
      const running = node.start({
        KONG_DECLARATIVE_CONFIG_STRING: document,
        KONG_CLUSTER_CONTROL_PLANE: "127.0.0.1:1"
      })
      const shown = content.toString("base64").slice(0, 500)
      // A file that happens to be valid serves, and may be an empty configuration: not ready, but from disk.
      const isSettled = ({ status, text }: { readonly status: number; readonly text: string }) =>
        status === 200 || text.includes('"source":"disk"')
      await eventually(`a rung serves over ${shown}`, 15_000, readiness(node), isSettled)
      const ready = await readiness(node)()
      if (ready.text.includes("declarative_file")) await serves(node)
      assertCalm(running, content.toString("base64"))
      await running.kill("SIGKILL")
    })
  })

  it("documents: a reload that is refused leaves what serves", async () => {
    const node = await cluster.makeNode("documents")
    const file = join(cluster.folder, "document.yml")
    await writeFile(file, document)
    const running = node.start({ KONG_DECLARATIVE_CONFIG: file, KONG_CLUSTER_CONTROL_PLANE: "" })
    await serves(node)
    for (const content of sample(malformedDocument, 0.2)) {
      const before = await look(node)
      await writeFile(file, content)
      running.child.kill("SIGHUP")
      const after = await reaction(node, before, 400)
      assertCalm(running, content)
      if (after.rejectedAt !== before.rejectedAt) assert.strictEqual(after.hash, before.hash, content)
    }
    await writeFile(file, document)
    running.child.kill("SIGHUP")
    await serves(node)
    assertCalm(running, "the whole run")
    await running.kill("SIGTERM")
  })

  describe("frames", () => {
    let fake: FakeControlPlane
    let node: Awaited<ReturnType<Cluster["makeNode"]>>
    let running: Running
    let goods = 0

    /** Another hash each time, so that each is applied. */
    const sendGood = async (): Promise<void> => {
      const port = upstreamPort
      const id = "11111111-1111-4111-8111-111111111111"
      const table = {
        _format_version: "3.0",
        services: [{ id, name: "good", host: "127.0.0.1", port }],
        routes: [{ id: "22222222-2222-4222-8222-222222222222", name: "good", service: id, paths: ["/good"] }]
      }
      goods += 1
      const hash = String(goods).padStart(32, "g")
      const connection = await fake.connection()
      connection.send(reconfigure(table, hash))
      await eventually(
        "the good configuration serves",
        15_000,
        () => look(node),
        (seen) => seen.hash === hash
      )
    }

    beforeAll(async () => {
      const [cert, key] = await Promise.all(
        ["cluster.crt", "cluster.key"].map((name) => readFile(join(cluster.folder, "certificates", name), "utf8"))
      )
      fake = await startFakeControlPlane({ cert: cert ?? "", key: key ?? "" })
      node = await cluster.makeNode("frames")
      running = node.start({ KONG_CLUSTER_CONTROL_PLANE: `127.0.0.1:${fake.port}` })
      await sendGood()
    })
    afterAll(() => fake.close())

    it("that can't be read or are invalid cost nothing: neither the configuration nor the session", async () => {
      for (const frame of sample(malformedFrame, 0.2)) {
        const connection = await fake.connection()
        const before = await look(node)
        connection.send(frame._tag === "Text" ? frame.text : frame.bytes)
        const shown = frame._tag === "Text" ? frame.text : frame.bytes.toString("base64")
        const after = await reaction(node, before, frame._tag === "Text" ? 10 : 150)
        assertCalm(running, shown)
        assert.strictEqual(await fake.connection(), connection, `the session ended over ${shown}`)
        if (after.rejectedAt !== before.rejectedAt) assert.strictEqual(after.hash, before.hash, shown)
        if (after.hash !== before.hash) await sendGood()
      }
      await serves(node)
    })

    it("that want to fill the memory are refused", async () => {
      const before = await look(node)
      ;(await fake.connection()).send(gzipBomb())
      const after = await reaction(node, before, 15_000)
      assert.notStrictEqual(after.rejectedAt, before.rejectedAt)
      assert.strictEqual(after.hash, before.hash)
      await serves(node)
    })

    it("that are no WebSocket, or beyond the limit, cost the session, and the node comes back", async () => {
      const breakers: ReadonlyArray<(socket: Awaited<ReturnType<FakeControlPlane["connection"]>>) => void> = [
        (socket) => socket.send(Buffer.alloc(17_000_000)),
        (socket) => Reflect.get(socket, "_socket").write(Buffer.from([0xff, 0xff, 0x00, 0x01, 0x02])),
        (socket) => Reflect.get(socket, "_socket").write(Buffer.from([0xc2, 0x05, 1, 2, 3, 4, 5]))
      ]
      for (const breakIt of breakers) {
        const connection = await fake.connection()
        breakIt(connection)
        await eventually(
          "the session ends",
          15_000,
          async () => connection.readyState,
          (state) => state === connection.CLOSED
        )
        await serves(node)
        await sendGood()
        assertCalm(running, String(breakIt))
      }
      await running.kill("SIGTERM")
    })
  })

  it("admin bodies: answered in the 400s, never a 500, and nothing else is changed", async () => {
    const controlPlane = cluster.controlPlane()
    await adminReady(cluster)
    const kept = await ask(`${cluster.admin}/services`, { method: "POST", body: { name: "kept", host: "127.0.0.1" } })
    assert.strictEqual(kept.status, 201)
    const paths = [
      "/services",
      "/routes",
      "/services/kept/routes",
      "/upstreams",
      "/certificates",
      "/consumers",
      "/config"
    ]
    for (const [index, [type, body]] of sample(malformedBody, 0.1).entries()) {
      const path = paths[index % paths.length] ?? "/services"
      const headers: Record<string, string> = type === "" ? {} : { "content-type": type }
      const answer = await fetch(`${cluster.admin}${path}`, { method: "POST", headers, body: Buffer.from(body) })
      const shown = `${path} ${type} ${body}: ${answer.status} ${await answer.text()}`
      assert.isBelow(answer.status, 500, shown)
      assertCalm(controlPlane, shown)
      // A document that happens to be valid replaces everything, as it should.
      if (path === "/config" && answer.status < 300) {
        await ask(`${cluster.admin}/services`, { method: "POST", body: { name: "kept", host: "127.0.0.1" } })
      }
      assert.strictEqual((await ask(`${cluster.admin}/services/kept`)).status, 200, shown)
    }
    await controlPlane.kill("SIGTERM")
  })
})
