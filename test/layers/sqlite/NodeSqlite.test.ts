/** Only one warning is silenced. Asked of a fresh process: a module is loaded, and warns, once. */
import { execFileSync } from "node:child_process"
import { assert, it } from "@effect/vitest"

const run = (code: string): string => {
  const module = new URL("../../../src/layers/sqlite/NodeSqlite.ts", import.meta.url).href
  const script = `import { loadNodeSqlite } from "${module}"; ${code}`
  const args = ["--no-warnings=ModuleTypelessPackageJson", "--input-type=module", "-e", script]
  return execFileSync("/bin/sh", ["-c", '"$0" "$@" 2>&1', process.execPath, ...args.slice(1)], { encoding: "utf8" })
}

it("loading SQLite says nothing", () => {
  assert.strictEqual(run("new (loadNodeSqlite().DatabaseSync)(':memory:').close()"), "")
})

it("another experimental warning is printed", () => {
  const said = run("loadNodeSqlite(); process.emitWarning('something else', 'ExperimentalWarning')")
  assert.include(said, "something else")
})
