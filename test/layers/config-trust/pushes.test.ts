/** What a control plane pushes to a node that believes by keys, and what stands in its cache then (`docs/signed-configurations.md`). */
import { createHash } from "node:crypto"
import { gunzipSync, gzipSync } from "node:zlib"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, SubscriptionRef } from "effect"
import * as GzipConfigReceiver from "../../../src/layers/GzipConfigReceiver.ts"
import { hashTable } from "../../../src/model/ConfigHash.ts"
import type { Attestation } from "../../../src/model/ConfigStatement.ts"
import type { Row } from "../../../src/model/Entity.ts"
import { reconfigureJson } from "../../../src/model/Wire.ts"
import { ConfigReceiver } from "../../../src/services/ConfigReceiver.ts"
import { serveRung } from "../../../src/services/Ladder.ts"
import { TrustedClock } from "../../../src/services/TrustedClock.ts"
import * as VirtualDisk from "../../../src/testing/VirtualDisk.ts"
import { clusterKey, signed, signer, startTrusting, trustKeys } from "../../support/configTrust.ts"
import { table } from "../../support/tables.ts"

const current = "/p/config.json.gz"

const push = (raw: Row, attestation?: Attestation, timestamp = 1_767_225_600) => {
  const hash = hashTable(raw).config
  const json = reconfigureJson({
    timestamp,
    config_table: raw,
    config_hash: hash,
    ...(attestation === undefined ? {} : { attestation })
  })
  const bytes = gzipSync(json)
  return { hash, payload: { bytes, digest: createHash("sha256").update(bytes).digest("hex") } }
}

const life = <A, E>(
  disk: VirtualDisk.VirtualDisk,
  start: Parameters<typeof startTrusting>[1],
  lived: (
    node: Effect.Success<ReturnType<typeof startTrusting>>,
    receiver: ConfigReceiver["Service"]
  ) => Effect.Effect<A, E>
) =>
  Effect.gen(function* () {
    const node = yield* startTrusting(disk, start)
    const layer = Layer.provide(GzipConfigReceiver.layer, TrustedClock.layerWall)
    return yield* Effect.flatMap(ConfigReceiver, (receiver) => lived(node, receiver)).pipe(
      Effect.provide(layer),
      Effect.provide(node.context)
    )
  }).pipe(Effect.scoped)

const sealOf = (disk: VirtualDisk.VirtualDisk) =>
  JSON.parse(gunzipSync(disk.hand.read(current) ?? assert.fail("no cache")).toString())._holdfast.signatures[0].by

describe("a push", () => {
  it.effect("that was refused unsigned is judged anew when the same comes signed", () =>
    life(
      VirtualDisk.make(),
      { given: { ...trustKeys(signer), config_require_signature: "on" } },
      Effect.fnUntraced(function* (node, receiver) {
        const raw = table("/a")
        const plain = yield* receiver.apply(push(raw).payload, [])
        assert.strictEqual(plain._tag, "refused")
        const refused = plain._tag === "refused" ? [plain.content] : []
        const again = yield* receiver.apply(push(raw, signed(raw, { sequence: 1 })).payload, refused)
        assert.strictEqual(again._tag, "applied")
        assert.isDefined((yield* SubscriptionRef.get(node.live.state)).snapshot)
      })
    )
  )

  it.effect("of what the disk serves has the cache sealed anew, where the key of its seal is gone", () =>
    Effect.gen(function* () {
      const disk = VirtualDisk.make()
      const raw = table("/a")
      const { hash, payload } = push(raw)
      const take = (cluster: string) =>
        life(
          disk,
          { given: {}, cluster },
          Effect.fnUntraced(function* (node, receiver) {
            yield* serveRung(node.live, node.cache)
            assert.strictEqual((yield* receiver.apply(payload, []))._tag, "applied")
            yield* receiver.persist(hash)
          })
        )
      yield* take(clusterKey(3))
      const former = sealOf(disk)
      yield* take(clusterKey(3))
      assert.strictEqual(sealOf(disk), former)
      yield* take(clusterKey(4))
      assert.notStrictEqual(sealOf(disk), former)
      const serves = yield* life(disk, { cluster: clusterKey(4) }, (node) => serveRung(node.live, node.cache))
      assert.strictEqual(serves._tag, "Serves")
    })
  )

  it.effect("with a time that no date has is kept like any other", () =>
    life(
      VirtualDisk.make(),
      { cluster: clusterKey(3) },
      Effect.fnUntraced(function* (_, receiver) {
        const { hash, payload } = push(table("/a"), undefined, 1e16)
        assert.strictEqual((yield* receiver.apply(payload, []))._tag, "applied")
        assert.strictEqual(yield* receiver.persist(hash), "kept")
      })
    )
  )
})
