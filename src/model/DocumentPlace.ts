/** Where in a file a fault stands: the declarative document is read twice, once for its values, once for their places. */
import { type Document, isMap, isScalar, isSeq, type LineCounter, type Node } from "yaml"

type Path = ReadonlyArray<string | number>

interface Place {
  readonly line: number
  readonly column: number
}

const startOf = (node: unknown): number | undefined => (node as Partial<Node> | null)?.range?.[0]

/** The key of a map's entry is where a person looks first. */
const keyStart = (parent: unknown, part: string | number): number | undefined => {
  if (!isMap(parent)) return undefined
  const pair = parent.items.find(({ key }) => (isScalar(key) ? key.value === part : key === part))
  return pair === undefined ? undefined : startOf(pair.key)
}

const childOf = (parent: unknown, part: string | number): unknown =>
  isMap(parent) || isSeq(parent) ? parent.get(part, true) : undefined

/** Where the path leads, or as far as the document goes along it: what is missing is missing in its parent. */
export const placeOf = (document: Document, lines: LineCounter, path: Path): Place => {
  let node: unknown = document.contents
  let offset = startOf(node) ?? 0
  for (const part of path) {
    const start = keyStart(node, part)
    const child = childOf(node, part)
    const found = start ?? startOf(child)
    if (found === undefined) break
    offset = found
    node = child
  }
  const { line, col } = lines.linePos(offset)
  return { line: Math.max(1, line), column: Math.max(1, col) }
}
