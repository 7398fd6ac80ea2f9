/**
 * `name=value&…`, as queries and form bodies are written. Texts are byte strings (`RequestPath.ts`); what is decoded is,
 * and what is malformed stays as it is, as nginx reads it.
 */

const triplet = /%([0-9A-Fa-f]{2})/g

const decode = (text: string): string =>
  text.replaceAll("+", " ").replace(triplet, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))

const nameOf = (piece: string): string => {
  const at = piece.indexOf("=")
  return decode(at === -1 ? piece : piece.slice(0, at))
}

const valueOf = (piece: string): string | true => {
  const at = piece.indexOf("=")
  return at === -1 ? true : decode(piece.slice(at + 1))
}

/** Every value that comes under a name, in order; `true` for a name alone. */
export const argumentsNamed = (text: string, name: string): ReadonlyArray<string | true> =>
  text === ""
    ? []
    : text
        .split("&")
        .filter((piece) => nameOf(piece) === name)
        .map(valueOf)

/** All arguments by name, in order. */
export const argumentsOf = (text: string): ReadonlyMap<string, ReadonlyArray<string | true>> => {
  const found = new Map<string, Array<string | true>>()
  for (const piece of text.split("&")) {
    if (piece === "" || piece.startsWith("=")) continue
    const values = found.get(nameOf(piece)) ?? []
    values.push(valueOf(piece))
    found.set(nameOf(piece), values)
  }
  return found
}

/** What is left without a name's arguments; the others stay letter for letter. */
export const withoutArgument = (text: string, name: string): string =>
  text
    .split("&")
    .filter((piece) => nameOf(piece) !== name)
    .join("&")
