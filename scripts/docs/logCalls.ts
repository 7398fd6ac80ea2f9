/**
 * Every event that the sources can log: level, message and fields, read from the calls themselves. Two forms are known:
 * `Effect.logWarning("message", …)` and the request path's `warn("message", { … })`. A message that is no literal can't
 * be listed and is an error.
 */
import { blankOut, lineOf } from "../sourceText.ts"

export interface LogCall {
  /** As the log itself writes it. */
  readonly level: "debug" | "info" | "warn" | "error"
  /** A template's holes are named: `<name> failed`. */
  readonly message: string
  readonly fields: ReadonlyArray<string>
}

export interface LogCalls {
  readonly calls: ReadonlyArray<LogCall>
  /** Lines whose message can't be read. */
  readonly unreadable: ReadonlyArray<number>
}

const call = /\bEffect\.log(Info|Warning|Error|Debug)\(|(?<![.\w])warn\(/g

const levels: Readonly<Record<string, LogCall["level"]>> = {
  Debug: "debug",
  Info: "info",
  Warning: "warn",
  Error: "error"
}

const closing: Readonly<Record<string, string>> = { "(": ")", "{": "}", "[": "]" }

/** Where the bracket that opens at `at` closes; `skeleton` has neither comments nor the content of strings. */
const endOf = (skeleton: string, at: number): number => {
  const open: Array<string> = []
  for (let index = at; index < skeleton.length; index++) {
    const char = skeleton[index] ?? ""
    const close = closing[char]
    if (close !== undefined) open.push(close)
    else if (char === open.at(-1)) open.pop()
    if (open.length === 0) return index
  }
  return skeleton.length
}

/** The parts between the commas of the outermost level, as spans of the text. */
const splitAt = (skeleton: string, from: number, to: number): ReadonlyArray<readonly [number, number]> => {
  const parts: Array<readonly [number, number]> = []
  let start = from
  for (let index = from; index < to; index++) {
    const char = skeleton[index] ?? ""
    if (closing[char] !== undefined) index = endOf(skeleton, index)
    else if (char === ",") {
      parts.push([start, index])
      start = index + 1
    }
  }
  return [...parts, [start, to]]
}

const literal = /"((?:[^"\\]|\\.)*)"|`([^`]*)`/g

/** A literal, or the branches of a choice between literals. */
const messagesIn = (argument: string): ReadonlyArray<string> =>
  [...argument.matchAll(literal)].flatMap((match) => {
    const before = argument.slice(0, match.index).trim()
    if (before !== "" && !/[?:]$/.test(before)) return []
    return [(match[1] ?? match[2] ?? "").replaceAll(/\$\{(\w+)\}/g, "<$1>").replaceAll('\\"', '"')]
  })

const keysOf = (text: string, skeleton: string, from: number, to: number): ReadonlyArray<string> =>
  splitAt(skeleton, from, to).flatMap(([start, end]) => {
    const part = text.slice(start, end).trim()
    const key = /^(\w+)\s*(?::|$)/.exec(part)?.[1]
    if (key !== undefined) return [key]
    // `...(x === undefined ? {} : { key: x })` adds fields at times; `...facts` those of a constant.
    const inner = part.startsWith("...") ? skeleton.indexOf("{", start) : -1
    if (inner !== -1 && inner < end)
      return [...text.slice(start, end).matchAll(/\{\s*(\w+)\s*[:,}]/g)].map((match) => match[1] ?? "")
    const spread = /^\.\.\.(\w+)$/.exec(part)?.[1]
    return spread === undefined ? [] : fieldsOfConstant(text, skeleton, spread)
  })

/** The fields of `const name = { … }`, wherever in the file it stands. */
const fieldsOfConstant = (text: string, skeleton: string, name: string): ReadonlyArray<string> => {
  const start = new RegExp(`\\bconst ${name} = \\{`).exec(skeleton)
  if (start === null) return []
  const open = start.index + start[0].length - 1
  return keysOf(text, skeleton, open + 1, endOf(skeleton, open))
}

const fieldsOfArgument = (
  text: string,
  skeleton: string,
  [from, to]: readonly [number, number]
): ReadonlyArray<string> => {
  const shown = text.slice(from, to).trim()
  if (shown.startsWith("{")) {
    const open = skeleton.indexOf("{", from)
    return keysOf(text, skeleton, open + 1, endOf(skeleton, open))
  }
  return /^\w+$/.test(shown) ? fieldsOfConstant(text, skeleton, shown) : []
}

/** `.pipe(Effect.annotateLogs({ … }), …)` right after the call. */
const annotatedFields = (text: string, skeleton: string, after: number): ReadonlyArray<string> => {
  const pipe = /^\s*\.pipe\(/.exec(skeleton.slice(after))
  if (pipe === null) return []
  const open = after + pipe[0].length - 1
  const end = endOf(skeleton, open)
  const annotate = skeleton.indexOf("Effect.annotateLogs(", open)
  if (annotate === -1 || annotate > end) return []
  const inner = skeleton.indexOf("(", annotate)
  return fieldsOfArgument(text, skeleton, [inner + 1, endOf(skeleton, inner)])
}

export const logCallsOf = (source: string): LogCalls => {
  const text = blankOut(source, "comments")
  const skeleton = blankOut(source, "comments and strings")
  const calls: Array<LogCall> = []
  const unreadable: Array<number> = []
  for (const match of skeleton.matchAll(call)) {
    const open = match.index + match[0].length - 1
    const end = endOf(skeleton, open)
    const [first = [open, open] as const, ...rest] = splitAt(skeleton, open + 1, end)
    const messages = messagesIn(text.slice(...first).trim())
    // The one helper that `warn` calls go through.
    if (messages.length === 0 && text.slice(...first).trim() === "message") continue
    if (messages.length === 0) unreadable.push(lineOf(text, match.index))
    const level = levels[match[1] ?? "Warning"] ?? "error"
    const fields = [
      ...rest.flatMap((part) => fieldsOfArgument(text, skeleton, part)),
      ...annotatedFields(text, skeleton, end + 1)
    ]
    for (const message of messages) calls.push({ level, message, fields: [...new Set(fields)] })
  }
  return { calls, unreadable }
}
