import { createPrivateKey, X509Certificate } from "node:crypto"
import { writeFileSync } from "node:fs"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import * as GeneratedServerCertificate from "../../src/layers/credentials/GeneratedServerCertificate.ts"
import * as NodeDisk from "../../src/layers/NodeDisk.ts"
import type { SettingValues } from "../../src/model/SettingTable.ts"
import { ServerCertificate } from "../../src/services/ServerCertificate.ts"
import { Settings } from "../../src/services/Settings.ts"

const fallbackFor = (settings: Partial<SettingValues>) =>
  Effect.gen(function* () {
    const given = Layer.succeed(Settings, settings as SettingValues)
    const context = yield* Layer.build(GeneratedServerCertificate.layer.pipe(Layer.provide([given, NodeDisk.layer])))
    return yield* Context.get(context, ServerCertificate).fallback
  })

const base64 = (text: string) => Buffer.from(text).toString("base64")

const folder = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "holdfast-"))),
  (path) => Effect.promise(() => rm(path, { recursive: true }))
)

describe("the certificate for those that no other is for", () => {
  it.live("is made when none is set", () =>
    Effect.gen(function* () {
      const { cert, key } = yield* fallbackFor({})
      assert.isTrue(new X509Certificate(cert).checkPrivateKey(createPrivateKey(key)))
    })
  )

  it.live("comes from the settings: PEM text, base64 of it, or a path", () =>
    Effect.gen(function* () {
      const made = yield* fallbackFor({})
      const path = join(yield* folder, "cert.pem")
      writeFileSync(path, made.cert)
      for (const settings of [
        { ssl_cert: made.cert, ssl_cert_key: base64(made.key) },
        { ssl_cert: path, ssl_cert_key: made.key }
      ]) {
        const { cert, key } = yield* fallbackFor(settings)
        assert.deepStrictEqual([cert, key], [made.cert, made.key])
      }
    })
  )

  it.live("what is wrong is told with the setting's name, and never shows a key", () =>
    Effect.gen(function* () {
      const [pair, other] = [yield* fallbackFor({}), yield* fallbackFor({})]
      const told = (settings: Partial<SettingValues>) =>
        Effect.flip(fallbackFor(settings)).pipe(Effect.map((error) => error.message))
      const unreadable = yield* told({ ssl_cert: "/nowhere", ssl_cert_key: "/no key" })
      assert.match(unreadable, /^ssl_cert: .*ENOENT.*"\/nowhere"\nssl_cert_key: /)
      assert.notMatch(unreadable, /no key/)
      assert.match(yield* told({ ssl_cert: pair.cert, ssl_cert_key: other.key }), /^ssl_cert_key: expected the key/)
      assert.match(yield* told({ ssl_cert: pair.cert }), /^ssl_cert_key: .*missing/)
    })
  )
})
