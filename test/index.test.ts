/** The library's face: whatever can be swapped can be named by whoever swaps it. */
import { globSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import * as library from "../src/index.ts"

const src = fileURLToPath(new URL("../src", import.meta.url))
const tag = /export class (\w+) extends Context\.Service</g

describe("the library", () => {
  const tags = globSync("services/**/*.ts", { cwd: src }).flatMap((file) =>
    [...readFileSync(`${src}/${file}`, "utf8").matchAll(tag)].map(([, name = ""]) => name)
  )

  it("passes on the tag of every service", () => {
    assert.isAbove(tags.length, 20)
    assert.deepStrictEqual(
      tags.filter((name) => !(name in library)),
      []
    )
  })

  it("names every part of both planes", () => {
    const parts = Object.entries({ ...library.dataPlaneParts, ...library.controlPlaneParts })
    assert.isAbove(parts.length, 20)
    for (const [name, part] of parts) assert.isDefined(part, name)
  })
})
