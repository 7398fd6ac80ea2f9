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

const section = (folder: string): string => {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"))
  return `${name} ${version} (${license})\n\n${licenseText(folder)}\n`
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
  const sections = [...new Set(folders)]
    .filter((folder) => existsSync(join(folder, "package.json")))
    .sort()
    .map(section)
  await writeFile(target, sections.join(`\n${"-".repeat(78)}\n\n`))
}
