/** `docs/settings.md`, made from the settings table. */

import type { Setting } from "../../src/model/SettingTable.ts"
import { settingGroups } from "../../src/model/settingGroups.ts"

const introduction = `# Settings

This page is made from \`src/model/SettingTable.ts\` by \`npm run docs\`; a test fails when it is stale. \`holdfast --help\`
shows the same.

Names and defaults are Kong's wherever Kong has the setting. Sources, the weakest first: the default, a
\`kong.conf\`-style file (\`-c FILE\`, lines of \`name = value\`, \`#\` starts a comment), \`KONG_<NAME>\`, \`HOLDFAST_<NAME>\`.
An empty value counts as not given. Whatever is wrong is told at once, each fault with its setting, its value, what was
expected and where it was written, and the process ends with code 2. Names of Kong's that mean nothing here are listed
once at debug level; a \`HOLDFAST_*\` name that means nothing is a warning, for it is surely a slip.

A certificate or a key is a path, PEM text, or base64 of PEM. Secret values are shown and sent as six asterisks.
`

const cell = (text: string): string => text.replaceAll("|", "\\|").replaceAll("<", "&lt;")

const code = (text: string): string => `\`${text.replaceAll("|", "\\|")}\``

const row = (name: string, { type, preset, controlPlanePreset, help, isSecret }: Setting<unknown>): string => {
  const names = `${code(name)}<br>${code(`KONG_${name.toUpperCase()}`)}`
  const own = preset === undefined || preset === "" ? "" : code(preset)
  const value = controlPlanePreset === undefined ? own : `${own}; of a control plane ${code(controlPlanePreset)}`
  return `| ${names} | ${value} | ${cell(type.expected)} | ${cell(help)}${isSecret ? " **Secret.**" : ""} |`
}

export const renderSettings = (): string =>
  [
    introduction,
    ...settingGroups.map(({ title, settings }) =>
      [
        `## ${title}`,
        "",
        "| setting | default | expected | meaning |",
        "|---|---|---|---|",
        ...settings.map(([name, setting]) => row(name, setting)),
        ""
      ].join("\n")
    )
  ].join("\n")
