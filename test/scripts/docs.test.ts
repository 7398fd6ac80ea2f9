/** The documents that are made from the sources are those of these very sources. */
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { declarationsOf } from "../../scripts/docs/declarations.ts"
import { documents } from "../../scripts/docs/documents.ts"
import { findEvents, legendFaults } from "../../scripts/docs/events.ts"
import { logCallsOf } from "../../scripts/docs/logCalls.ts"

const root = fileURLToPath(new URL("../..", import.meta.url))

describe("documents", () => {
  for (const [name, render] of Object.entries(documents)) {
    it(`${name} is what \`npm run docs\` makes`, () => {
      assert.strictEqual(readFileSync(`${root}/${name}`, "utf8"), render(root), "run `npm run docs`")
    })
  }
})

describe("the legend of events", () => {
  const events = findEvents(root)

  it("gives every event a meaning, and has no meaning without an event", () => {
    assert.deepStrictEqual(legendFaults(events), [])
    assert.isAbove(events.length, 30)
  })

  it("misses neither side", () => {
    const stray = { level: "info", message: "never heard of", fields: [], file: "src/x.ts" } as const
    assert.match(legendFaults([...events, stray]).join(), /never heard of" has no meaning/)
    assert.match(legendFaults(events.slice(1)).join(), /nothing logs/)
  })
})

describe("reading log calls", () => {
  it("finds level, message and fields, in every form that the house uses", () => {
    const { calls, unreadable } = logCallsOf(`
      // Effect.logError("in a comment")
      const facts = { reason, cause: error.message }
      yield* Effect.logInfo("plain")
      yield* Effect.logWarning("with a record", { settings: names.map((n) => \`X_\${n}\`) })
      yield* Effect.logDebug(isFirst ? "one, way" : "another").pipe(Effect.annotateLogs(facts), Effect.as(1))
      yield* Effect.logError(\`\${name} failed\`).pipe(
        Effect.annotateLogs({ a, ...facts, ...(b === undefined ? {} : { b: b + 1 }) })
      )
      const say = () => warn("on the request path", { requestId })
    `)
    assert.deepStrictEqual(unreadable, [])
    assert.deepStrictEqual(calls, [
      { level: "info", message: "plain", fields: [] },
      { level: "warn", message: "with a record", fields: ["settings"] },
      { level: "debug", message: "one, way", fields: ["reason", "cause"] },
      { level: "debug", message: "another", fields: ["reason", "cause"] },
      { level: "error", message: "<name> failed", fields: ["a", "reason", "cause", "b"] },
      { level: "warn", message: "on the request path", fields: ["requestId"] }
    ])
  })

  it("says where a message can't be read", () => {
    assert.deepStrictEqual(logCallsOf("\nyield* Effect.logInfo(text)").unreadable, [2])
  })
})

describe("reading declarations", () => {
  it("takes docstrings and signatures, and leaves bodies out", () => {
    const { header, exported, local } = declarationsOf(`/** The file. */
import { x } from "y"

/** A sum. */
export const add = (a: number, b: number): number => {
  return a + b
}

/** Twice. */
const twice = (a: number) => add(a, a)

export interface Point {
  readonly x: number
}

export const table: Readonly<Record<string, number>> = { a: 1 }

/** Both. */
export const both = { add, twice }
`)
    assert.strictEqual(header, "The file.")
    assert.deepStrictEqual(
      exported.map(({ name, doc, signature }) => [name, doc, signature]),
      [
        ["add", "A sum.", "const add = (a: number, b: number): number"],
        ["Point", "", "interface Point {\n  readonly x: number\n}"],
        ["table", "", "const table: Readonly<Record<string, number>>"],
        ["both", "Both.", "const both = { add, twice }"]
      ]
    )
    assert.deepStrictEqual(
      local.map(({ name, doc }) => [name, doc]),
      [["twice", "Twice."]]
    )
  })
})
