import { readFileSync } from "node:fs"
import { assert, it } from "@effect/vitest"
import { version } from "../../src/model/version.ts"

it("is the version of the package", () => {
  const manifest = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"))
  assert.strictEqual(version, manifest.version)
})
