/** The lists of the mutation tests fit the code: this needs no mutant to be run. */
import { existsSync, globSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { reasons } from "../../../scripts/mutation/reasons.ts"
import { targets } from "../../../scripts/mutation/targets.ts"

const root = fileURLToPath(new URL("../../../", import.meta.url))
const filesOf = (patterns: ReadonlyArray<string>): ReadonlyArray<string> => globSync([...patterns], { cwd: root })

describe("the targets of the mutation tests", () => {
  for (const { name, sources, tests } of targets) {
    it(`${name}: each pattern has a file`, () => {
      for (const pattern of [...sources, ...tests]) assert.isNotEmpty(filesOf([pattern]), pattern)
    })
  }

  it("have each file in one of them at most", () => {
    const all = targets.flatMap(({ sources }) => filesOf(sources))
    assert.strictEqual(new Set(all).size, all.length)
  })
})

describe("the survivors with a reason", () => {
  const mutated = new Set(targets.flatMap(({ sources }) => filesOf(sources)))

  for (const { file, text, mutations, why } of reasons) {
    it(`${file}: ${text}`, () => {
      assert.isTrue(existsSync(join(root, file)) && mutated.has(file), "no target mutates this file")
      const lines = readFileSync(join(root, file), "utf8").split("\n")
      assert.include(
        lines.map((line) => line.trim()),
        text,
        "no such line any more"
      )
      assert.isNotEmpty(mutations)
      assert.match(why, /\.$/, "a reason is a sentence")
      for (const mutation of mutations) assert.include(mutation, " → ")
    })
  }

  it("are listed once each", () => {
    const all = reasons.flatMap(({ file, text, mutations }) => mutations.map((one) => `${file}\n${text}\n${one}`))
    assert.strictEqual(new Set(all).size, all.length)
  })
})
