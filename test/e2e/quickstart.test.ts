/** The first thing that a stranger runs. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { run } from "../support/processes.ts"

describe("quickstart", () => {
  it("plays the whole story by itself, checks each step, and exits 0 in under 60 s", async () => {
    const startedAt = performance.now()
    const { code, output } = await run(["quickstart", "--once"])
    assert.strictEqual(code, 0, output)
    assert.isBelow(performance.now() - startedAt, 60_000)
    assert.isAtLeast(output.split("\n").length, 6)
  })

  it("replaces nothing that it has not made itself", async () => {
    const directory = await mkdtemp(join(tmpdir(), "holdfast-quickstart-"))
    try {
      const key = join(directory, "certs", "cluster.key")
      await mkdir(join(directory, "certs"))
      await writeFile(key, "precious")
      const { code, output } = await run(["quickstart", "--once", "--dir", directory])
      assert.strictEqual(code, 1, output)
      assert.match(output, /it would replace certs/)
      assert.strictEqual(await readFile(key, "utf8"), "precious")
    } finally {
      await rm(directory, { recursive: true, force: true })
    }
  })
})
