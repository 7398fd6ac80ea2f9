/**
 * The shim on a real old Node, in front of a stand-in for the daemon. Where the machine has no old Node, what needs one
 * is skipped, aloud.
 */
import { execFileSync, spawnSync } from "node:child_process"
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { delimiter, dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { rolldown } from "rolldown"
import { isAlive, run, until } from "../support/process.ts"

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
const pinnedName = `node-${process.platform === "win32" ? "win" : process.platform}-${process.arch}`

const isOld = (node: string): boolean => {
  const [major = 0, minor = 0] = execFileSync(node, ["-p", "process.versions.node"], { encoding: "utf8" })
    .split(".")
    .map(Number)
  return major >= 16 && (major < 22 || (major === 22 && minor < 19))
}

const findOldNode = (): string | undefined =>
  (process.env.PATH ?? "")
    .split(delimiter)
    .filter((folder) => !folder.includes("node_modules"))
    .map((folder) => join(folder, "node"))
    .find((node) => existsSync(node) && isOld(node))

const oldNode = findOldNode()
const hasPinnedNode = existsSync(join(root, "node_modules", pinnedName))
const skip = oldNode === undefined || !hasPinnedNode
if (skip) console.warn("skipped: the shim on an old Node (it needs a Node older than 22.19 in PATH and the pinned one)")

/** Says its PID, then what it is told by signals; a first argument is its exit code. */
const standIn = `
import { pbkdf2 } from "node:crypto"
import { readdirSync } from "node:fs"
const [code] = process.argv.slice(2)
if (code === "threads") {
  const count = () => readdirSync("/proc/self/task").length
  const before = count()
  pbkdf2("a", "b", 1, 8, "sha1", () => {
    console.log("threads", count() - before)
    process.exit()
  })
} else if (code === "simulate") {
  console.log(process.pid, ...process.execArgv)
  process.exit(3)
} else if (code !== undefined) process.exit(Number(code))
for (const signal of ["SIGTERM", "SIGINT", "SIGHUP", "SIGUSR2"]) process.on(signal, () => {
  console.log(signal)
  if (signal === "SIGTERM") process.exit(7)
})
setInterval(() => {}, 1000)
console.log("up", process.pid, process.version)
`

describe("the shim", () => {
  const place = { folder: "", main: "" }

  beforeAll(async () => {
    place.folder = mkdtempSync(join(tmpdir(), "holdfast-shim-"))
    const dist = join(place.folder, "dist")
    place.main = join(dist, "main.js")
    mkdirSync(join(dist, "daemon"), { recursive: true })
    writeFileSync(join(place.folder, "package.json"), `{ "type": "module" }`)
    writeFileSync(join(dist, "daemon", "main.js"), standIn)
    const build = await rolldown({
      input: join(root, "src", "shim.ts"),
      platform: "node",
      transform: { target: "node16" }
    })
    await build.write({ file: place.main, format: "esm" })
    if (hasPinnedNode) {
      mkdirSync(join(place.folder, "node_modules"))
      symlinkSync(join(root, "node_modules", pinnedName), join(place.folder, "node_modules", pinnedName))
    }
  })
  afterAll(() => rmSync(place.folder, { recursive: true }))

  const start = (node: string) =>
    Effect.gen(function* () {
      const shim = yield* run(node, [place.main])
      yield* until(() => shim.stdout().includes("up "))
      return { shim, daemonPid: Number(shim.stdout().split(" ")[1]) }
    })

  it.live("loads the daemon in its own process on a Node that is new enough", () =>
    Effect.gen(function* () {
      const { shim, daemonPid } = yield* start(process.execPath)
      assert.strictEqual(daemonPid, shim.pid)
    })
  )

  it.live("gives the simulator a process of its own with a larger young generation, on a new Node too", () =>
    Effect.gen(function* () {
      const shim = yield* run(process.execPath, [place.main, "simulate"])
      assert.strictEqual((yield* shim.ended).code, 3)
      assert.match(shim.stdout(), /^\d+ --max-semi-space-size=\d+ --max-old-space-size=\d+/)
      assert.notStrictEqual(Number.parseInt(shim.stdout(), 10), shim.pid)
    })
  )

  it.live("ends with its parent when it is told to", () =>
    Effect.gen(function* () {
      const shim = yield* run(process.execPath, [place.main], {
        env: { ...process.env, _HOLDFAST_TIED: "1" },
        stdio: ["ignore", "pipe", "pipe", "ipc"]
      })
      yield* until(() => shim.stdout().includes("up "))
      shim.child.disconnect()
      assert.strictEqual((yield* shim.ended).signal, "SIGKILL")
    })
  )

  describe.skipIf(process.platform !== "linux")("the threads for files, gzip and names", () => {
    const threads = (node: string, env: NodeJS.ProcessEnv = {}) => {
      const { UV_THREADPOOL_SIZE: _, NODE_OPTIONS: __, ...inherited } = process.env
      const { stdout } = spawnSync(node, [place.main, "threads"], { encoding: "utf8", env: { ...inherited, ...env } })
      return Number(/threads (\d+)/.exec(stdout)?.[1])
    }

    it("are 16, unless it is said otherwise or somebody may have begun with them", () => {
      assert.strictEqual(threads(process.execPath), 16)
      assert.strictEqual(threads(process.execPath, { UV_THREADPOOL_SIZE: "7" }), 7)
      assert.strictEqual(threads(process.execPath, { NODE_OPTIONS: "--import data:text/javascript," }), 4)
    })

    it.skipIf(skip)("are 16 behind an old Node as well", () => {
      assert.strictEqual(threads(oldNode ?? ""), 16)
    })
  })

  describe.skipIf(skip)("on an old Node", () => {
    const node = oldNode ?? ""

    it.live("continues on the pinned one", () =>
      Effect.gen(function* () {
        const { shim, daemonPid } = yield* start(node)
        assert.notStrictEqual(daemonPid, shim.pid)
        assert.match(shim.stdout(), /v2[2-9]\./)
      })
    )

    it.live("passes signals on, and the exit code back", () =>
      Effect.gen(function* () {
        const { shim } = yield* start(node)
        for (const signal of ["SIGHUP", "SIGUSR2", "SIGINT"] as const) {
          shim.child.kill(signal)
          yield* until(() => shim.stdout().includes(signal))
        }
        shim.child.kill("SIGTERM")
        assert.strictEqual((yield* shim.ended).code, 7)
      })
    )

    it.each([0, 1, 2])("ends with exit code %i when the daemon does", (code) => {
      assert.strictEqual(spawnSync(node, [place.main, String(code)]).status, code)
    })

    it.live("dies of the signal that the daemon dies of", () =>
      Effect.gen(function* () {
        const { shim, daemonPid } = yield* start(node)
        process.kill(daemonPid, "SIGKILL")
        assert.strictEqual((yield* shim.ended).signal, "SIGKILL")
      })
    )

    it.live("takes the daemon with it when it is killed with -9", () =>
      Effect.gen(function* () {
        const { shim, daemonPid } = yield* start(node)
        shim.child.kill("SIGKILL")
        yield* until(() => !isAlive(daemonPid), 2_000)
      })
    )

    it("says in one line what it needs when there is no pinned one", () => {
      const alone = join(place.folder, "alone")
      cpSync(join(place.folder, "dist"), join(alone, "dist"), { recursive: true })
      writeFileSync(join(alone, "package.json"), `{ "type": "module" }`)
      rmSync(join(place.folder, "node_modules"), { recursive: true })
      const { status, stderr } = spawnSync(node, [join(alone, "dist", "main.js")], { encoding: "utf8" })
      assert.strictEqual(status, 2)
      assert.match(
        stderr,
        /^holdfast: needs Node 22\.19 or newer; this is [\d.]+, and no newer one is installed beside Holdfast\n$/
      )
    })
  })
})
