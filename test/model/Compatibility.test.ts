/** Reference `hybrid-protocol-v1.md` §9.1 and §9.2. */
import { assert, describe, it } from "@effect/vitest"
import { checkPlugins, checkVersions } from "../../src/model/Compatibility.ts"

describe("gateway versions (§9.1)", () => {
  for (const [control, data, expected] of [
    ["3.9.0", "3.9.0", true],
    ["3.9.0", "3.9.7", true],
    ["3.9.7", "3.9.0.1-enterprise-edition", true],
    ["3.9.0", "3.8.1", true],
    ["3.9.0", "3.10.0", false],
    ["3.9.0", "2.8.1", false],
    ["3.9.0", "4.0.0", false],
    ["3.9.0", "3.9", false],
    ["3.9.0", "", false]
  ] as const) {
    it(`${data} below ${control}: ${expected}`, () => {
      assert.strictEqual(checkVersions(control, data)._tag === "Compatible", expected)
    })
  }
})

describe("configured plugins (§9.2)", () => {
  const check = (control?: string, data?: string, name = "acl") => {
    const plugin = (version?: string) => [version === undefined ? { name } : { name, version }]
    const verdict = checkPlugins({ configured: [name], control: plugin(control), data: plugin(data) })
    return verdict._tag === "Compatible" ? "normal" : verdict.status
  }

  it("asks only for plugins that are configured", () => {
    assert.strictEqual(checkPlugins({ configured: [], control: [{ name: "a" }], data: [] })._tag, "Compatible")
  })

  it("refuses a data plane that lacks one", () => {
    const verdict = checkPlugins({ configured: ["acl"], control: [], data: [] })
    assert.strictEqual(verdict._tag === "Incompatible" && verdict.status, "plugin_set_incompatible")
  })

  it("compares versions where both have one", () => {
    assert.strictEqual(check("3.9.0", "3.9.1"), "normal")
    assert.strictEqual(check("3.9.0", "3.8.0"), "normal")
    assert.strictEqual(check("3.8.0", "3.9.0"), "plugin_version_incompatible")
    assert.strictEqual(check("3.9.0", "2.9.0"), "plugin_version_incompatible")
    assert.strictEqual(check("3.9.0", undefined), "normal")
    assert.strictEqual(check(undefined, "3.9.0"), "normal")
  })

  it("lets the first opentelemetry pass", () => {
    assert.strictEqual(check("3.9.0", "0.1.5", "opentelemetry"), "normal")
  })
})
