import { assert, describe, it } from "@effect/vitest"
import { compileRegex, type LinearRegex } from "../../src/model/LinearRegex.ts"

const regexOf = (pattern: string, isAnchored = true): LinearRegex => {
  const compiled = compileRegex(pattern, { isAnchored })
  if (compiled._tag === "Refused") throw new Error(compiled.reason)
  return compiled.regex
}

describe("regular expressions from a configuration, router.md §3", () => {
  it("are anchored at the start, not at the end", () => {
    assert.isTrue(regexOf("/a").matches("/abc"))
    assert.isFalse(regexOf("/b").matches("/a/b"))
    assert.isFalse(regexOf("/a|/b").matches("/x/b"))
    assert.isTrue(regexOf("/b", false).matches("/a/b"))
  })

  it("locate what they matched", () => {
    assert.strictEqual(regexOf("/users/\\d+").matchedLength("/users/12/x"), 9)
    assert.strictEqual(regexOf("/users/(?<id>\\d+)").matchedLength("/users/12/x"), 9)
    assert.strictEqual(regexOf("/a").matchedLength("/b"), 0)
  })

  it.each(["(a+)\\1", "(?=a)b", "(?<!a)b", "[", "a)(b", "\\Qa"])("refuse %s", (pattern) =>
    assert.strictEqual(compileRegex(pattern, { isAnchored: true })._tag, "Refused")
  )

  it.each(["(a+)+$", "(a|aa)+$", "(a|a?)+$"])("%s ends on any text", (pattern) => {
    const text = `${"a".repeat(10_000)}!`
    assert.isFalse(regexOf(pattern).matches(text))
    assert.strictEqual(regexOf(pattern).matchedLength(text), 0)
  })
})
