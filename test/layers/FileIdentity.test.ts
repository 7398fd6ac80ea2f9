import { mkdir, readFile, writeFile } from "node:fs/promises"
import { hostname } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import * as CryptoSecureRandom from "../../src/layers/CryptoSecureRandom.ts"
import * as FileIdentity from "../../src/layers/FileIdentity.ts"
import * as NodeDisk from "../../src/layers/NodeDisk.ts"
import type { SettingName } from "../../src/model/SettingTable.ts"
import { Identity } from "../../src/services/Identity.ts"
import { temporaryFolder } from "../support/folder.ts"
import { settingsLayer } from "../support/settings.ts"

const identity = (given: Partial<Record<SettingName, string>>) =>
  Identity.pipe(
    Effect.provide(
      FileIdentity.layer.pipe(Layer.provide([settingsLayer(given), NodeDisk.layer, CryptoSecureRandom.layer]))
    )
  )

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

describe("node identity (hybrid-protocol-v1.md §12)", () => {
  it.live("makes an id once and keeps it in the prefix", () =>
    Effect.gen(function* () {
      const prefix = join(yield* temporaryFolder, "new")
      const first = yield* identity({ prefix })
      assert.match(first.nodeId, uuid)
      assert.strictEqual(first.hostname, hostname())
      assert.strictEqual(first.version, "3.9.0")
      assert.strictEqual((yield* identity({ prefix })).nodeId, first.nodeId)
      assert.strictEqual(yield* Effect.promise(() => readFile(join(prefix, "kong.id"), "utf8")), first.nodeId)
    })
  )

  it.live("prefers the setting, replaces a file that holds no UUID, and lives without a writable prefix", () =>
    Effect.gen(function* () {
      const prefix = yield* temporaryFolder
      const node_id = "5b1b701d-de2b-4588-9aa2-3b97061d9f52"
      assert.strictEqual((yield* identity({ prefix, node_id })).nodeId, node_id)
      for (const garbage of ["garbage", "", "x".repeat(100_000)]) {
        yield* Effect.promise(() => writeFile(join(prefix, "kong.id"), garbage))
        const { nodeId } = yield* identity({ prefix })
        assert.match(nodeId, uuid)
        assert.strictEqual((yield* identity({ prefix })).nodeId, nodeId)
      }
      yield* Effect.promise(() => mkdir(join(prefix, "file-in-the-way"), { recursive: true }))
      yield* Effect.promise(() => writeFile(join(prefix, "file-in-the-way", "x"), ""))
      assert.match((yield* identity({ prefix: join(prefix, "file-in-the-way", "x", "deeper") })).nodeId, uuid)
    })
  )
})
