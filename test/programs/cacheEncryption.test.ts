/** A whole node, on real files, whose cluster certificate is replaced: `faults.md`, "2.8.4.0 encrypted cache dead after restart". */
import { readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import * as NodeDisk from "../../src/layers/NodeDisk.ts"
import type { GivenSettings } from "../../src/programs/parts.ts"
import { type Event, live } from "../crash/life.ts"
import { clusterCertificate } from "../support/certificates.ts"
import { temporaryFolder } from "../support/folder.ts"

const put = Effect.fnUntraced(function* (folder: string) {
  const { cert, key } = yield* clusterCertificate
  yield* Effect.promise(() => writeFile(join(folder, "cert.pem"), cert))
  yield* Effect.promise(() => writeFile(join(folder, "key.pem"), key))
})

it.live("reads its encrypted cache after a restart with another certificate, replaced just before the stop", () =>
  Effect.gen(function* () {
    const folder = yield* temporaryFolder
    const settings: GivenSettings = {
      prefix: join(folder, "prefix"),
      cluster_cert: join(folder, "cert.pem"),
      cluster_cert_key: join(folder, "key.pem"),
      config_cache_encryption: "cluster_key"
    }
    yield* put(folder)
    const said: Array<Event> = []
    const say = (event: Event) => void said.push(event)
    const life = { disk: NodeDisk.layer, settings, say }
    yield* Effect.scoped(live({ ...life, pushes: [1, 2], quiet: put(folder) }))
    const bytes = yield* Effect.promise(() => readFile(join(folder, "prefix", "config.json.gz")))
    assert.strictEqual(bytes.subarray(0, 8).toString("latin1"), "HOLDFAST")
    said.length = 0
    yield* Effect.scoped(live({ ...life, pushes: [], quiet: Effect.void }))
    assert.deepStrictEqual(said[0], { _tag: "Started", serves: 2 })
  })
)
