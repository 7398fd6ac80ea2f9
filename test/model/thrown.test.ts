import { assert, describe, it } from "@effect/vitest"
import { isShortOfMemory, syntaxTrouble } from "../../src/model/thrown.ts"

const thrownBy = (run: () => unknown): unknown => {
  try {
    run()
  } catch (cause) {
    return cause
  }
  throw new Error("expected it to throw")
}

describe("what is wrong with a text", () => {
  it("is told without what stands there, which may be a secret (DESIGN.md, The surface)", () => {
    for (const text of ['{"password":hunter2secret}', "hunter2secret", '{"a":"hunter2secret', '[1,hunter2secret"]']) {
      const told = syntaxTrouble(thrownBy(() => JSON.parse(text)))
      assert.notInclude(told, "unter2")
      assert.match(told, /^(Unexpected|Unterminated|Expected)/)
    }
    assert.strictEqual(
      syntaxTrouble(new Error('Unexpected scalar token in YAML stream: "hunter2secret"')),
      "Unexpected scalar token in YAML stream"
    )
  })
})

describe("want of memory", () => {
  it("is told from what would happen again", () => {
    for (const code of ["ENOMEM", "ERR_MEMORY_ALLOCATION_FAILED", "Z_MEM_ERROR"])
      assert.isTrue(isShortOfMemory(Object.assign(new Error("no"), { code })))
    assert.isTrue(isShortOfMemory(new RangeError("Array buffer allocation failed")))
    assert.isFalse(isShortOfMemory(new RangeError("Maximum call stack size exceeded")))
    assert.isFalse(isShortOfMemory(new Error("Array buffer allocation failed")))
    assert.isFalse(isShortOfMemory("ENOMEM"))
  })
})
