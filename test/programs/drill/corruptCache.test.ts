/** `drills.md`, corrupt-cache: "Refused files are in quarantine with their reasons." */
import { createHash } from "node:crypto"
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import type { RequestListener } from "node:http"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Result } from "effect"
import { corruptCache } from "../../../src/programs/drill/corruptCache.ts"
import { drillGround } from "../../support/drillGround.ts"

/** A node that says all that the step wants to hear. What it does with its files is another matter. */
const answer: RequestListener = (request, response) => {
  const isReady = request.url === "/status/ready"
  response.statusCode = request.url === "/status" ? 200 : isReady ? 503 : 404
  const last_rejection = { reasons: ["gzip: expected gzip"] }
  response.end(isReady ? "no configuration available" : JSON.stringify({ configuration: { last_rejection } }))
}

const putAway = (prefix: string, file: string, reasons: string | undefined): void => {
  const digest = createHash("sha256").update(readFileSync(file)).digest("hex").slice(0, 12)
  const kept = join(prefix, "quarantine", `000001-${digest}`)
  renameSync(file, `${kept}.json.gz`)
  if (reasons !== undefined) writeFileSync(`${kept}.reason.txt`, reasons)
}

type Care = (prefix: string, file: string) => void

/** The step with a node that has a current file and an older one, and does this with each when it starts. */
const damageAll = (care: Care) =>
  Effect.gen(function* () {
    const filesOf = (prefix: string) => [
      join(prefix, "config.json.gz"),
      ...readdirSync(join(prefix, "generations")).map((name) => join(prefix, "generations", name))
    ]
    const { ground } = yield* drillGround({
      answer,
      onStart: (directory) => {
        const prefix = join(directory, "data-plane")
        for (const file of filesOf(prefix)) care(prefix, file)
      }
    })
    const prefix = join(ground.stage.directory, "data-plane")
    for (const folder of ["quarantine", "generations"]) mkdirSync(join(prefix, folder), { recursive: true })
    writeFileSync(join(prefix, "config.json.gz"), "a configuration")
    writeFileSync(join(prefix, "generations", "000001.json.gz"), "an older one")
    // From before: a refused file that is put away is no proof that these are.
    putAway(prefix, join(prefix, "generations", "000001.json.gz"), "step gzip")
    writeFileSync(join(prefix, "generations", "000002.json.gz"), "a newer one")
    const step = corruptCache.steps.find(({ title }) => title.includes("overwrite every file"))
    return yield* Effect.result(step?.play(ground) ?? Effect.succeed("no such step"))
  })

const isOlder = (file: string): boolean => file.includes("generations")

describe("the step that damages every file", () => {
  it.live("passes when each is in quarantine with its reason", () =>
    Effect.gen(function* () {
      const outcome = yield* damageAll((prefix, file) =>
        putAway(prefix, file, "refused, step gzip: not in gzip format")
      )
      assert.include(Result.getOrThrow(outcome), "2 damaged files refused and in quarantine")
    })
  )

  it.live("fails when they are not, or for another reason", () =>
    Effect.gen(function* () {
      const cases: ReadonlyArray<readonly [string, Care, RegExp]> = [
        ["all are gone", (_, file) => rmSync(file), /is not in quarantine/],
        [
          "the older one is gone",
          (prefix, file) => (isOlder(file) ? rmSync(file) : putAway(prefix, file, "step gzip")),
          /is not in quarantine/
        ],
        ["they stay where they were", () => {}, /is not in quarantine/],
        ["no reason stands beside them", (prefix, file) => putAway(prefix, file, undefined), /not because of gzip/],
        ["another reason does", (prefix, file) => putAway(prefix, file, "step read: EIO"), /not because of gzip/]
      ]
      const outcomes = yield* Effect.forEach(cases, ([, care]) => damageAll(care), { concurrency: "unbounded" })
      for (const [index, [what, , reason]] of cases.entries()) {
        const outcome = outcomes[index]
        assert.strictEqual(outcome?._tag, "Failure", what)
        if (outcome?._tag === "Failure") assert.match(outcome.failure.reason, reason, what)
      }
    })
  )
})
