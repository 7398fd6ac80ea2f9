/**
 * Scenarios of the session machine, each a file to be read: `transcripts/*.txt`. `HOLDFAST_REWRITE=1` writes what the
 * machine does today into them; the difference is then to be reviewed like any other.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { rewrite } from "./transcript.ts"

const folder = fileURLToPath(new URL("transcripts/", import.meta.url))
const names = readdirSync(folder).filter((name) => name.endsWith(".txt"))

describe("transcripts of the session machine", () => {
  for (const name of names) {
    it(name, () => {
      const file = folder + name
      const written = readFileSync(file, "utf8")
      const today = rewrite(written)
      if (process.env.HOLDFAST_REWRITE === "1") writeFileSync(file, today)
      assert.strictEqual(today, written, "review with HOLDFAST_REWRITE=1 and git diff")
    })
  }

  it("are there", () => assert.isAtLeast(names.length, 8))
})
