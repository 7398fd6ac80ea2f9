/** Every `curl` line of `docs/admin-api.md`, in its order, against one control plane: what is written is what happens. */
import { readFileSync } from "node:fs"
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { clusterCertificate } from "../support/certificates.ts"
import { call, memoryControlPlane } from "../support/controlPlane.ts"

const text = readFileSync(new URL("../../docs/admin-api.md", import.meta.url), "utf8")

interface Line {
  readonly shown: string
  readonly method: string
  readonly path: string
  readonly json: string | undefined
  readonly form: ReadonlyArray<string>
  readonly headers: Readonly<Record<string, string>>
  readonly status: number
  readonly code: number | undefined
}

/** A shell's words, as far as this page needs them. */
const wordsOf = (line: string): ReadonlyArray<string> =>
  [...line.matchAll(/'([^']*)'|(\S+)/g)].map((match) => match[1] ?? match[2] ?? "")

const parse = (line: string): Line => {
  const [command = "", said = ""] = line.split(/\s+#\s(?=\d{3})/)
  const [, ...words] = wordsOf(command)
  const after = (flag: string) => words.flatMap((word, at) => (words[at - 1] === flag ? [word] : []))
  const url = words.find((word) => word.startsWith("localhost:8001/")) ?? ""
  const code = /code (\d+)/.exec(said)?.[1]
  return {
    shown: line,
    method: after("-X")[0] ?? "GET",
    path: url.slice("localhost:8001".length),
    json: after("--json")[0],
    form: after("-d"),
    headers: Object.fromEntries(after("-H").map((header) => header.split(": ") as [string, string])),
    status: Number(said.slice(0, 3)),
    code: code === undefined ? undefined : Number(code)
  }
}

const lines = text
  .split("\n")
  .filter((line) => line.startsWith("curl "))
  .map(parse)

const bodyOf = ({ json, form }: Line) => {
  if (json !== undefined) return json
  return form.length === 0
    ? undefined
    : new URLSearchParams(form.map((pair) => [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)]))
}

it.live("the page of the admin API says what happens", () =>
  Effect.gen(function* () {
    assert.isAbove(lines.length, 30)
    const ask = Effect.fnUntraced(function* (line: Line) {
      const reply = yield* call(line.method, line.path, bodyOf(line), line.headers)
      assert.strictEqual(reply.status, line.status, `${line.shown}\n${reply.text}`)
      if (line.code !== undefined) assert.strictEqual(reply.body.code, line.code, line.shown)
    })
    const controlPlane = memoryControlPlane(yield* clusterCertificate)
    yield* Effect.forEach(lines, ask, { discard: true }).pipe(Effect.provide(controlPlane))
  })
)
