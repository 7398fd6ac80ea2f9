/**
 * Faults that Stryker's own mutators don't plant, in the shapes that this code is made of: states copied with one member
 * changed, lists of things to do, parts in a row, numbers. They see Babel's tree through as little of it as they need.
 */

export interface Node {
  readonly type: string
  readonly [member: string]: unknown
}

/** What Babel calls a path. */
export interface Path {
  readonly node: Node
  readonly parent?: Node | undefined
}

export interface Mutator {
  readonly name: string
  /** What may stand in the node's place, one fault each. */
  readonly mutate: (path: Path) => Iterable<Node>
}

const nodesIn = (value: unknown): ReadonlyArray<Node> => (Array.isArray(value) ? value : [])

/** The list without one of its nodes, once for each that may go. */
const withoutEach = (nodes: ReadonlyArray<Node>, first = 0): ReadonlyArray<ReadonlyArray<Node>> =>
  nodes.slice(first).map((gone) => nodes.filter((node) => node !== gone))

/** `{ ...state, link, dial }` loses each of the three. Where nothing is spread, the compiler misses what is gone. */
const memberRemoval: Mutator = {
  name: "MemberRemoval",
  *mutate({ node }) {
    const members = nodesIn(node.properties)
    if (node.type !== "ObjectExpression" || members.length < 2) return
    if (!members.some(({ type }) => type === "SpreadElement")) return
    for (const properties of withoutEach(members)) yield { ...node, properties }
  }
}

/** A list of one is emptied by Stryker. */
const elementRemoval: Mutator = {
  name: "ElementRemoval",
  *mutate({ node }) {
    const all = nodesIn(node.elements)
    if (node.type !== "ArrayExpression" || all.length < 2) return
    for (const elements of withoutEach(all)) yield { ...node, elements }
  }
}

const calleeName = (callee: unknown): { readonly name: unknown; readonly isMethod: boolean } => {
  const { type, name, property } = callee as Node
  return type === "MemberExpression" ? { name: (property as Node).name, isMethod: true } : { name, isMethod: false }
}

/** `sequence(state, a, b)` and `value.pipe(a, b)` lose each part. */
const partRemoval: Mutator = {
  name: "PartRemoval",
  *mutate({ node }) {
    if (node.type !== "CallExpression") return
    const { name, isMethod } = calleeName(node.callee)
    if (name !== "pipe" && name !== "sequence") return
    for (const rest of withoutEach(nodesIn(node.arguments), isMethod ? 0 : 1)) yield { ...node, arguments: rest }
  }
}

const numberShift: Mutator = {
  name: "NumberShift",
  *mutate({ node, parent }) {
    if (node.type !== "NumericLiteral" || typeof node.value !== "number") return
    // A key is a name, whatever it looks like.
    if (parent?.type === "ObjectProperty" && parent.key === node) return
    yield { type: "NumericLiteral", value: node.value + 1 }
  }
}

/** `a ?? b` becomes each of its sides. */
const fallbackSide: Mutator = {
  name: "FallbackSide",
  *mutate({ node }) {
    if (node.type === "LogicalExpression" && node.operator === "??") yield* [node.left as Node, node.right as Node]
  }
}

const deeds: ReadonlySet<string> = new Set([
  "CallExpression",
  "OptionalCallExpression",
  "AwaitExpression",
  "YieldExpression",
  "AssignmentExpression",
  "UpdateExpression"
])

/** A deed is not done. A block of one is emptied by Stryker. */
const statementRemoval: Mutator = {
  name: "StatementRemoval",
  *mutate({ node, parent }) {
    if (node.type !== "ExpressionStatement" || !deeds.has((node.expression as Node).type)) return
    if (nodesIn(parent?.body).length > 1) yield { type: "EmptyStatement" }
  }
}

export const ownMutators: ReadonlyArray<Mutator> = [
  memberRemoval,
  elementRemoval,
  partRemoval,
  numberShift,
  fallbackSide,
  statementRemoval
]
