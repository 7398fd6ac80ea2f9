/** A law that no violation can break is no law: each one is broken here on purpose. */
import { spawnSync } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { laws, violationsOf } from "../../scripts/importLaws.ts"
import { importsOf } from "../../scripts/sourceText.ts"

const script = new URL("../../scripts/check-imports.ts", import.meta.url).pathname

/** Each file breaks the law that it is listed under, on its last line. */
const broken: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "model <- services <- layers <- programs <- main": {
    "model/A.ts": `import { B } from "../services/B.ts"`,
    "services/B.ts": `import { C } from "../layers/C.ts"`,
    "services/Lazy.ts": `export const load = () => import("../programs/P.ts")`,
    "services/Types.ts": `import type { C } from "../layers/C.ts"`,
    "services/Again.ts": `export * from "../layers/C.ts"`,
    "layers/C.ts": `import {\n  P\n} from "../programs/P.ts"`,
    "programs/P.ts": `import { main } from "../main.ts"`,
    "plugins/p/Handler.ts": `import { Router } from "../../services/Router.ts"`,
    "testing/T.ts": `import { P } from "../programs/P.ts"`,
    "main.ts": `import { C } from "./layers/C.ts"`,
    "shim.ts": `import { A } from "./model/A.ts"`
  },
  "layers do not import each other": {
    "layers/D.ts": `import { C } from "./C.ts"`,
    "layers/group/E.ts": `import { F } from "../other/F.ts"`
  },
  "plugins do not import each other": { "plugins/q/Schema.ts": `import { P } from "../p/Schema.ts"` },
  "the test kit is for the simulator alone": {
    "programs/DataPlane.ts": `import { virtualParts } from "../testing/virtualParts.ts"`
  },
  "relative imports end in .ts": { "model/R.ts": `import { A } from "./A.js"` },
  "@effect/platform-node by deep imports": { "layers/N.ts": `import { NodeRuntime } from "@effect/platform-node"` },
  "model does no I/O": {
    "model/Io.ts": `import { readFileSync } from "node:fs"`,
    "model/Crypto.ts": `import { createHash, createSign } from "node:crypto"`
  },
  "control planes are dialled by ClusterTransport": {
    "layers/Telemetry.ts": `import { connect } from "node:tls"`,
    "layers/Plain.ts": `import { type Socket, createConnection as open } from "node:net"`,
    "layers/Whole.ts": `import https from "node:https"`,
    "programs/Ask.ts": `import { get } from "node:http"`,
    "layers/Bucket.ts": `const sdk = await import("@aws-sdk/client-s3")`,
    "testing/Socket.ts": `import { WebSocket } from "ws"`
  },
  "time and randomness come in through services": {
    "model/T1.ts": "export const now = () => Date.now()",
    "model/T2.ts": "export const now = () => new Date()",
    "services/T3.ts": "export const chance = () => Math.random()",
    "services/T4.ts": "export const wait = (f: () => void) => setTimeout(f, 1)",
    "services/T5.ts": ["export const took = () => `$", "{performance.now()}`"].join("")
  },
  "no module-level mutable state": {
    "layers/S1.ts": "let count = 0",
    "programs/S2.ts": "export const seen = new Map<string, Array<number>>()",
    "plugins/p/S3.ts": "const cache: Map<string, string> = new Map()"
  }
}

const sound: Readonly<Record<string, string>> = {
  "model/A.ts": `import { createHash } from "node:crypto"\nimport { Schema } from "effect"\n// Date.now() in a comment\nexport const text = "Math.random() and import { x } from '../layers/C.ts'"`,
  "services/B.ts": `import { A } from "../model/A.ts"\nexport const at = (ms: number) => new Date(ms)\nexport const make = () => {\n  let inner = 0\n  return () => inner++\n}`,
  "layers/group/E.ts": `import { F } from "./F.ts"\nimport * as N from "@effect/platform-node/NodeSocket"\nexport const quote = /["'\`]/\nexport const table = new Map([["a", 1]])`,
  "layers/cluster-transport/Open.ts": `import { connect } from "node:tls"`,
  "layers/object-storage/Open.ts": `const sdk = await import("@aws-sdk/client-s3")`,
  "programs/Simulate.ts": `import { virtually } from "../testing/runVirtual.ts"`,
  "programs/simulate/Fleet.ts": `import type { World } from "../../testing/World.ts"`,
  "layers/Listen.ts": `import { createServer, type Socket } from "node:net"\nimport { type WebSocket, WebSocketServer } from "ws"`,
  "plugins/p/Handler.ts": `import type { PluginContract } from "../../services/PluginContract.ts"\nimport { S } from "./Schema.ts"`
}

const files = Object.entries(broken).flatMap(([law, byPath]) =>
  Object.entries(byPath).map(([path, text]) => ({ law, path, text: `/** A file. */\n${text}\n` }))
)

const runOn = (tree: Readonly<Record<string, string>>) => {
  const directory = mkdtempSync(join(tmpdir(), "holdfast-laws-"))
  try {
    for (const [path, text] of Object.entries(tree)) {
      mkdirSync(dirname(join(directory, path)), { recursive: true })
      writeFileSync(join(directory, path), text)
    }
    return spawnSync(process.execPath, [script, directory], { encoding: "utf8" })
  } finally {
    rmSync(directory, { recursive: true })
  }
}

describe("check-imports", () => {
  it.each(files)("$law: $path is caught", ({ law, path, text }) => {
    const found = violationsOf({ path, text })
    assert.deepStrictEqual(
      found.map((violation) => violation.law),
      [law]
    )
    assert.isAbove(found[0]?.message.length ?? 0, 20)
  })

  it("has a deliberate violation for each law", () => {
    assert.deepStrictEqual(Object.keys(broken).sort(), laws.map(({ name }) => name).sort())
  })

  it("fails on a tree with violations and names file, line and law", () => {
    const { status, stderr } = runOn(Object.fromEntries(files.map(({ path, text }) => [path, text])))
    assert.strictEqual(status, 1)
    for (const { path, law } of files)
      assert.match(stderr, new RegExp(`${path}:\\d+: ${law.replace(/[.*+?]/g, "\\$&")}`))
    assert.match(stderr, /layers\/S1\.ts:2: /)
  })

  it("is content with a sound tree, whatever its comments and strings say", () => {
    const { status, stderr } = runOn(sound)
    assert.strictEqual(stderr, "")
    assert.strictEqual(status, 0)
  })

  it("does not call an empty tree sound", () => {
    assert.strictEqual(runOn({ "readme.md": "" }).status, 1)
  })
})

describe("importsOf", () => {
  it("sees every form of import with its line", () => {
    const text = `import a, { b as c } from "./1.ts"\nimport type { T } from "./2.ts"\nimport "./3.ts"\n\nexport * as x from "./4.ts"\nconst f = \`\${await import("./5.ts")}\`\n`
    const seen = importsOf(text).map(({ specifier, line, isTypeOnly }) => `${specifier} ${line} ${isTypeOnly}`)
    assert.deepStrictEqual(seen.sort(), [
      "./1.ts 1 false",
      "./2.ts 2 true",
      "./3.ts 3 false",
      "./4.ts 5 false",
      "./5.ts 6 false"
    ])
  })
})
