import { assert, describe, it } from "@effect/vitest"
import { settingTable } from "../../src/model/SettingTable.ts"
import type { Command } from "../../src/programs/Command.ts"
import { helpFor, parseCommandLine } from "../../src/programs/CommandLine.ts"
import { commands } from "../../src/programs/commands.ts"

const parse = (...line: ReadonlyArray<string>) => parseCommandLine(commands, line)

const refusal = (...line: ReadonlyArray<string>): string => {
  const request = parse(...line)
  if (request.kind !== "refused") throw new Error(`${line.join(" ")} was taken as ${request.kind}`)
  assert.strictEqual(request.error.exitCode, 2)
  return request.error.message
}

describe("parseCommandLine", () => {
  it("finds the command, its flags and the file", () => {
    const request = parse("control-plane", "-c", "a.conf")
    assert.strictEqual(request.kind, "run")
    if (request.kind !== "run") return
    assert.strictEqual(request.command.name, "control-plane")
    assert.strictEqual(request.input.flags.conf, "a.conf")
  })

  it("takes no command for the role that the settings name", () => {
    const request = parse("-c", "a.conf")
    assert.strictEqual(request.kind === "run" ? request.command.name : request.kind, "")
  })

  it("refuses what it does not know, and says where to look", () => {
    assert.strictEqual(refusal("--nope"), "Unknown option '--nope' (see holdfast --help)")
    assert.strictEqual(refusal("proxy"), "unknown command proxy (see holdfast --help)")
    assert.strictEqual(refusal("certs"), "--out DIR is missing (see holdfast certs --help)")
    assert.strictEqual(refusal("data-plane", "x"), "unexpected x (see holdfast data-plane --help)")
    assert.match(refusal("data-plane", "-c"), /^Option '-c, --conf <value>' argument missing/)
    assert.strictEqual(
      refusal("simulate", "--nodes", "-1"),
      "--nodes: expected a value; write --nodes=VALUE for one that begins with a dash (see holdfast simulate --help)"
    )
    assert.notInclude(refusal("-c", "--version"), "\n")
  })

  it("names the commands that begin with a word that is none by itself", () => {
    const expected = "expected license keygen, license issue, license verify (see holdfast --help)"
    assert.strictEqual(refusal("license"), `unknown command license: ${expected}`)
    assert.strictEqual(refusal("license", "sign"), `unknown command license sign: ${expected}`)
  })

  it("tells the exit codes of a command that has more", () => {
    const drill = commands.find(({ name }) => name === "drill")
    assert.include(drill === undefined ? "" : helpFor(commands, drill), "3 it could not be played to its end")
  })

  it("prefers the longest name, and reads operands", () => {
    const check: Command = {
      name: "config check",
      summary: "Check a file.",
      flags: {},
      operands: ["FILE", "[OTHER]"],
      endsBySignal: () => false,
      load: () => Promise.reject(new Error("not loaded here"))
    }
    const request = parseCommandLine([...commands, check], ["config", "check", "kong.yml"])
    assert.deepStrictEqual(request.kind === "run" ? request.input.operands : request.kind, ["kong.yml"])
    assert.strictEqual(parseCommandLine([...commands, check], ["config", "check"]).kind, "refused")
    assert.include(helpFor([...commands, check], check), "Usage: holdfast config check [options] FILE [OTHER]")
  })

  it("lists every setting with its default, its meaning and what it expects", () => {
    const [root] = commands
    if (root === undefined) throw new Error("no commands")
    const help = helpFor(commands, root)
    const words = help.replace(/\s+/g, " ")
    for (const [name, { preset, help: meaning, type }] of Object.entries(settingTable)) {
      assert.match(help, new RegExp(`^    ${name}( = |   \\(secret|$)`, "m"))
      for (const text of [preset ?? "", meaning, type.expected]) assert.include(words, text)
    }
    assert.isBelow(Math.max(...help.split("\n").map((line) => line.length)), 121)
    const [, other] = commands
    assert.notInclude(other === undefined ? "" : helpFor(commands, other), "cluster_mtls")
  })

  it("has help for every command, and names the hidden ones nowhere", () => {
    for (const { name } of commands) {
      assert.strictEqual(parse(...name.split(" ").filter((word) => word !== ""), "--help").kind, "help")
    }
    const [root] = commands
    if (root === undefined) throw new Error("no commands")
    const help = helpFor(commands, root)
    for (const { name, isHidden } of commands)
      assert.strictEqual(name !== "" && help.includes(`\n  ${name} `), name !== "" && isHidden !== true, name)
  })
})
