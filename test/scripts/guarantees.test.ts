/** The page of guarantees names tests; a test that was renamed or removed must not stay a promise on paper. */
import { existsSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"

const root = fileURLToPath(new URL("../..", import.meta.url))
const page = readFileSync(`${root}/docs/guarantees.md`, "utf8")

/** `` `test/a.test.ts` “one”, “another” ``: a file, and what stands in it. */
const references = [...page.matchAll(/`(test\/[^`]+)`((?:,? ?“[^”]+”)*)/g)].map(([, file = "", quoted = ""]) => ({
  file,
  names: [...quoted.matchAll(/“([^”]+)”/g)].map(([, name = ""]) => name)
}))

/** A title may hold a value of the test's own: `reads what it wrote: ${mode}`. */
const missing = references.flatMap(({ file, names }) => {
  if (!existsSync(`${root}/${file}`)) return [`${file} is not there`]
  const text = readFileSync(`${root}/${file}`, "utf8")
  return names.filter((name) => !text.includes(name)).map((name) => `${file} has no “${name}”`)
})

describe("docs/guarantees.md", () => {
  it("names tests that exist, under the names that they have", () => {
    assert.deepStrictEqual(missing, [])
    assert.isAbove(references.length, 40)
    assert.isAbove(references.flatMap(({ names }) => names).length, 25)
  })

  it("leaves no row without a test", () => {
    const rows = page
      .slice(0, page.indexOf("## Open"))
      .split("\n")
      .filter((line) => line.startsWith("| ") && !line.startsWith("| seen") && !line.startsWith("|---"))
    assert.isAbove(rows.length, 20)
    assert.deepStrictEqual(
      rows.filter((row) => !row.includes("`test/")),
      []
    )
  })
})
