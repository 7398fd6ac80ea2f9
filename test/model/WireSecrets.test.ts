/** Never a secret or a body in a log (`DESIGN.md`, "The surface"): V8's words for a syntax error quote what stands around it. */
import { assert, describe, it } from "@effect/vitest"
import { decodeReconfigure } from "../../src/model/Wire.ts"

describe("a push that is no JSON", () => {
  it("is refused without a word of its content", () => {
    const text = '{"type":"reconfigure","config_table":{"basicauth_credentials":[{"password":hunter2secret}]}}'
    const decoded = decodeReconfigure(new TextEncoder().encode(text))
    assert(decoded._tag === "Wrong")
    assert.notInclude(JSON.stringify(decoded.faults), "hunter2")
  })
})
