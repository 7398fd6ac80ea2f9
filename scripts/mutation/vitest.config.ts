/** The tests of one target, in the order in which it lists them. Stryker starts vitest with this in a copy of the project. */
import { matchesGlob, relative } from "node:path"
import { defineConfig } from "vitest/config"
import { BaseSequencer, type TestSpecification } from "vitest/node"
import { targetNamed } from "./targets.ts"

const tests = targetNamed(process.env.HOLDFAST_MUTATION_TARGET)?.tests ?? []

const place = ({ moduleId }: TestSpecification): number =>
  tests.findIndex((pattern) => matchesGlob(relative(process.cwd(), moduleId), pattern))

class AsListed extends BaseSequencer {
  override async sort(files: Array<TestSpecification>): Promise<Array<TestSpecification>> {
    return [...files].sort((a, b) => place(a) - place(b))
  }
}

export default defineConfig({
  test: {
    include: [...tests],
    setupFiles: ["scripts/mutation/fixedCases.ts"],
    sequence: { sequencer: AsListed },
    testTimeout: 20_000,
    hookTimeout: 20_000
  }
})
