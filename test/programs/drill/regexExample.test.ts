import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { compileRegex } from "../../../src/model/LinearRegex.ts"
import { regexExample } from "../../../src/programs/drill/regexExample.ts"
import { holds } from "../../support/property.ts"

const matches = (pattern: string, text: string): boolean => {
  const compiled = compileRegex(`(?:${pattern})$`, { isAnchored: true })
  return compiled._tag === "Regex" && compiled.regex.matches(text)
}

describe("an example of a regular expression", () => {
  it.each([
    ["/orders/\\d+", "/orders/1"],
    ["/orders/(?<id>[0-9a-f]{8})$", "/orders/00000000"],
    ["/(?P<lang>de|fr)/x", "/de/x"],
    ["/a(?:b|c)*?d", "/ad"],
    ["^/v[1-3]/.*", "/v1/"],
    ["/[^/]+/b", "/a/b"],
    ["/[^a-z]{2,}", "/11"],
    ["/x\\.json", "/x.json"],
    ["(?i)/Case", "/Case"],
    ["/\\x41\\x{42}", "/AB"],
    ["/\\Qa.b+\\E", "/a.b+"],
    ["/[[:digit:]-]", "/1"],
    ["/[]x]", "/]"],
    ["", ""]
  ])("%s: %s", (pattern, example) => {
    assert.strictEqual(regexExample(pattern), example)
    assert.isTrue(matches(pattern, example))
  })

  it.each(["/\\p{Greek}", "/(unfinished", "/[unfinished", "*", "/(?=ahead)", "/\\1", "a)"])("%s: none", (pattern) => {
    assert.isUndefined(regexExample(pattern))
  })

  const atom = fc.constantFrom(
    "a",
    "/",
    "-",
    "\\d",
    "\\w",
    "\\.",
    "[a-f]",
    "[^/]",
    "[^a-z0-9]",
    ".",
    "é",
    "[\\d_]",
    "%20"
  )
  const { pattern } = fc.letrec<{ pattern: string; piece: string }>((tie) => ({
    piece: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      fc.tuple(atom, fc.constantFrom("", "", "+", "*", "?", "{2}", "{1,3}", "+?")).map((parts) => parts.join("")),
      tie("pattern").map((inside) => `(?:${inside})`),
      tie("pattern").map((inside) => `(?<n>${inside})`)
    ),
    pattern: fc
      .array(
        fc.array(tie("piece"), { maxLength: 4 }).map((pieces) => pieces.join("")),
        { minLength: 1, maxLength: 3 }
      )
      .map((alternatives) => alternatives.join("|"))
  }))

  it("is matched by whatever is written in what it understands", () => {
    holds(pattern, (written) => {
      const unique = written.replaceAll("(?<n>", "(")
      const example = regexExample(unique)
      assert.isDefined(example)
      assert.isTrue(matches(unique, example ?? ""), example)
    })
  })
})
