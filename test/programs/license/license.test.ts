/** `holdfast license keygen|issue|verify`. Reference `resilience.md` §6.1: what a licence looks like. */
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { vi } from "vitest"
import type { Row } from "../../../src/model/Entity.ts"
import { signatureVerdict } from "../../../src/model/LicenseSignature.ts"
import { readPublicKeys } from "../../../src/model/SigningKey.ts"
import type { RunCommand } from "../../../src/programs/Command.ts"
import { runIssue } from "../../../src/programs/license/Issue.ts"
import { runKeygen } from "../../../src/programs/license/Keygen.ts"
import { runVerify } from "../../../src/programs/license/Verify.ts"
import { temporaryFolder } from "../../support/folder.ts"
import { licenseUntil, parsed, publicPem } from "../../support/licenses.ts"

type Flags = Readonly<Record<string, string>>

/** The exit code and what was printed. */
const run = (command: RunCommand, flags: Flags, ...operands: ReadonlyArray<string>) =>
  Effect.acquireUseRelease(
    Effect.sync(() => {
      const written: Array<string> = []
      const spy = vi.spyOn(process.stdout, "write").mockImplementation((text) => written.push(String(text)) > 0)
      return { spy, written }
    }),
    ({ written }) => Effect.map(command({ flags, operands, env: {} }), (code) => ({ code, text: written.join("") })),
    ({ spy }) => Effect.sync(() => spy.mockRestore())
  )

const refusal = (command: RunCommand, flags: Flags, ...operands: ReadonlyArray<string>) =>
  Effect.map(Effect.flip(run(command, flags, ...operands)), ({ exitCode, message }) => ({ exitCode, message }))

const today = "2026-05-01T12:00:00Z"

/** A folder with a key pair, on a day of one's own. */
const start = Effect.gen(function* () {
  yield* TestClock.setTime(Date.parse(today))
  const folder = yield* temporaryFolder
  const key = join(folder, "deep", "signing.key")
  yield* run(runKeygen, { out: key })
  return { folder, key, out: join(folder, "license.json") }
})

describe("holdfast license keygen", () => {
  it.effect("makes a private key that only its owner reads, and the public one beside it", () =>
    Effect.gen(function* () {
      const { key } = yield* start
      assert.match(readFileSync(key, "utf8"), /^-----BEGIN PRIVATE KEY-----/)
      assert.strictEqual(statSync(key).mode & 0o777, 0o600)
      assert.strictEqual(statSync(`${key}.pub`).mode & 0o777, 0o644)
      assert.strictEqual(readPublicKeys(readFileSync(`${key}.pub`, "utf8"))?.length, 1)
    })
  )

  it.effect.each(["signing.key", "signing.key.pub"])("refuses to overwrite %s and touches neither", (name) =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      writeFileSync(join(folder, name), "mine")
      const { exitCode, message } = yield* refusal(runKeygen, { out: join(folder, "signing.key") })
      assert.deepStrictEqual([exitCode, message], [1, `${join(folder, name)} exists already and is not overwritten`])
      assert.strictEqual(readFileSync(join(folder, name), "utf8"), "mine")
      assert.isFalse(existsSync(join(folder, name === "signing.key" ? "signing.key.pub" : "signing.key")))
    })
  )
})

describe("holdfast license issue", () => {
  it.effect("signs a licence with Kong's fields, for a year unless a day is named", () =>
    Effect.gen(function* () {
      const { key, out } = yield* start
      const { code, text } = yield* run(runIssue, { key, out, customer: "Example Ltd", dataplanes: "5" })
      assert.deepStrictEqual([code, text], [0, `${out}\n`])
      assert.strictEqual(statSync(out).mode & 0o777, 0o600)
      const license = parsed(readFileSync(out, "utf8"))
      const { license_key: licenseKey, signing_key: signingKey, ...payload } = license.payload
      assert.match(String(licenseKey), /^[0-9a-f-]{36}$/)
      assert.match(String(signingKey), /^ed25519:/)
      assert.deepStrictEqual(payload, {
        customer: "Example Ltd",
        product_subscription: "",
        support_plan: "",
        admin_seats: "",
        dataplanes: "5",
        license_creation_date: "2026-05-01",
        license_expiration_date: "2027-05-01"
      } as Row)
      const publicKeys = readPublicKeys(readFileSync(`${key}.pub`, "utf8")) ?? []
      assert.strictEqual(signatureVerdict(license, publicKeys), "verified")
    })
  )

  it.effect("takes any day, past ones too, and no other date", () =>
    Effect.gen(function* () {
      const { key, folder } = yield* start
      for (const expires of ["2024-02-29", "9999-12-31", "0001-01-01"]) {
        const out = join(folder, expires)
        yield* run(runIssue, { key, out, expires })
        assert.strictEqual(parsed(readFileSync(out, "utf8")).payload.license_expiration_date, expires)
      }
      const out = join(folder, "none")
      const { exitCode, message } = yield* refusal(runIssue, { key, out, expires: "2026-02-30" })
      assert.deepStrictEqual(
        [exitCode, message],
        [2, '--expires: expected a date, written YYYY-MM-DD, got "2026-02-30"']
      )
      assert.isFalse(existsSync(out))
    })
  )

  it.effect("says which licence would be larger than any node takes", () =>
    Effect.gen(function* () {
      const { key, out } = yield* start
      const { exitCode, message } = yield* refusal(runIssue, { key, out, customer: "x".repeat(70_000) })
      assert.deepStrictEqual([exitCode, message], [2, `${out}: expected at most 65536 bytes`])
      assert.isFalse(existsSync(out))
    })
  )

  it.effect("overwrites nothing, and takes no key of another kind", () =>
    Effect.gen(function* () {
      const { key, out, folder } = yield* start
      writeFileSync(out, "mine")
      assert.deepInclude(yield* refusal(runIssue, { key, out }), { exitCode: 1 })
      assert.strictEqual(readFileSync(out, "utf8"), "mine")
      for (const wrong of [`${key}.pub`, out, join(folder, "nowhere")]) {
        const { exitCode, message } = yield* refusal(runIssue, { key: wrong, out: join(folder, "new") })
        assert.strictEqual(exitCode, 1)
        assert.include(message, `${wrong}: expected a`)
      }
    })
  )
})

describe("holdfast license verify", () => {
  const write = (folder: string, name: string, text: string) => {
    const file = join(folder, name)
    writeFileSync(file, text)
    return file
  }

  it.effect("shows what a node would make of it, and never the licence's key", () =>
    Effect.gen(function* () {
      const { folder } = yield* start
      const ours = write(folder, "ours.pub", publicPem(1))
      const theirs = write(folder, "theirs.pub", publicPem(2))
      const verify = (expires: string, flags: Flags = {}) =>
        run(runVerify, flags, write(folder, "l.json", licenseUntil(expires, { customer: "Example\u001b[2J" })))

      const good = yield* verify("2026-06-01", { "public-key": ours })
      assert.strictEqual(good.code, 0)
      assert.strictEqual(
        good.text,
        [
          "customer   Example?[2J",
          "created    2001-01-01",
          "expires    2026-06-01, 00:00 UTC (31 days left)",
          "signature  verified",
          ""
        ].join("\n")
      )
      assert.notInclude(good.text, "not-for-anybodys-eyes")

      const unchecked = yield* verify("2026-05-02")
      assert.strictEqual(unchecked.code, 0)
      assert.match(unchecked.text, /\(1 day left\)\nsignature {2}not checked: no --public-key was given\n$/)

      const foreign = yield* verify("2026-06-01", { "public-key": theirs })
      assert.strictEqual(foreign.code, 1)
      assert.match(foreign.text, /\(31 days left\)\nsignature {2}unverifiable: /)
      const changed = write(folder, "c.json", licenseUntil("2026-06-01").replace("2026-06-01", "2026-07-01"))
      const forged = yield* run(runVerify, { "public-key": ours }, changed)
      assert.strictEqual(forged.code, 1)
      assert.match(forged.text, /\(61 days left\)\nsignature {2}invalid: /)

      const expired = yield* verify("2026-05-01", { "public-key": ours })
      assert.strictEqual(expired.code, 1)
      assert.match(expired.text, /2026-05-01, 00:00 UTC \(expired\)\nsignature {2}verified/)
    })
  )

  it.effect("tells every fault of what is no licence, with the file, and no value", () =>
    Effect.gen(function* () {
      const { folder } = yield* start
      const file = write(folder, "l.json", licenseUntil("2026-06-01").replace('"version": "1"', '"version": "s3cret"'))
      assert.deepStrictEqual(yield* refusal(runVerify, {}, file), {
        exitCode: 1,
        message: `${file}: license.version: expected "1"`
      })
      const nowhere = join(folder, "nowhere")
      assert.deepInclude(yield* refusal(runVerify, {}, nowhere), { message: `${nowhere}: expected a licence (ENOENT)` })
      const noKey = yield* refusal(runVerify, { "public-key": file }, file)
      assert.include(noKey.message, "expected Ed25519 public keys in PEM")
    })
  )
})
