/** The examples run as their READMEs say, against the library as it is built. */
import { spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { writeClusterCertificate } from "../../src/programs/Certs.ts"

const root = fileURLToPath(new URL("../..", import.meta.url))

/** Runs while `use` does; ends by a signal, and well. */
const withExample = async (
  name: string,
  env: Record<string, string>,
  use: (port: string) => Promise<void>
): Promise<void> => {
  const folder = await mkdtemp(join(tmpdir(), "holdfast-example-"))
  const child = spawn(process.execPath, [join(root, "examples", name, "main.ts")], {
    cwd: root,
    env: { ...process.env, ...env, PORT: "0", TMPDIR: folder, NODE_NO_WARNINGS: "1" },
    stdio: ["ignore", "pipe", "pipe"]
  })
  const said: Array<string> = []
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => said.push(String(chunk)))
  const exited = once(child, "exit")
  try {
    const port = () => /try: curl localhost:(\d+)/.exec(said.join(""))?.[1]
    while (port() === undefined) {
      if (child.exitCode !== null) throw new Error(`${name} ended at once: ${said.join("")}`)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    await use(port() ?? "")
    child.kill("SIGTERM")
    assert.deepStrictEqual(await exited, [0, null], said.join(""))
  } finally {
    child.kill("SIGKILL")
    await rm(folder, { recursive: true, force: true })
  }
}

const get = async (port: string, path: string) => {
  const response = await fetch(`http://127.0.0.1:${port}${path}`)
  return { status: response.status, text: await response.text() }
}

const eventually = async (port: string, path: string, text: string): Promise<void> => {
  while ((await get(port, path)).text !== text) await new Promise((resolve) => setTimeout(resolve, 20))
}

describe("examples", () => {
  it("embedded: one service swapped for the gateway's own", () =>
    withExample("embedded", {}, async (port) => {
      assert.deepStrictEqual(await get(port, "/anything"), { status: 200, text: "upstream saw /anything\n" })
      assert.strictEqual((await get(port, "/internal/x")).status, 404)
    }))

  it("testing: a sound gateway passes, and the one with a bug is found out", () => {
    const main = join(root, "examples", "testing", "main.ts")
    const { status, stdout, stderr } = spawnSync(process.execPath, [main], { cwd: root, encoding: "utf8" })
    assert.strictEqual(status, 0, stderr)
    assert.include(stdout, "the guarded gateway: every promise held")
    assert.match(stdout, /the lazy gateway: a node broke \d+ of its promises/)
    assert.include(stdout, "matches nothing (wholeConfig)")
  })

  it("plugin: one of the gateway's own lets in whom its configuration names", () =>
    withExample("plugin", {}, async (port) => {
      const ask = async (tenant: string) => {
        const response = await fetch(`http://127.0.0.1:${port}/`, { headers: { "x-tenant": tenant } })
        return [response.status, await response.text(), response.headers.get("x-served-by")]
      }
      assert.deepStrictEqual(await ask("acme"), [200, "upstream saw acme, checked: yes\n", "the house"])
      const [status, text] = await ask("initech")
      assert.strictEqual(status, 403)
      assert.include(String(text), "Unknown tenant")
    }))

  it("embedded-promise: both planes in one process", async () => {
    const certificates = await mkdtemp(join(tmpdir(), "holdfast-certificates-"))
    try {
      await Effect.runPromise(writeClusterCertificate(certificates, 1))
      await withExample("embedded-promise", { CERTIFICATES: certificates }, (port) =>
        eventually(port, "/anything", "upstream saw /anything\n")
      )
    } finally {
      await rm(certificates, { recursive: true, force: true })
    }
  })
})
