/**
 * What a source file imports and what its code says, without its comments and the content of its strings. A scanner of
 * a hundred lines and no parser: TypeScript 7 has no API to ask, and imports are all that is needed.
 */

export interface ImportedModule {
  readonly specifier: string
  readonly line: number
  /** `import type` and `export type`: gone when the program runs. */
  readonly isTypeOnly: boolean
  /** As the module exports them; `default` under whatever name; without those that are taken as a `type` alone. */
  readonly names: ReadonlyArray<string>
}

type Kind = "code" | "lineComment" | "blockComment" | "string" | "template"

const opensRegex = /(?:^|[=(,:;!&|?{}[+\-*%<>~]|=>|\breturn|\bcase|\btypeof)\s*$/

/**
 * The text with every comment, and on request the inside of every string, turned into blanks: positions and lines
 * stay. Code inside `${}` of a template counts as code.
 */
export const blankOut = (text: string, what: "comments" | "comments and strings"): string => {
  const out: Array<string> = []
  const templateDepths: Array<number> = []
  let kind: Kind = "code"
  let quote = ""
  let braces = 0
  const blank = (part: string) => part.replaceAll(/[^\n]/g, " ")
  for (let at = 0; at < text.length; at++) {
    const char = text[at] ?? ""
    const pair = text.slice(at, at + 2)
    const isEscaped = (kind === "string" || kind === "template") && char === "\\"
    if (isEscaped) {
      out.push(what === "comments" ? pair : blank(pair))
      at++
    } else if (kind === "code") {
      const regex =
        char === "/" && pair !== "//" && pair !== "/*" && opensRegex.test(out.slice(-40).join(""))
          ? regexAt(text, at)
          : ""
      if (regex !== "") {
        out.push(what === "comments" ? regex : blank(regex))
        at += regex.length - 1
      } else if (pair === "//" || pair === "/*") {
        kind = pair === "//" ? "lineComment" : "blockComment"
        out.push("  ")
        at++
      } else {
        if (char === '"' || char === "'") [kind, quote] = ["string", char]
        if (char === "`") kind = "template"
        if (char === "{") braces++
        if (char === "}" && templateDepths.at(-1) === braces) {
          templateDepths.pop()
          kind = "template"
        } else if (char === "}") braces--
        out.push(char)
      }
    } else if (kind === "lineComment" || kind === "blockComment") {
      const isEnd = kind === "lineComment" ? char === "\n" : pair === "*/"
      out.push(blank(isEnd && kind === "blockComment" ? pair : char))
      if (isEnd && kind === "blockComment") at++
      if (isEnd) kind = "code"
    } else if (kind === "template" && pair === "${") {
      templateDepths.push(braces)
      kind = "code"
      out.push(pair)
      at++
    } else {
      const isEnd = char === (kind === "string" ? quote : "`") || (kind === "string" && char === "\n")
      out.push(isEnd || what === "comments" ? char : blank(char))
      if (isEnd) kind = "code"
    }
  }
  return out.join("")
}

const regexLiteral = /^\/(?:[^/\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/

const regexAt = (text: string, at: number): string => regexLiteral.exec(text.slice(at, at + 2000))?.[0] ?? ""

export const lineOf = (text: string, index: number): number => text.slice(0, index).split("\n").length

const statement = /(?:^|[;\n}])\s*(?:import|export)\s+(type\s+)?([\w*{}\s,$]*?)\s*from\s*["']([^"'\n]+)["']/g
const bare = /(?:^|[;\n}])\s*import\s*["']([^"'\n]+)["']/g
const dynamic = /\bimport\s*\(\s*["']([^"'\n]+)["']/g

const namesIn = (clause: string): ReadonlyArray<string> =>
  [...clause.matchAll(/(^|[{,])\s*(?!type\s+\w)(\*|\w+)/g)].map(([, before, name = ""]) =>
    before === "" && name !== "*" ? "default" : name
  )

export const importsOf = (text: string): ReadonlyArray<ImportedModule> => {
  const code = blankOut(text, "comments")
  // A string may hold text that looks like an import; then its keyword is gone from the text without strings.
  const skeleton = blankOut(text, "comments and strings")
  const isCode = (index: number, length: number) => /\b(?:import|export)\b/.test(skeleton.slice(index, index + length))
  const found = [
    ...[...code.matchAll(statement)].map((match) => ({
      match,
      specifier: match[3],
      isTypeOnly: match[1] !== undefined,
      clause: match[2]
    })),
    ...[...code.matchAll(bare)].map((match) => ({ match, specifier: match[1], isTypeOnly: false, clause: "" })),
    ...[...code.matchAll(dynamic)].map((match) => ({ match, specifier: match[1], isTypeOnly: false, clause: "*" }))
  ]
  return found
    .filter(({ match }) => isCode(match.index, match[0].length))
    .map(({ match, specifier = "", isTypeOnly, clause = "" }) => ({
      specifier,
      line: lineOf(code, match.index + match[0].search(/\S(?<![;}])/)),
      isTypeOnly,
      names: namesIn(clause)
    }))
}
