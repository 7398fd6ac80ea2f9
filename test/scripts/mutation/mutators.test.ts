/** Each mutator on a snippet: what it plants, and where it plants nothing. */
import { assert, describe, it } from "@effect/vitest"
import { parseAst } from "rolldown/parseAst"
import { type Node, ownMutators } from "../../../scripts/mutation/mutators.ts"

/** The parser at hand says `Literal` where Babel says `NumericLiteral`, and `Property` for `ObjectProperty`. */
const asBabel = (node: Node): Node => {
  if (node.type === "Literal" && typeof node.value === "number") return { ...node, type: "NumericLiteral" }
  return node.type === "Property" ? { ...node, type: "ObjectProperty" } : node
}

const isNode = (value: unknown): value is Node => typeof (value as Node | null)?.type === "string"

const translated = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(translated)
  if (!isNode(value)) return value
  return asBabel(Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, translated(inner)])) as never)
}

const everyPath = function* (node: Node, parent?: Node): Generator<{ node: Node; parent: Node | undefined }> {
  yield { node, parent }
  for (const inner of Object.values(node).flat()) if (isNode(inner)) yield* everyPath(inner, node)
}

/** A tree as text again, as far as these snippets need it. */
const shown = (node: Node): string => {
  const list = (nodes: unknown) => (nodes as ReadonlyArray<Node>).map(shown).join(", ")
  switch (node.type) {
    case "ObjectExpression":
      return `{ ${list(node.properties)} }`
    case "ArrayExpression":
      return `[${list(node.elements)}]`
    case "CallExpression":
      return `${shown(node.callee as Node)}(${list(node.arguments)})`
    case "SpreadElement":
      return `...${shown(node.argument as Node)}`
    case "ObjectProperty":
      return node.shorthand === true
        ? shown(node.key as Node)
        : `${shown(node.key as Node)}: ${shown(node.value as Node)}`
    case "MemberExpression":
      return `${shown(node.object as Node)}.${shown(node.property as Node)}`
    case "Identifier":
      return String(node.name)
    case "EmptyStatement":
      return ";"
    default:
      return String(node.value)
  }
}

const planted = (name: string, source: string): ReadonlyArray<string> => {
  const mutator = ownMutators.find((one) => one.name === name)
  assert.isDefined(mutator)
  const tree = translated(parseAst(source, { lang: "ts" })) as Node
  return [...everyPath(tree)].flatMap((path) => [...(mutator?.mutate(path) ?? [])].map(shown))
}

const cases: ReadonlyArray<readonly [mutator: string, source: string, planted: ReadonlyArray<string>]> = [
  [
    "MemberRemoval",
    "f({ ...state, link, dial: 1 })",
    ["{ link, dial: 1 }", "{ ...state, dial: 1 }", "{ ...state, link }"]
  ],
  ["MemberRemoval", "f({ link, dial: 1 })", []],
  ["MemberRemoval", "f({ ...state })", []],
  ["ElementRemoval", "f([a, ...b, c])", ["[...b, c]", "[a, c]", "[a, ...b]"]],
  ["ElementRemoval", "f([a])", []],
  ["ElementRemoval", "const [a, b] = f()", []],
  ["PartRemoval", "sequence(state, a, b)", ["sequence(state, b)", "sequence(state, a)"]],
  ["PartRemoval", "sequence(state)", []],
  ["PartRemoval", "value.pipe(a, b)", ["value.pipe(b)", "value.pipe(a)"]],
  ["PartRemoval", "pipe(value, a)", ["pipe(value)"]],
  ["PartRemoval", "other(state, a)", []],
  ["NumberShift", "f(0, 1_000)", ["1", "1001"]],
  ["NumberShift", "f({ 1: a })", []],
  ["NumberShift", 'f("1")', []],
  ["FallbackSide", "f(a ?? b)", ["a", "b"]],
  ["FallbackSide", "f(a || b)", []],
  ["StatementRemoval", "() => { f(); x = 1; i++; return i }", [";", ";", ";"]],
  ["StatementRemoval", "() => { f() }", []],
  ["StatementRemoval", "() => { const a = f(); return a }", []]
]

describe("the mutators of our own", () => {
  for (const [mutator, source, expected] of cases)
    it(`${mutator}: ${source}`, () => assert.deepStrictEqual(planted(mutator, source), expected))

  it("each have a snippet here that they mutate, and one that they leave alone", () => {
    for (const { name } of ownMutators) {
      assert.isTrue(
        cases.some(([mutator, , expected]) => mutator === name && expected.length > 0),
        name
      )
      assert.isTrue(
        cases.some(([mutator, , expected]) => mutator === name && expected.length === 0),
        name
      )
    }
  })

  it("leave the tree that they were given as it was", () => {
    const tree = translated(parseAst("sequence({ ...a, b: 1 }, [1, 2], c ?? d)", { lang: "ts" })) as Node
    const before = JSON.stringify(tree)
    for (const path of everyPath(tree)) for (const { mutate } of ownMutators) [...mutate(path)]
    assert.strictEqual(JSON.stringify(tree), before)
  })
})
