/** Reference `hybrid-protocol-v1.md` §1.2: what `kong hybrid gen_cert` makes. */
import { X509Certificate } from "node:crypto"
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { writeClusterCertificate } from "../../src/programs/Certs.ts"
import { temporaryFolder } from "../support/folder.ts"

describe("holdfast certs", () => {
  it.effect("makes the directory, the certificate and a key that only its owner reads", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(Date.UTC(2026, 0, 1))
      const directory = join(yield* temporaryFolder, "a", "b")
      const { cert, key } = yield* writeClusterCertificate(directory, 1095)
      const certificate = new X509Certificate(readFileSync(cert))
      assert.strictEqual(certificate.subject, "CN=kong_clustering")
      assert.strictEqual(Date.parse(certificate.validTo), Date.UTC(2026, 0, 1) + 1095 * 86_400_000)
      assert.strictEqual(statSync(key).mode & 0o777, 0o600)
      assert.strictEqual(statSync(cert).mode & 0o777, 0o644)
      assert.match(readFileSync(key, "utf8"), /BEGIN (PRIVATE KEY)/)
    })
  )

  it.effect.each(["cluster.crt", "cluster.key"])("refuses to overwrite %s and touches neither", (name) =>
    Effect.gen(function* () {
      const directory = yield* temporaryFolder
      writeFileSync(join(directory, name), "mine")
      const error = yield* Effect.flip(writeClusterCertificate(directory, 1))
      assert.strictEqual(error.exitCode, 1)
      assert.include(error.message, join(directory, name))
      assert.strictEqual(readFileSync(join(directory, name), "utf8"), "mine")
      assert.isFalse(existsSync(join(directory, name === "cluster.crt" ? "cluster.key" : "cluster.crt")))
    })
  )
})
