/**
 * A fault is one thing that is wrong with some input, said so that its author can mend it: where it stands, what was
 * found, what was expected. Input is never refused at its first fault; whoever validates collects them all.
 */
export interface Fault {
  /** Where: names and indexes from the outside in, such as `["services", 0, "port"]`. */
  readonly path: ReadonlyArray<string | number>
  /** What was expected there, or what rule was broken. */
  readonly message: string
  /** What was found, when showing it helps and gives nothing away. */
  readonly value?: unknown
  /** Where to look, when the path leads into a file: `kong.yml:7:5`, file, line and column. */
  readonly place?: string
}

const maxShownLength = 80

/** What is nested too deep for JSON still has to be refused in words. */
const asJson = (value: unknown): string => {
  try {
    return JSON.stringify(value) ?? String(value)
  } catch {
    return Array.isArray(value) ? "[…]" : "{…}"
  }
}

const show = (value: unknown): string => {
  const text = typeof value === "string" ? `"${value}"` : asJson(value)
  return text.length > maxShownLength ? `${text.slice(0, maxShownLength)}…` : text
}

/** `services[0].port: expected a value between 0 and 65535, got 70000`; before it the place in the file, if it has one. */
export const formatFault = (fault: Fault): string => {
  const where = fault.path.reduce<string>(
    (text, part) => (typeof part === "number" ? `${text}[${part}]` : text === "" ? part : `${text}.${part}`),
    ""
  )
  const what = fault.value === undefined ? fault.message : `${fault.message}, got ${show(fault.value)}`
  return [...(fault.place === undefined ? [] : [fault.place]), ...(where === "" ? [] : [where]), what].join(": ")
}

/** The same fault, seen from further out. */
export const within =
  (...prefix: ReadonlyArray<string | number>) =>
  (fault: Fault): Fault => ({ ...fault, path: [...prefix, ...fault.path] })
