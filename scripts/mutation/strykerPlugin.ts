/**
 * Loaded by Stryker. It has no door for mutators of one's own, so they are put into its list of them: an inner part of one
 * exact version, pinned by the lock file of `tools/mutation`. Should that ever fail, the ignorer below is missing
 * too, and Stryker stops over it.
 */
import type { Mutator, Node, Path } from "./mutators.ts"
import { ownMutators } from "./mutators.ts"

const listOfStryker = new URL(
  "../../tools/mutation/node_modules/@stryker-mutator/instrumenter/dist/src/mutators/mutate.js",
  import.meta.url
)
const { allMutators }: { readonly allMutators: Array<Mutator> } = await import(listOfStryker.href)
for (const mutator of ownMutators) if (!allMutators.includes(mutator)) allMutators.push(mutator)

/** `Effect.logInfo(…)`, also with its facts: `Effect.logInfo(…).pipe(…)`. */
const isLogCall = ({ type, callee }: Node): boolean => {
  if (type !== "CallExpression") return false
  const { object, property } = callee as { readonly object?: Node; readonly property?: Node }
  if (property?.name === "pipe") return object !== undefined && isLogCall(object)
  return object?.name === "Effect" && /^(log[A-Z]\w*|annotateLogs|withSpan)$/.test(String(property?.name))
}

/** `yield* Effect.logInfo(…)` as a statement of its own. */
const isLogStatement = ({ type, expression }: Node): boolean => {
  if (type !== "ExpressionStatement") return false
  const { type: kind, argument } = expression as Node
  return kind === "YieldExpression" && isLogCall(argument as Node)
}

/** `supervise("licence clock", …)`: the name by which a fiber that failed is told. */
const isFiberName = ({ node, parent }: Path): boolean => {
  const { name } = (parent?.callee ?? {}) as { readonly name?: unknown }
  return node.type === "StringLiteral" && name === "supervise"
}

/** What is said to people, and not what is done. */
const logs = {
  shouldIgnore: (path: Path): string | undefined =>
    isLogCall(path.node) || isLogStatement(path.node) || isFiberName(path) ? "only told in the log" : undefined
}

export const strykerPlugins = [{ kind: "Ignore", name: "logs", value: logs }]
