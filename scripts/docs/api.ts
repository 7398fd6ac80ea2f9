/** `docs/api.md`: what `import { … } from "holdfast"` gives, from `src/index.ts` and what it passes on. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { type Declaration, declarationsOf } from "./declarations.ts"

interface Reexport {
  readonly file: string
  /** `export * as X`: the module is a namespace of that name. */
  readonly namespace: string | undefined
  /** `undefined` means all. */
  readonly names: ReadonlyArray<string> | undefined
}

const statement = /^export (?:\* as (\w+)|(\*)|(?:type )?\{([^}]*)\}) from "\.\/([^"]+)"/gm

const reexportsOf = (index: string): ReadonlyArray<Reexport> =>
  [...index.matchAll(statement)].map(([, namespace, , names, file = ""]) => ({
    file,
    namespace,
    names: names
      ?.split(",")
      .map((name) => name.trim().replace(/^type /, ""))
      .filter((name) => name !== "")
  }))

const code = (text: string): string => `\`\`\`ts\n${text}\n\`\`\``

const shown = ({ name, doc, signature }: Declaration, level: string): string =>
  [`${level} ${name}`, doc, code(signature)].filter((part) => part !== "").join("\n\n")

/** `export const DataPlane = { layer, layerFromSettings }`: its members are the file's own constants. */
const membersOf = (record: Declaration, local: ReadonlyArray<Declaration>): ReadonlyArray<Declaration> => {
  const body = /= \{([\w\s,]*)\}$/.exec(record.signature)?.[1]
  if (body === undefined) return []
  const names = body.split(",").map((name) => name.trim())
  return local
    .filter(({ name }) => names.includes(name))
    .map((member) => ({ ...member, name: `${record.name}.${member.name}` }))
}

const renderModule = (root: string, { file, namespace, names }: Reexport): string => {
  const { header, exported, local } = declarationsOf(readFileSync(join(root, "src", file), "utf8"))
  const wanted = exported.filter(({ name }) => names === undefined || names.includes(name))
  if (namespace !== undefined) {
    const parts = wanted.map(({ signature, doc }) => (doc === "" ? signature : `/** ${doc} */\n${signature}`))
    return [`### ${namespace}`, header, code(parts.join("\n\n"))].join("\n\n")
  }
  return wanted
    .flatMap((found) => {
      const members = membersOf(found, local)
      // A contract's docstring stands at the top of its file.
      const own = found.doc === "" && found.signature.includes("Context.Service") ? { ...found, doc: header } : found
      return members.length > 0 ? members.map((member) => shown(member, "###")) : [shown(own, "###")]
    })
    .join("\n\n")
}

const chapters: ReadonlyArray<readonly [string, RegExp, string]> = [
  ["Nodes", /^programs\//, "Start a node, whole or with parts of your own."],
  [
    "Services",
    /^services\/(?!control\/)/,
    "The contracts of a data plane. A part that you swap implements one of them."
  ],
  ["Services of the control plane", /^services\/control\//, "The same for a control plane."],
  ["Layers", /^layers\//, "The parts as they come, one namespace each: wrap them, or compose them otherwise."],
  ["Values", /^model\//, "Plain values and pure functions."]
]

export const renderApi = (root: string): string => {
  const index = readFileSync(join(root, "src", "index.ts"), "utf8")
  const all = reexportsOf(index)
  const sections = chapters.map(([title, pattern, about]) => {
    const modules = all.filter(({ file }) => pattern.test(file)).map((module) => renderModule(root, module))
    return [`## ${title}`, about, ...modules].join("\n\n")
  })
  return `${[
    "# API",
    "<!-- Made by `npm run docs` from src/index.ts and the files that it names. -->",
    declarationsOf(index).header,
    "`effect` is a peer dependency: your program and this library must see the same copy of it.",
    ...sections
  ].join("\n\n")}\n`
}
