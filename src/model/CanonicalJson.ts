/**
 * The one text of a JSON value, for digests and signatures: RFC 8785 (JSON Canonicalization Scheme). No space, keys by
 * their UTF-16 code units, numbers and texts as ECMAScript writes them. What JSON can't carry is refused, never dropped:
 * a value that changes on its way into the text would be signed as something else.
 */
import type { Fault } from "./Fault.ts"

export type Canonical =
  | { readonly _tag: "Right"; readonly text: string }
  /** The first thing that JSON can't carry, and where it stands. Its value is not shown: it may be a secret. */
  | { readonly _tag: "Wrong"; readonly fault: Fault }

/** Deeper than anybody's data, and shallow enough for any stack: the same value must not fare better on another day. */
const depthMax = 1000

/** Of another kind (a date, a map), a value would lose what it is. */
const isPlain = (value: object): boolean => {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

const expectedText = "expected well-formed Unicode text"
const expectedJson = "expected what JSON can carry: an object, an array, text, a finite number, true, false or null"

export const canonicalJson = (value: unknown): Canonical => {
  const path: Array<string | number> = []
  let message = expectedJson

  const refuse = (why: string): undefined => {
    message = why
    return undefined
  }

  /** `path` is left as it is where something was refused. */
  const inside = (part: string | number, inner: unknown): string | undefined => {
    path.push(part)
    const text = write(inner)
    if (text !== undefined) path.pop()
    return text
  }

  const writeText = (text: string): string | undefined =>
    text.isWellFormed() ? JSON.stringify(text) : refuse(expectedText)

  const writeArray = (array: ReadonlyArray<unknown>): string | undefined => {
    let text = "["
    for (let index = 0; index < array.length; index++) {
      const item = inside(index, array[index])
      if (item === undefined) return undefined
      text += index === 0 ? item : `,${item}`
    }
    return `${text}]`
  }

  const writeObject = (object: Readonly<Record<string, unknown>>): string | undefined => {
    let text = "{"
    for (const key of Object.keys(object).sort()) {
      const name = writeText(key)
      const member = name === undefined ? undefined : inside(key, object[key])
      if (member === undefined) return undefined
      text += text === "{" ? `${name}:${member}` : `,${name}:${member}`
    }
    return `${text}}`
  }

  const writeNested = (nested: object): string | undefined => {
    if (path.length > depthMax) return refuse(`expected at most ${depthMax} levels`)
    if (Array.isArray(nested)) return writeArray(nested)
    return isPlain(nested) ? writeObject(nested as Readonly<Record<string, unknown>>) : refuse(expectedJson)
  }

  const write = (inner: unknown): string | undefined => {
    switch (typeof inner) {
      case "string":
        return writeText(inner)
      case "number":
        return Number.isFinite(inner) ? String(inner) : refuse(expectedJson)
      case "boolean":
        return inner ? "true" : "false"
      case "object":
        return inner === null ? "null" : writeNested(inner)
      default:
        return refuse(expectedJson)
    }
  }

  const text = write(value)
  return text === undefined ? { _tag: "Wrong", fault: { path, message } } : { _tag: "Right", text }
}
