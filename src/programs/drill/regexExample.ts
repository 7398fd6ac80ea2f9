/**
 * A text that a route's regular expression matches, by reading the pattern: the first alternative, the least repetition,
 * the first member of a class. Undefined for whatever is not understood, such as a class by property; whoever asks has the
 * engine judge the example, for a pattern may want more than its parts show.
 */

interface Reader {
  readonly pattern: string
  at: number
}

class NotUnderstood extends Error {}

const fail = (what: string): never => {
  throw new NotUnderstood(what)
}

const classes: Readonly<Record<string, string>> = { d: "1", D: "a", w: "a", W: "-", s: " ", S: "a" }
const controls: Readonly<Record<string, string>> = { t: "\t", n: "\n", r: "\r", f: "\f", v: "\v", a: "\u0007" }
/** Tried in turn for a class that says what is not in it. */
const usual = ["a", "1", "b", "-", "_", "A", "~", ".", "!", "z", "0"]

const peek = (reader: Reader): string => reader.pattern[reader.at] ?? ""

const take = (reader: Reader): string => {
  const next = peek(reader)
  reader.at += next.length
  return next
}

const takeIf = (reader: Reader, text: string): boolean => {
  const isThere = reader.pattern.startsWith(text, reader.at)
  if (isThere) reader.at += text.length
  return isThere
}

const takeMatch = (reader: Reader, form: RegExp): RegExpExecArray | null => {
  const sticky = new RegExp(form.source, "y")
  sticky.lastIndex = reader.at
  const found = sticky.exec(reader.pattern)
  if (found !== null) reader.at = sticky.lastIndex
  return found
}

/** Behind a backslash, outside a class. */
const readEscape = (reader: Reader): string => {
  const hex = takeMatch(reader, /x\{([0-9a-fA-F]{1,6})\}|x([0-9a-fA-F]{2})/)
  if (hex !== null) return String.fromCodePoint(Number.parseInt(hex[1] ?? hex[2] ?? "", 16))
  const quoted = takeMatch(reader, /Q(.*?)(?:\\E|$)/)
  if (quoted !== null) return quoted[1] ?? ""
  const letter = take(reader)
  if (/[AzbB]/.test(letter)) return ""
  const known = classes[letter] ?? controls[letter]
  if (known !== undefined) return known
  return /[A-Za-z0-9]/.test(letter) || letter === "" ? fail(`\\${letter}`) : letter
}

interface Range {
  readonly from: string
  readonly to: string
}

const posix: Readonly<Record<string, string>> = {
  alnum: "a",
  alpha: "a",
  digit: "1",
  lower: "a",
  upper: "A",
  word: "a",
  xdigit: "a",
  punct: "-",
  space: " "
}

const readMember = (reader: Reader): Range => {
  const named = takeMatch(reader, /\[:(\w+):\]/)
  if (named !== null) {
    const member = posix[named[1] ?? ""] ?? fail(named[0])
    return { from: member, to: member }
  }
  const from = takeIf(reader, "\\") ? readEscape(reader) : take(reader)
  if (peek(reader) !== "-" || reader.pattern[reader.at + 1] === "]") return { from, to: from }
  take(reader)
  return { from, to: takeIf(reader, "\\") ? readEscape(reader) : take(reader) }
}

/** Behind the opening bracket. */
const readClass = (reader: Reader): string => {
  const isNegated = takeIf(reader, "^")
  const members: Array<Range> = []
  do {
    if (reader.at >= reader.pattern.length) fail("[")
    members.push(readMember(reader))
  } while (!takeIf(reader, "]"))
  if (!isNegated) return members[0]?.from ?? fail("[]")
  const isOut = (text: string) => members.every(({ from, to }) => text < from || text > to)
  return usual.find(isOut) ?? fail("[^")
}

const readGroup = (reader: Reader): string => {
  if (takeIf(reader, "?")) {
    const isPlain = takeMatch(reader, /P?<\w+>/) !== null || takeMatch(reader, /[imsU-]*:/) !== null
    // Flags for what follows: an example in lower case fits them all.
    if (!isPlain && takeMatch(reader, /[imsU-]+(?=\))/) === null) fail("(?")
  }
  const inside = readAlternatives(reader)
  return takeIf(reader, ")") ? inside : fail("(")
}

const readAtom = (reader: Reader): string => {
  const next = take(reader)
  switch (next) {
    case "\\":
      return readEscape(reader)
    case "[":
      return readClass(reader)
    case "(":
      return readGroup(reader)
    case ".":
      return "a"
    case "^":
    case "$":
      return ""
    case "*":
    case "+":
    case "?":
      return fail(next)
    default:
      return next
  }
}

/** How often the atom before it has to be there. */
const readLeast = (reader: Reader): number => {
  const counted = takeMatch(reader, /\{(\d+)(?:,\d*)?\}/)
  const least = counted !== null ? Number(counted[1]) : takeIf(reader, "*") || takeIf(reader, "?") ? 0 : 1
  if (counted === null && least === 1) takeIf(reader, "+")
  // Lazy or greedy, the least is the same.
  takeIf(reader, "?")
  return least
}

const readSequence = (reader: Reader): string => {
  let text = ""
  while (reader.at < reader.pattern.length && !"|)".includes(peek(reader))) {
    const atom = readAtom(reader)
    text += atom.repeat(readLeast(reader))
  }
  return text
}

const readAlternatives = (reader: Reader): string => {
  const first = readSequence(reader)
  while (takeIf(reader, "|")) readSequence(reader)
  return first
}

export const regexExample = (pattern: string): string | undefined => {
  const reader: Reader = { pattern, at: 0 }
  try {
    const text = readAlternatives(reader)
    return reader.at === pattern.length ? text : undefined
  } catch (error) {
    if (error instanceof NotUnderstood) return undefined
    throw error
  }
}
