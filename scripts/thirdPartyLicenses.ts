/** The licences of what the bundle contains: whoever passes the daemon on passes these on. */
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { writeFile } from "node:fs/promises"
import { isAbsolute, join } from "node:path"
import type { OutputChunk } from "rolldown"

const packageFolder = /^(.*[\\/]node_modules[\\/](?:@[^\\/]+[\\/])?[^\\/]+)[\\/]/

const licenseText = (folder: string): string => {
  const file = readdirSync(folder).find((name) => /^(licen[cs]e|copying)/i.test(name))
  return file === undefined ? "(the package carries no licence text)" : readFileSync(join(folder, file), "utf8").trim()
}

const nameOf = (folder: string): string => {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"))
  return `${name} ${version} (${license})`
}

/** One and the same text stands once, under the names of all whom it belongs to. */
const sectionsOf = (folders: ReadonlyArray<string>): ReadonlyArray<string> => {
  const names = new Map<string, ReadonlyArray<string>>()
  for (const folder of folders) {
    const text = licenseText(folder)
    names.set(text, [...(names.get(text) ?? []), nameOf(folder)])
  }
  return [...names].map(([text, named]) => `${named.join("\n")}\n\n${text}\n`)
}

export const thirdPartyLicenses = async (
  root: string,
  chunks: ReadonlyArray<OutputChunk>,
  target: string
): Promise<void> => {
  const folders = chunks
    .flatMap(({ moduleIds }) => moduleIds)
    .flatMap((id) => packageFolder.exec(id)?.[1] ?? [])
    .map((folder) => (isAbsolute(folder) ? folder : join(root, folder)))
  const known = [...new Set(folders)].filter((folder) => existsSync(join(folder, "package.json"))).sort()
  await writeFile(target, sectionsOf(known).join(`\n${"-".repeat(78)}\n\n`))
}
