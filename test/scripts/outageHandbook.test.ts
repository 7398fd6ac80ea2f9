/** The outage handbook names only what there is: drills, tests, settings, pages; and leaves out no situation of the matrix (`resilience.md` §9). */
import { existsSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { settingTable } from "../../src/model/SettingTable.ts"
import { drills } from "../../src/programs/drill/drills.ts"

const page = fileURLToPath(new URL("../../docs/outage-handbook.md", import.meta.url))
const text = readFileSync(page, "utf8")
const all = (pattern: RegExp): ReadonlyArray<string> => [...text.matchAll(pattern)].map(([, found = ""]) => found)

describe("the outage handbook", () => {
  it("names drills that can be played, and every one of them", () => {
    const named = new Set(all(/`drill ([a-z-]+)/g))
    assert.sameMembers(
      [...named],
      drills.map(({ name }) => name)
    )
  })

  it("names settings that there are", () => {
    const named = all(/`((?:config|cluster|license)_[a-z_]+)`/g)
    assert.isAbove(named.length, 5)
    for (const name of named) assert.property(settingTable, name)
  })

  it("leads to pages, tests and files that there are", () => {
    for (const path of all(/\]\(([^)#]+)/g)) assert.isTrue(existsSync(join(dirname(page), path)), path)
    for (const path of all(/(test\/[\w/.-]+)/g)) assert.isTrue(existsSync(join(dirname(page), "..", path)), path)
  })

  it("has a command for each of its numbered situations", () => {
    const rows = text.split("\n").filter((line) => /^\| \d+ \|/.test(line))
    assert.deepStrictEqual(
      rows.map((row) => Number(/^\| (\d+)/.exec(row)?.[1])),
      rows.map((_, index) => index + 1)
    )
    assert.isAtLeast(rows.length, 20)
    for (const row of rows) assert.match(row.split("|").at(-2) ?? "", /`/, row)
  })
})
