/**
 * What a user gets: packs the package, installs the tarball into an empty project, type-checks a program against it,
 * runs that program and the command. Needs the npm registry for the dependencies.
 */
import { execFileSync } from "node:child_process"
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { packFaults } from "./packedFiles.ts"

const root = dirname(dirname(fileURLToPath(import.meta.url)))

const run = (command: string, args: ReadonlyArray<string>, cwd: string): string => {
  console.log(`$ ${[command, ...args].join(" ").replaceAll(root, ".")}`)
  return execFileSync(command, args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] })
}

const consumer = `
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { Effect, Layer, Logger } from "effect"
import { DataPlane, Proxy, Router, StartError, startDataPlane, version } from "holdfast"
import { checkNode, virtualParts } from "holdfast/testing"

const upstream = createServer((_, response) => response.end("hello"))
await new Promise<void>((resolve) => upstream.listen(0, "127.0.0.1", resolve))
const { port } = upstream.address() as AddressInfo
const settings = {
  prefix: "./prefix",
  log_level: "error",
  proxy_listen: "127.0.0.1:0",
  status_listen: "127.0.0.1:0",
  declarative_config_string: JSON.stringify({
    _format_version: "3.0",
    services: [{ name: "s", host: "127.0.0.1", port, routes: [{ name: "r", paths: ["/"] }] }]
  })
}

const node = await startDataPlane(settings)
const answer = await (await fetch(\`http://127.0.0.1:\${node.addresses.proxy[0]?.port}/\`)).text()
await node.close()
if (answer !== "hello") throw new Error(\`the node answered \${answer}\`)

const blind = Layer.succeed(Router, {
  compile: () => ({ match: () => undefined, certificateFor: () => undefined, routeCount: 0, warnings: [] })
})
const custom: Layer.Layer<Proxy, StartError> = DataPlane.layer({ settings, parts: { router: blind } }).pipe(
  Layer.provide(Logger.layer([]))
)
const status = await Effect.gen(function* () {
  const { addresses } = yield* Proxy
  return (yield* Effect.promise(() => fetch(\`http://127.0.0.1:\${addresses[0]?.port}/\`))).status
}).pipe(Effect.provide(custom), Effect.runPromise)
if (status !== 404) throw new Error(\`the node with a router of its own answered \${status}\`)

upstream.close()
await checkNode(
  ({ address }) =>
    DataPlane.layer({
      settings: { cluster_control_plane: address, cluster_cert: "-", cluster_cert_key: "-" },
      parts: virtualParts
    }),
  { cases: 20 }
)
console.log(version)
`

const tsconfig = {
  compilerOptions: {
    target: "es2024",
    lib: ["es2024", "dom"],
    module: "nodenext",
    types: ["node"],
    strict: true,
    exactOptionalPropertyTypes: true,
    noEmit: true
  },
  files: ["consumer.ts"]
}

const pack = async (folder: string): Promise<string> => {
  run("npm", ["pack", "--loglevel=error", "--pack-destination", folder], root)
  const name = (await readdir(folder)).find((file) => file.endsWith(".tgz"))
  if (name === undefined) throw new Error("npm pack made no tarball")
  const tarball = join(folder, name)
  const files = run("tar", ["-tzf", tarball], folder).trim().split("\n")
  const faults = packFaults(files)
  if (faults.length > 0) throw new Error(`the tarball is not as it should be:\n${faults.join("\n")}`)
  console.log(`${name}: ${((await stat(tarball)).size / 1024).toFixed(0)} KiB, ${files.length} files`)
  return tarball
}

const main = async (folder: string): Promise<void> => {
  const { version, peerDependencies, devDependencies } = JSON.parse(await readFile(join(root, "package.json"), "utf8"))
  const tarball = await pack(folder)
  const project = join(folder, "project")
  await mkdir(project)
  await writeFile(join(project, "package.json"), JSON.stringify({ name: "consumer", private: true, type: "module" }))
  await writeFile(join(project, "consumer.ts"), consumer)
  await writeFile(join(project, "tsconfig.json"), JSON.stringify(tsconfig))
  const others = [`effect@${peerDependencies.effect}`, `@types/node@${devDependencies["@types/node"]}`]
  const quietly = ["--prefer-offline", "--no-audit", "--no-fund", "--loglevel=error"]
  run("npm", ["install", ...quietly, tarball, ...others], project)
  run(process.execPath, [join(root, "node_modules", "typescript", "bin", "tsc"), "-p", project], project)
  for (const [what, said] of [
    ["the program", run(process.execPath, ["consumer.ts"], project)],
    ["holdfast --version", run("npx", ["--no-install", "holdfast", "--version"], project)]
  ] as const) {
    if (said.trim() !== version) throw new Error(`${what} said ${said.trim()}, expected ${version}`)
  }
  console.log("packed, installed, type-checked and run")
}

const folder = await mkdtemp(join(tmpdir(), "holdfast-pack-"))
try {
  await main(folder)
} catch (error) {
  const { stdout } = error as { readonly stdout?: unknown }
  if (typeof stdout === "string" && stdout !== "") console.error(stdout)
  console.error(`pack check: ${error instanceof Error ? error.message : error}`)
  process.exitCode = 1
} finally {
  await rm(folder, { recursive: true, force: true })
}
