import { assert, it } from "@effect/vitest"
import { packFaults } from "../../scripts/packedFiles.ts"

const whole = [
  "package.json",
  "README.md",
  "LICENSE",
  "CHANGELOG.md",
  "dist/main.js",
  "dist/daemon/main.js",
  "dist/daemon/storageWorker.js",
  "dist/daemon/THIRD-PARTY-LICENSES.txt",
  "dist/lib/index.js",
  "dist/lib/index.d.ts",
  "dist/lib/layers/object-storage/storageWorker.js",
  "dist/lib/layers/sqlite/rows.js",
  "docs/api.md"
].map((name) => `package/${name}`)

it("a tarball holds the program, the library and the documents, and nothing else", () => {
  assert.deepStrictEqual(packFaults(whole), [])
  assert.deepStrictEqual(packFaults(whole.slice(1)), ["package.json is missing"])
  for (const name of ["dist/.lib-built-from", "src/index.ts", "dist/lib/x.ts.map", "test/x.test.ts", "docs/.x.md"]) {
    assert.deepStrictEqual(packFaults([...whole, `package/${name}`]), [`${name} has no business there`])
  }
})
