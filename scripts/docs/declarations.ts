/**
 * The exported declarations of a source file with their docstrings and signatures. No parser: TypeScript 7 has no API
 * to ask, and the house's style leaves little to guess.
 */
import { blankOut } from "../sourceText.ts"

export interface Declaration {
  readonly name: string
  readonly kind: "class" | "interface" | "type" | "const" | "function"
  readonly doc: string
  /** Without its body: what a user of it sees. */
  readonly signature: string
}

export interface SourceDeclarations {
  /** The docstring at the top of the file. */
  readonly header: string
  readonly exported: ReadonlyArray<Declaration>
  /** Not exported, but perhaps part of an exported record: `export const DataPlane = { layer }`. */
  readonly local: ReadonlyArray<Declaration>
}

const docText = (comment: string): string =>
  comment
    .replace(/^\/\*\*|\*\/$/g, "")
    .split("\n")
    .map((line) => line.replace(/^\s*\*\s?/, "").trim())
    .filter((line) => line !== "")
    .join(" ")

const declaration = /^(export )?(?:declare )?(?:abstract )?(class|interface|type|const|function) (\w+)/gm

const opening = "({["
const closing = ")}]"

/** The first place at depth 0 where `isEnd` holds; angle brackets don't count, arrows would confuse them. */
const scan = (skeleton: string, from: number, isEnd: (at: number) => boolean): number => {
  let depth = 0
  for (let at = from; at < skeleton.length; at++) {
    const char = skeleton[at] ?? ""
    if (depth === 0 && isEnd(at)) return at
    if (opening.includes(char)) depth++
    if (closing.includes(char)) depth--
  }
  return skeleton.length
}

/** The next statement starts a line; a closing bracket there still belongs to this one. */
const startsNext = (skeleton: string, at: number): boolean => /^\n[A-Za-z]/.test(skeleton.slice(at, at + 2))

/** A constant is shown with its type, or as the function that it is; its body says nothing to a reader. */
const endOfConst = (skeleton: string, from: number): number => {
  const whole = scan(skeleton, from, (at) => startsNext(skeleton, at))
  const assign = scan(skeleton, from, (at) => /^ =[ \n]/.test(skeleton.slice(at, at + 3)))
  const isTyped = skeleton.slice(from, assign).includes(":")
  if (isTyped) return assign
  const arrow = scan(skeleton, assign + 2, (at) => skeleton.startsWith(" =>", at))
  if (arrow < whole) return arrow
  const value = skeleton.slice(assign + 2, whole).trimStart()
  return value.startsWith("{") ? whole : assign
}

const endOf = (skeleton: string, kind: string, from: number): number =>
  kind === "const" ? endOfConst(skeleton, from) : scan(skeleton, from, (at) => startsNext(skeleton, at))

/** The comment of the declaration that follows is not part of this one. */
const withoutTail = (signature: string): string =>
  signature.replace(/\s*\/\*\*(?:(?!\*\/)[\s\S])*\*\/\s*$/, "").trimEnd()

const docBefore = (text: string, index: number): string => {
  const match = /\/\*\*(?:(?!\*\/)[\s\S])*\*\/\n$/.exec(text.slice(0, index))
  return match === null ? "" : docText(match[0].trim())
}

export const declarationsOf = (text: string): SourceDeclarations => {
  const skeleton = blankOut(text, "comments and strings")
  const found = [...skeleton.matchAll(declaration)].map((match) => {
    const [, exported, kind = "", name = ""] = match
    const end = endOf(skeleton, kind, match.index + match[0].length)
    const signature = withoutTail(text.slice(match.index, end).replace(/^export /, ""))
    const shown: Declaration = { name, kind: kind as Declaration["kind"], doc: docBefore(text, match.index), signature }
    return { isExported: exported !== undefined, shown }
  })
  const header = /^\/\*\*[\s\S]*?\*\//.exec(text)?.[0]
  return {
    header: header === undefined ? "" : docText(header),
    exported: found.filter(({ isExported }) => isExported).map(({ shown }) => shown),
    local: found.filter(({ isExported }) => !isExported).map(({ shown }) => shown)
  }
}
