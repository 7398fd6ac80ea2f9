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

const entry = (name: string, { preset, help, type, isSecret }: Setting<unknown>): ReadonlyArray<string> => [
  `    ${name}${preset === undefined || preset === "" ? "" : ` = ${preset}`}${isSecret ? "   (secret)" : ""}`,
  ...wrap(help, "        "),
  ...(type.expected === "text" ? [] : wrap(`Expected: ${type.expected}.`, "        "))
]

export const settingsHelp = (): ReadonlyArray<string> =>
  settingGroups.flatMap(({ title, settings }) => [
    `  ${title}`,
    ...settings.flatMap(([name, setting]) => entry(name, setting)),
    ""
  ])
