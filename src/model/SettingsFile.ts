/**
 * The lines of a `kong.conf`-style file: `name = value`, blank lines, comments. A `#` starts a comment wherever it
 * stands outside quotes, unless written `\#`; single or double quotes around a whole value keep it as it is.
 */
import type { Fault } from "./Fault.ts"

export interface FileLine {
  readonly name: string
  readonly value: string
  readonly lineNumber: number
}

const line = /^\s*([A-Za-z_]\w*)\s*=\s*(.*)$/
const quoted = /^(["'])(.*)\1\s*(?:#.*)?$/

const readValue = (text: string): string => {
  const inQuotes = quoted.exec(text)
  if (inQuotes?.[2] !== undefined) return inQuotes[2]
  return text
    .replace(/(^|[^\\])#.*$/, "$1")
    .replaceAll("\\#", "#")
    .trim()
}

export const readSettingsFile = (file: {
  readonly name: string
  readonly text: string
}): { readonly lines: ReadonlyArray<FileLine>; readonly faults: ReadonlyArray<Fault> } => {
  const numbered = file.text.split(/\r?\n/).map((text, index) => ({ text, lineNumber: index + 1 }))
  const lines: Array<FileLine> = []
  const faults: Array<Fault> = []
  for (const { text, lineNumber } of numbered) {
    if (/^\s*(#|$)/.test(text)) continue
    const [, name, value] = line.exec(text) ?? []
    // The line itself is not shown: it may hold a secret.
    if (name === undefined || value === undefined) {
      faults.push({ path: [`${file.name} line ${lineNumber}`], message: "expected name = value, or a comment" })
    } else {
      lines.push({ name: name.toLowerCase(), value: readValue(value), lineNumber })
    }
  }
  return { lines, faults }
}
