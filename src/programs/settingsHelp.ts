/** Every setting, as `holdfast --help` shows them: made from the table, so that none is missing. */

import type { Setting } from "../model/SettingTable.ts"
import { settingGroups } from "../model/settingGroups.ts"

const lineWidth = 100

const wrap = (text: string, indent: string): ReadonlyArray<string> => {
  const lines: Array<string> = []
  let line = indent
  for (const word of text.split(" ")) {
    if (line.length + 1 + word.length > lineWidth && line !== indent) {
      lines.push(line)
      line = indent
    }
    line += line === indent ? word : ` ${word}`
  }
  return [...lines, line]
}

const defaultText = ({ preset, controlPlanePreset }: Setting<unknown>): string => {
  const own = preset === undefined || preset === "" ? "" : ` = ${preset}`
  return controlPlanePreset === undefined ? own : `${own}   (control plane: ${controlPlanePreset})`
}

const entry = (name: string, setting: Setting<unknown>): ReadonlyArray<string> => [
  `    ${name}${defaultText(setting)}${setting.isSecret ? "   (secret)" : ""}`,
  ...wrap(setting.help, "        "),
  ...(setting.type.expected === "text" ? [] : wrap(`Expected: ${setting.type.expected}.`, "        "))
]

export const settingsHelp = (): ReadonlyArray<string> =>
  settingGroups.flatMap(({ title, settings }) => [
    `  ${title}`,
    ...settings.flatMap(([name, setting]) => entry(name, setting)),
    ""
  ])
