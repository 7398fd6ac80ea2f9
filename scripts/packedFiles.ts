/** What a tarball of the package has to hold, and what it must not. */
const required: ReadonlyArray<string> = [
  "package.json",
  "README.md",
  "LICENSE",
  "CHANGELOG.md",
  "dist/main.js",
  "dist/daemon/main.js",
  "dist/daemon/storageWorker.js",
  "dist/daemon/THIRD-PARTY-LICENSES.txt",
  "dist/lib/index.js",
  "dist/lib/index.d.ts",
  // Nobody imports it: it is started by its name.
  "dist/lib/layers/object-storage/storageWorker.js"
]

const allowed =
  /^(dist\/(main\.js|daemon\/.+|lib\/.+\.(js|d\.ts))|docs\/[\w/-]+\.md|README\.md|LICENSE|CHANGELOG\.md|package\.json)$/

/** `files` as `tar -t` lists them: everything stands under `package/`. */
export const packFaults = (files: ReadonlyArray<string>): ReadonlyArray<string> => {
  const names = files.map((file) => file.replace(/^package\//, ""))
  return [
    ...required.filter((name) => !names.includes(name)).map((name) => `${name} is missing`),
    ...names
      .filter((name) => !allowed.test(name) || /(^|\/)\./.test(name))
      .map((name) => `${name} has no business there`)
  ]
}
