/** Lives as processes over real folders: prepared once, then cut short at one call after the other by `kill -9`. */
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Context, Effect, Layer, type Scope } from "effect"
import { rolldown } from "rolldown"
import type { GivenSettings } from "../../src/programs/parts.ts"
import { clusterCertificate } from "../support/certificates.ts"
import { temporaryFolder } from "../support/folder.ts"
import { run } from "../support/process.ts"
import { allowedAfter, type ChildLine, type ChildTask, type End, endsOf, type Scenario } from "./scenarios.ts"

/** What all lives share. */
export class Workshop extends Context.Service<
  Workshop,
  {
    readonly child: string
    readonly settings: GivenSettings
    /** A path that nobody used yet. */
    readonly place: () => string
  }
>()("test/crash/Workshop") {
  static readonly layer = Layer.effect(
    Workshop,
    Effect.suspend(() => openWorkshop)
  )
}

/** `ws` is CommonJS and calls `require`, which a module does not have. */
const banner = `import{createRequire as __createRequire}from"node:module";const require=__createRequire(import.meta.url);`

/** One bundle starts five times as fast as the sources, and it is started some thousand times. */
const bundleChild = async (dir: string): Promise<string> => {
  const build = await rolldown({ input: { child: join(import.meta.dirname, "child.ts") }, platform: "node" })
  await build.write({ dir, format: "esm", entryFileNames: "[name].js", banner })
  await build.close()
  return join(dir, "child.js")
}

const openWorkshop = Effect.gen(function* () {
  const folder = yield* temporaryFolder
  const child = yield* Effect.promise(() => bundleChild(join(folder, "child")))
  const { cert, key } = yield* clusterCertificate
  writeFileSync(join(folder, "cert.pem"), cert)
  writeFileSync(join(folder, "key.pem"), key, { mode: 0o600 })
  let count = 0
  return {
    child,
    settings: { cluster_cert: join(folder, "cert.pem"), cluster_cert_key: join(folder, "key.pem") },
    place: () => join(folder, `life-${++count}`)
  }
})

interface Lived {
  readonly said: ReadonlyArray<ChildLine>
  readonly signal: NodeJS.Signals | null
}

/** One life on this folder. Whatever is not a life, such as a node that does not start, dies here with what it said. */
const liveOn = Effect.fnUntraced(function* (prefix: string, task: ChildTask) {
  const workshop = yield* Workshop
  const settings = { ...workshop.settings, ...task.settings, prefix }
  const running = yield* run(process.execPath, [workshop.child, JSON.stringify({ ...task, settings })])
  const { code, signal, stdout, stderr } = yield* running.ended
  if (signal !== "SIGKILL" && code !== 0) throw new Error(`a life on ${prefix} ended with ${code ?? signal}: ${stderr}`)
  const said = stdout
    .split("\n")
    .filter((line) => line !== "")
    .map((line): ChildLine => JSON.parse(line))
  return { said, signal } satisfies Lived
})

const handOn = (prefix: string) => ({
  list: () => readdirSync(prefix),
  read: (name: string) => readFileSync(join(prefix, name)),
  write: (name: string, bytes: Uint8Array) => writeFileSync(join(prefix, name), bytes)
})

const copyOf = (template: string) =>
  Effect.map(Workshop, ({ place }) => {
    const prefix = place()
    if (existsSync(template)) cpSync(template, prefix, { recursive: true, preserveTimestamps: true })
    return prefix
  })

export interface Prepared {
  readonly scenario: Scenario
  readonly template: string
  /** Where the life can be cut short, as one that was not showed. */
  readonly ends: ReadonlyArray<End>
}

const settingsOf = ({ settings = {} }: { readonly settings?: GivenSettings }) => settings

/** Lives everything that comes before, and once the life itself, undisturbed. */
export const prepare = Effect.fnUntraced(function* (scenario: Scenario) {
  const template = (yield* Workshop).place()
  for (const { pushes, settings = {} } of scenario.before) yield* liveOn(template, { pushes, settings })
  if (scenario.damage !== undefined) scenario.damage(handOn(template))
  const prefix = yield* copyOf(template)
  const { said } = yield* liveOn(prefix, { pushes: scenario.pushes, settings: settingsOf(scenario) })
  const last = said.at(-1)
  if (last?._tag !== "Calls") throw new Error(`expected an undisturbed life to end, it said ${JSON.stringify(said)}`)
  rmSync(prefix, { recursive: true, force: true })
  return { scenario, template, ends: endsOf(last.operations) } satisfies Prepared
})

export interface Verdict {
  /** False when this life made fewer calls than the one before it. */
  readonly wasKilled: boolean
  readonly allowed: ReadonlyArray<number>
  /** What the next life serves. */
  readonly serves: number | undefined
  readonly folder: ReadonlyArray<string>
}

/** Cuts the life short there, and asks the next one what it serves. */
export const cutShort = Effect.fnUntraced(function* (
  { scenario, template }: Prepared,
  end: End
): Effect.fn.Return<Verdict, never, Scope.Scope | Workshop> {
  const prefix = yield* copyOf(template)
  const settings = settingsOf(scenario)
  const { said, signal } = yield* liveOn(prefix, { pushes: scenario.pushes, settings, killAt: end })
  const folder = existsSync(prefix) ? readdirSync(prefix, { recursive: true }).map(String).sort() : []
  mkdirSync(prefix, { recursive: true })
  const next = yield* liveOn(prefix, { pushes: [], settings, isOnlyAsked: true })
  const serves = next.said.map((event) => (event._tag === "Started" ? event.serves : undefined)).at(0)
  rmSync(prefix, { recursive: true, force: true })
  return { wasKilled: signal === "SIGKILL", allowed: allowedAfter(scenario, said), serves, folder }
})
