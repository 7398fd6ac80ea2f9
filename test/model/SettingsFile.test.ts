import { assert, describe, it } from "@effect/vitest"
import { readSettingsFile } from "../../src/model/SettingsFile.ts"

const values = (text: string) =>
  Object.fromEntries(readSettingsFile({ name: "f", text }).lines.map(({ name, value }) => [name, value]))

describe("readSettingsFile", () => {
  it("reads names, values and comments as kong.conf has them", () => {
    const text = [
      "# a comment",
      "   # an indented one",
      "",
      "prefix = /a b/c   # trailing",
      "LOG_LEVEL=debug",
      "admin_token = a\\#b",
      `ssl_cert = "x # y"  # after quotes`,
      "ssl_cert_key = 'single'",
      "trusted_ips ="
    ].join("\r\n")
    assert.deepStrictEqual(values(text), {
      prefix: "/a b/c",
      log_level: "debug",
      admin_token: "a#b",
      ssl_cert: "x # y",
      ssl_cert_key: "single",
      trusted_ips: ""
    })
  })

  it("names the line that it can't read, and reads the others", () => {
    const { lines, faults } = readSettingsFile({ name: "f", text: "a = 1\nwhat\n= 2\nb = 3" })
    assert.deepStrictEqual(
      lines.map(({ name, lineNumber }) => [name, lineNumber]),
      [
        ["a", 1],
        ["b", 4]
      ]
    )
    assert.deepStrictEqual(
      faults.map(({ path }) => path),
      [["f line 2"], ["f line 3"]]
    )
  })
})
