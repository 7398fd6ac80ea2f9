/**
 * Form bodies of the admin API: every value is text, and the entity's fields say what it means. `service.id=…` names a
 * field of a record, `paths[]=…` and a repeated name are elements of a list, an empty value is null.
 */
import type { Row } from "./Entity.ts"
import { isRecord } from "./Entity.ts"
import type { Field, Fields, Shape } from "./Field.ts"

/** Text that does not read as the shape stays text, so that validation names the field and shows what was found. */
const coerce = (text: string, shape: Shape | undefined): unknown => {
  switch (shape) {
    case "integer":
    case "number":
      return text.trim() !== "" && Number.isFinite(Number(text)) ? Number(text) : text
    case "boolean":
      return text === "true" ? true : text === "false" ? false : text
    default:
      return text
  }
}

/** A list in one value is written with commas, as Kong reads `tags=a,b`. */
const elements = (texts: ReadonlyArray<string>, field: Leaf): ReadonlyArray<unknown> =>
  (texts.length === 1 ? (texts[0] ?? "").split(",") : texts).map((text) => coerce(text.trim(), field.element))

const valueOf = (texts: ReadonlyArray<string>, isList: boolean, field: Leaf | undefined): unknown => {
  const last = texts.at(-1) ?? ""
  if (last === "" && texts.length === 1) return null
  if (field?.shape === "array")
    return isList ? texts.map((text) => coerce(text, field.element)) : elements(texts, field)
  if (isList) return texts
  return coerce(last, field?.shape)
}

const listMarker = /\[\d*\]$/

/** `a.b`, or `a[b]` for a name that itself contains a dot. */
const pathOf = (name: string): ReadonlyArray<string> =>
  name
    .replace(listMarker, "")
    .replace(/\[([^\]]+)\]/g, ".$1")
    .split(".")

const set = (target: Record<string, unknown>, path: ReadonlyArray<string>, value: unknown): void => {
  const [first, ...rest] = path
  if (first === undefined) return
  if (rest.length === 0) {
    target[first] = value
    return
  }
  const inner = Object.hasOwn(target, first) ? target[first] : undefined
  const next: Record<string, unknown> = isRecord(inner) ? (inner as Record<string, unknown>) : {}
  target[first] = next
  set(next, rest, value)
}

type Leaf = Pick<Field, "shape" | "element">

/** Values of a map are lists of text: the header matchers. */
const mapValue: Leaf = { shape: "array", element: "string" }

const fieldAt = (fields: Fields, path: ReadonlyArray<string>): Leaf | undefined => {
  const [first = "", ...rest] = path
  const field = Object.hasOwn(fields, first) ? fields[first] : undefined
  if (rest.length === 0) return field
  if (field?.fields !== undefined) return fieldAt(field.fields, rest)
  return field?.shape === "record" ? mapValue : undefined
}

/** The row that a decoded form means, by the fields of what it is a row of. */
export const rowOfForm = (fields: Fields, pairs: Iterable<readonly [string, string]>): Row => {
  const grouped = new Map<string, Array<string>>()
  for (const [name, text] of pairs) {
    const key = name.replace(/\[\d+\]$/, "[]")
    const texts = grouped.get(key) ?? []
    grouped.set(key, texts)
    texts.push(text)
  }
  const row: Record<string, unknown> = {}
  for (const [name, texts] of grouped) {
    const path = pathOf(name)
    if (path.includes("__proto__")) continue
    set(row, path, valueOf(texts, listMarker.test(name), fieldAt(fields, path)))
  }
  return row
}
