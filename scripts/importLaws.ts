/** The laws of the house (`docs/architecture.md`) as functions from one source file to what is wrong with it. */
import { posix } from "node:path"
import { blankOut, type ImportedModule, importsOf, lineOf } from "./sourceText.ts"

export interface SourceFile {
  /** Below `src`, with slashes: `layers/sqlite/SqliteStore.ts`. */
  readonly path: string
  readonly text: string
}

export interface Violation {
  readonly path: string
  readonly line: number
  readonly law: string
  /** What is wrong, and what to do instead. */
  readonly message: string
}

interface Law {
  readonly name: string
  readonly check: (file: SourceFile) => ReadonlyArray<Omit<Violation, "path" | "law">>
}

/** Which folders a file of a folder may import from. `plugin contract` stands for `services/Plugin*.ts`. */
const mayImport: Readonly<Record<string, ReadonlyArray<string>>> = {
  model: ["model"],
  services: ["model", "services"],
  layers: ["model", "services", "layers"],
  plugins: ["model", "plugins", "plugin contract"],
  testing: ["model", "services", "layers", "plugins", "testing"],
  programs: ["model", "services", "layers", "plugins", "programs", "testing", "root helpers"],
  "index.ts": ["model", "services", "layers", "plugins", "programs", "testing", "index.ts"],
  "main.ts": ["model", "programs", "root helpers"],
  "shim.ts": ["root helpers"],
  "root helpers": []
}

const insteadOf: Readonly<Record<string, string>> = {
  model: "values and pure functions know nothing of the rest; pass in what is needed, or move this to services",
  services: "contracts don't know what is behind them; ask for a service's tag and let programs choose the layer",
  layers: "let programs choose, and meet other parts through a service's tag",
  plugins: "a plugin knows model and the plugin contract (services/Plugin*.ts) only",
  testing: "testing replaces parts; it does not start programs",
  programs: "programs are imported by main and index only; share through services or layers",
  "main.ts": "main only starts programs",
  "shim.ts": "the shim must load on any Node: nothing but Node's own modules",
  "root helpers": "a helper in src/ itself is shared by shim and programs: nothing but Node's own modules"
}

const folderOf = (path: string): string => {
  const [first = "", ...rest] = path.split("/")
  if (rest.length > 0) return first
  return Object.hasOwn(mayImport, path) ? path : "root helpers"
}

const target = (file: SourceFile, { specifier }: ImportedModule): string | undefined =>
  specifier.startsWith(".") ? posix.normalize(posix.join(posix.dirname(file.path), specifier)) : undefined

const isPluginContract = (path: string): boolean => /^services\/Plugin[^/]*\.ts$/.test(path)

const onEachImport =
  (judge: (file: SourceFile, imported: ImportedModule, to: string | undefined) => string | undefined): Law["check"] =>
  (file) =>
    importsOf(file.text).flatMap((imported) => {
      const message = judge(file, imported, target(file, imported))
      return message === undefined ? [] : [{ line: imported.line, message }]
    })

const direction: Law = {
  name: "model <- services <- layers <- programs <- main",
  check: onEachImport((file, { specifier }, to) => {
    if (to === undefined) return undefined
    const from = folderOf(file.path)
    const allowed = mayImport[from] ?? []
    const isAllowed = allowed.includes(folderOf(to)) || (allowed.includes("plugin contract") && isPluginContract(to))
    return isAllowed ? undefined : `${from} may not import ${specifier}: ${insteadOf[from] ?? ""}`
  })
}

/** `layers/sqlite/Store.ts` and `layers/sqlite/Rows.ts` are one part in two files; `layers/A.ts` and `layers/B.ts` are not. */
const layersApart: Law = {
  name: "layers do not import each other",
  check: onEachImport((file, { specifier }, to) => {
    if (folderOf(file.path) !== "layers" || to === undefined || folderOf(to) !== "layers") return undefined
    const group = (path: string) => (path.split("/").length > 2 ? path.split("/")[1] : path)
    if (group(file.path) === group(to)) return undefined
    return `${specifier} is another layer: meet it through its service's tag, or move what both need to model or services`
  })
}

const pluginsApart: Law = {
  name: "plugins do not import each other",
  check: onEachImport((file, { specifier }, to) => {
    const [folder, plugin, ...inside] = file.path.split("/")
    if (folder !== "plugins" || inside.length === 0 || to === undefined || folderOf(to) !== "plugins") return undefined
    return to.split("/")[1] === plugin ? undefined : `${specifier} is another plugin: move what both need to model`
  })
}

/** A production program that leans on a virtual part would be a program of another world. */
const testKitApart: Law = {
  name: "the test kit is for the simulator alone",
  check: onEachImport((file, { specifier }, to) => {
    if (folderOf(file.path) !== "programs" || to === undefined || folderOf(to) !== "testing") return undefined
    return /^programs\/(Simulate\.ts$|simulate\/)/.test(file.path)
      ? undefined
      : `${specifier} is the test kit's: only programs/Simulate.ts and programs/simulate/ are made of it`
  })
}

const relativeEndings: Law = {
  name: "relative imports end in .ts",
  check: onEachImport((_, { specifier }) =>
    /^\.\.?\//.test(specifier) && !/\.(ts|json)$/.test(specifier)
      ? `${specifier} must be written as the file is called: ${specifier.replace(/\.js$/, "")}.ts`
      : undefined
  )
}

const deepImports: Law = {
  name: "@effect/platform-node by deep imports",
  check: onEachImport((_, { specifier }) =>
    specifier === "@effect/platform-node"
      ? "the barrel starts slowly and needs packages that are not installed: import @effect/platform-node/<Module>"
      : undefined
  )
}

/** Of Node's modules only what is a pure function or a constant; of packages those that are nothing else. */
const pureNode: Readonly<Record<string, ReadonlyArray<string>>> = {
  "node:buffer": ["isUtf8", "isAscii"],
  // With nonces and keys handed in, each of these gives the same answer for the same input.
  "node:crypto": [
    "createHash",
    "createHmac",
    "createCipheriv",
    "createDecipheriv",
    "createPrivateKey",
    "createPublicKey",
    "hkdfSync",
    "KeyObject",
    "sign",
    "timingSafeEqual",
    "verify"
  ],
  "node:http": ["STATUS_CODES"],
  "node:net": ["isIP", "isIPv4", "isIPv6", "BlockList"]
}

const purePackage = /^(effect|yaml|re2js)(\/|$)/

const pureModel: Law = {
  name: "model does no I/O",
  check: onEachImport((file, { specifier, names, isTypeOnly }) => {
    if (folderOf(file.path) !== "model" || isTypeOnly || specifier.startsWith(".")) return undefined
    if (purePackage.test(specifier)) return undefined
    const impure = names.filter((name) => !(pureNode[specifier] ?? []).includes(name))
    if (Object.hasOwn(pureNode, specifier) && impure.length === 0) return undefined
    return `${impure.join(", ") || specifier} from ${specifier} is not a pure function of values: it belongs behind a service, in layers`
  })
}

/** What opens a connection, by module: `default` and `*` hold everything. */
const openers: Readonly<Record<string, ReadonlyArray<string>>> = {
  "node:net": ["connect", "createConnection", "default", "*"],
  "node:tls": ["connect", "default", "*"],
  "node:http": ["request", "get", "default", "*"],
  "node:https": ["request", "get", "default", "*"],
  ws: ["WebSocket", "default", "*"],
  "@aws-sdk/client-s3": ["S3Client", "default", "*"],
  "@google-cloud/storage": ["Storage", "default", "*"],
  "@azure/storage-blob": ["BlobServiceClient", "ContainerClient", "default", "*"],
  "@azure/identity": ["*"],
  "effect/http": ["FetchHttpClient", "*"]
}

/** Who opens connections to somebody other than a control plane, or opens those that all others go through. */
const mayOpen = [
  // The one way out to a control plane, and the WebSocket that is spoken over its streams.
  "layers/cluster-transport/",
  "layers/WebSocketDialer.ts",
  // HTTP with neighbours, over its streams.
  "layers/peer-rung/",
  // Towards upstreams.
  "layers/http-proxy/",
  // Towards object storage, from a worker.
  "layers/object-storage/",
  // Towards a collector of telemetry, as a part that can be replaced, and what that part is asked not to do.
  "programs/dataPlaneParts.ts",
  "layers/opentelemetry/Uplink.ts",
  // Of quickstart and drill, towards the listeners of their own processes.
  "programs/stage/",
  "programs/drill/"
]

const oneWayOut: Law = {
  name: "control planes are dialled by ClusterTransport",
  check: onEachImport((file, { specifier, names, isTypeOnly }) => {
    if (isTypeOnly || mayOpen.some((place) => file.path.startsWith(place))) return undefined
    const found = names.filter((name) => (openers[specifier] ?? []).includes(name))
    if (found.length === 0) return undefined
    return `${found.join(", ")} from ${specifier} opens a connection past forward proxy and certificates: take ClusterTransport, or say in mayOpen whom else it is for`
  })
}

interface Ban {
  readonly pattern: RegExp
  readonly message: string
}

const onEachMatch =
  (folders: ReadonlyArray<string>, bans: ReadonlyArray<Ban>): Law["check"] =>
  (file) => {
    if (!folders.includes(folderOf(file.path))) return []
    const code = blankOut(file.text, "comments and strings")
    return bans.flatMap(({ pattern, message }) =>
      [...code.matchAll(pattern)].map((match) => ({
        line: lineOf(code, match.index),
        message: `${match[0].trim()}: ${message}`
      }))
    )
  }

const timeFromServices: Law = {
  name: "time and randomness come in through services",
  check: onEachMatch(
    ["model", "services"],
    [
      { pattern: /\bDate\.now\b/g, message: "take Clock.currentTimeMillis, or the time as an argument" },
      { pattern: /\bnew Date\(\s*\)/g, message: "take DateTime.now, or the time as an argument" },
      { pattern: /\bMath\.random\b/g, message: "take Random, or the number as an argument" },
      { pattern: /\brandomUUID\b|\brandomBytes\b|\bgetRandomValues\b/g, message: "take an Ids or Random service" },
      { pattern: /\bperformance\.now\b|\bprocess\.hrtime\b/g, message: "take Clock" },
      { pattern: /(?<![.\w])set(?:Timeout|Interval|Immediate)\b/g, message: "take Effect.sleep or a Schedule" }
    ]
  )
}

const noGlobalState: Law = {
  name: "no module-level mutable state",
  check: onEachMatch(
    ["model", "services", "layers", "plugins", "programs", "testing", "main.ts", "index.ts", "shim.ts", "root helpers"],
    [
      {
        pattern: /^(?:export\s+)?(?:let|var)\s+\w+/gm,
        message: "two nodes live in one process: keep it inside a layer's scope"
      },
      {
        pattern:
          /^(?:export\s+)?const\s+\w+\s*(?::\s*(?:Weak)?(?:Map|Set)<[^=\n]*)?=\s*new\s+(?:Map|Set|WeakMap|WeakSet)\b(?:<[^\n]*?>)?\(\s*\)/gm,
        message: "an empty collection of a module can only be meant to be filled: keep it inside a layer's scope"
      }
    ]
  )
}

export const laws: ReadonlyArray<Law> = [
  direction,
  layersApart,
  pluginsApart,
  testKitApart,
  relativeEndings,
  deepImports,
  pureModel,
  oneWayOut,
  timeFromServices,
  noGlobalState
]

export const violationsOf = (file: SourceFile): ReadonlyArray<Violation> =>
  laws.flatMap(({ name, check }) => check(file).map((violation) => ({ path: file.path, law: name, ...violation })))
