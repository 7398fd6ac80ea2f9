/**
 * Whom a node believes (`docs/signed-configurations.md`; faults.md: nothing older replaces newer, except a rollback that
 * says so): by source, signature, content and age, over restarts and over the replacement of every key.
 */
import { join } from "node:path"
import { gunzipSync, gzipSync } from "node:zlib"
import { assert, describe, it } from "@effect/vitest"
import { Effect, SubscriptionRef } from "effect"
import { readAttestation } from "../../../src/model/ConfigStatement.ts"
import type { Row } from "../../../src/model/Entity.ts"
import type { RungSource } from "../../../src/model/Snapshot.ts"
import { ConfigCodec } from "../../../src/services/ConfigCodec.ts"
import { serveRung } from "../../../src/services/Ladder.ts"
import type { Offer } from "../../../src/services/LiveConfig.ts"
import { keepSealed } from "../../../src/services/SealRenewal.ts"
import * as VirtualDisk from "../../../src/testing/VirtualDisk.ts"
import {
  clusterKey,
  epoch,
  numbered,
  offerOf,
  prefix,
  signed,
  signer,
  startTrusting,
  trustKeys
} from "../../support/configTrust.ts"
import { settle } from "../../support/live.ts"
import { table } from "../../support/tables.ts"

type Node = Effect.Success<ReturnType<typeof startTrusting>>

const current = join(prefix, "config.json.gz")
const newest = join(prefix, "newest.kept")

const refusal = (node: Node, offer: Offer) =>
  Effect.map(Effect.flip(node.live.apply(offer)), ({ message, stage, mayServeYet = false, isOutranked = false }) => ({
    message,
    stage,
    mayServeYet,
    isOutranked
  }))

/** The path of the one route that serves. */
const serving = ({ live }: Node) =>
  Effect.map(SubscriptionRef.get(live.state), ({ snapshot }) =>
    snapshot === undefined ? undefined : String((snapshot.raw.routes as ReadonlyArray<Row>)[0]?.paths)
  )

/** As the ladder asks the disk at a start. */
const startFromDisk = Effect.fnUntraced(function* (node: Node) {
  yield* serveRung(node.live, node.cache)
  return yield* serving(node)
})

/** What a control plane gives is served and then written down. */
const give = Effect.fnUntraced(function* (node: Node, offer: Offer) {
  const { snapshot } = yield* node.live.apply({ ...offer, source: "control_plane" })
  yield* node.cache.write(snapshot)
})

const life = <A, E>(
  disk: VirtualDisk.VirtualDisk,
  start: Parameters<typeof startTrusting>[1],
  lived: (node: Node) => Effect.Effect<A, E>
) => Effect.scoped(Effect.flatMap(startTrusting(disk, start), (node) => Effect.provide(lived(node), node.context)))

const onceAlive = <A, E>(lived: (node: Node) => Effect.Effect<A, E>, start?: Parameters<typeof startTrusting>[1]) =>
  life(VirtualDisk.make(), start, lived)

const untrusted: ReadonlyArray<RungSource> = ["disk", "peer", "object_storage"]

/** Content, name, place in the order: what a forger would change. */
const altered = (offer: Offer, change: (row: Row) => Row): Offer => ({ ...offer, raw: change(offer.raw) })

const reworded = (offer: Offer, more: Row): Offer => {
  const { attestation } = offer
  if (attestation === undefined) return offer
  return { ...offer, attestation: { ...attestation, signed: { ...attestation.signed, ...more } } }
}

describe.each(untrusted)("with trust keys, what comes by way of %s", (source) => {
  it.effect("serves when a trusted key has signed it, the old one or the new one of a rotation", () =>
    onceAlive(
      Effect.fnUntraced(function* (node) {
        yield* node.live.apply(numbered(1, { source }))
        const raw = table("/2")
        yield* node.live.apply(offerOf(raw, { source, attestation: signed(raw, { sequence: 2 }, 2) }))
        assert.strictEqual(yield* serving(node), "/2")
      }),
      { given: trustKeys(signer, 2) }
    )
  )

  it.effect("is refused when nobody signed it, or nobody trusted, and may serve another day", () =>
    onceAlive(
      Effect.fnUntraced(function* (node) {
        const nobody = yield* refusal(node, offerOf(table("/1"), { source }))
        assert.deepInclude(nobody, { stage: "trust", mayServeYet: true, isOutranked: false })
        assert.include(nobody.message, "nobody signed it")
        const stranger = signed(table("/1"), { sequence: 1 }, 7)
        const by = stranger.signatures[0]?.by ?? ""
        const other = yield* refusal(node, offerOf(table("/1"), { source, attestation: stranger }))
        assert.deepInclude(other, { stage: "trust", mayServeYet: true })
        assert.include(other.message, `it is signed by ${by}`)
        assert.isUndefined(yield* serving(node))
      })
    )
  )

  it.effect("is refused for good when content or statement was changed after it was signed", () =>
    onceAlive(
      Effect.fnUntraced(function* (node) {
        const good = numbered(3, { source })
        const changed = [
          altered(good, (raw) => ({ ...raw, routes: table("/forged").routes })),
          { ...good, hash: "f".repeat(32) },
          reworded(good, { sequence: 9 }),
          reworded(good, { epoch: "2030-01-01T00:00:00.000Z-00000000" }),
          reworded(good, { rollback_over: { epoch, sequence: 9 } })
        ]
        for (const offer of changed) {
          const found = yield* refusal(node, offer)
          assert.deepInclude(found, { stage: "trust", mayServeYet: false })
          assert.match(found.message, /expected what was signed by ed25519:[0-9a-f]{16}/)
        }
        yield* node.live.apply(good)
      })
    )
  )

  it.effect(
    "is refused when it is older than the newest seen, after a restart as well, unless it is a rollback over that",
    () =>
      Effect.gen(function* () {
        const disk = VirtualDisk.make()
        yield* life(disk, {}, (node) => give(node, numbered(7)))
        yield* life(disk, {}, (node) =>
          Effect.gen(function* () {
            const older = yield* refusal(node, numbered(6, { source }))
            assert.deepInclude(older, { stage: "trust", mayServeYet: true })
            assert.include(
              older.message,
              `expected nothing older than the newest configuration seen (sequence 7 in epoch ${epoch}`
            )
            const tooLow = numbered(5, { source }, { rollbackOver: { epoch, sequence: 6 } })
            assert.strictEqual((yield* refusal(node, tooLow)).stage, "trust")
            yield* node.live.apply(numbered(5, { source }, { rollbackOver: { epoch, sequence: 7 } }))
            assert.strictEqual(yield* serving(node), "/5")
            // What was rolled back does not come again; what is newer than that does.
            assert.strictEqual((yield* refusal(node, numbered(7, { source }))).stage, "trust")
            yield* node.live.apply(numbered(8, { source }))
            assert.strictEqual(yield* serving(node), "/8")
          })
        )
      })
  )

  it.effect("of a new epoch is newer, however low its number (a control plane restored from a backup)", () =>
    onceAlive(
      Effect.fnUntraced(function* (node) {
        yield* node.live.apply(numbered(700, { source }))
        yield* node.live.apply(numbered(3, { source }, { epoch: "2026-02-01T00:00:00.000Z-00000000" }))
        assert.strictEqual(yield* serving(node), "/3")
      })
    )
  )
})

describe("with trust keys", () => {
  it.effect("a control plane's session is trust of its own: unsigned, signed by a stranger, or of a lower number", () =>
    onceAlive(
      Effect.fnUntraced(function* (node) {
        yield* give(node, numbered(7))
        yield* give(node, offerOf(table("/plain")))
        const raw = table("/stranger")
        yield* give(node, offerOf(raw, { attestation: signed(raw, { sequence: 1 }, 9) }))
        yield* give(node, numbered(2))
        assert.strictEqual(yield* serving(node), "/2")
        // Its latest is what nothing may be older than, from here on.
        yield* node.live.apply(numbered(3, { source: "control_plane" }))
      })
    )
  )

  it.effect("even so, what names a trusted key and was changed since is refused", () =>
    onceAlive(
      Effect.fnUntraced(function* (node) {
        const forged = altered(numbered(1, { source: "control_plane" }), () => table("/forged"))
        assert.deepInclude(yield* refusal(node, forged), { stage: "trust", mayServeYet: false })
      })
    )
  )

  it.effect("config_require_signature asks the control plane for one as well", () =>
    onceAlive(
      Effect.fnUntraced(function* (node) {
        const plain = yield* refusal(node, offerOf(table("/plain"), { source: "control_plane" }))
        assert.include(plain.message, "nobody signed it")
        yield* give(node, numbered(1))
      }),
      { given: { ...trustKeys(signer), config_require_signature: "on" } }
    )
  )

  it.effect("the declarative file is its author's word, and moves nothing", () =>
    onceAlive(
      Effect.fnUntraced(function* (node) {
        yield* node.live.apply(offerOf(table("/file"), { source: "declarative_file" }))
        yield* node.live.apply(numbered(1))
        assert.strictEqual(yield* serving(node), "/1")
      })
    )
  )

  it.effect("a configuration from before an outage is what it was: the same content is never older", () =>
    onceAlive(
      Effect.fnUntraced(function* (node) {
        yield* give(node, numbered(7))
        const raw = table("/7")
        const again = { epoch: "2026-02-01T00:00:00.000Z-00000000", sequence: 1 }
        yield* node.live.apply(offerOf(raw, { source: "control_plane", attestation: signed(raw, again) }))
        yield* node.live.apply(numbered(7, { source: "disk", byHand: { after: 2 } }))
      })
    )
  )
})

describe("what was seen", () => {
  it.effect("does not go back with the same content under an older number", () =>
    onceAlive((node) =>
      Effect.gen(function* () {
        const same = table("/same")
        const under = (sequence: number) => offerOf(same, { source: "peer", attestation: signed(same, { sequence }) })
        yield* node.live.apply(under(7))
        yield* node.live.apply(under(5))
        assert.strictEqual((yield* refusal(node, numbered(6, { source: "peer" }))).stage, "trust")
      })
    )
  )

  it.effect("is asked for again when the disk did not say it at first", () =>
    Effect.gen(function* () {
      const disk = VirtualDisk.make()
      yield* life(disk, {}, (node) => give(node, numbered(7)))
      yield* life(disk, {}, (node) =>
        Effect.gen(function* () {
          disk.become({ faultOf: ({ path }) => (path === newest ? { _tag: "Fails", code: "EIO" } : undefined) })
          yield* node.live.apply(numbered(2, { source: "peer" }))
          disk.become({})
          assert.strictEqual((yield* refusal(node, numbered(6, { source: "peer" }))).stage, "trust")
        })
      )
    })
  )

  it.effect("is written beside whoever applies: a disk that never answers holds up no control plane", () =>
    Effect.gen(function* () {
      const disk = VirtualDisk.make()
      yield* life(disk, {}, (node) => give(node, numbered(7)))
      disk.hand.remove(newest)
      yield* life(disk, {}, (node) =>
        Effect.gen(function* () {
          disk.become({
            faultOf: ({ path, operation }) =>
              path.startsWith(newest) && operation === "create" ? { _tag: "Hangs", part: 0 } : undefined
          })
          assert.strictEqual(yield* startFromDisk(node), "/7")
          yield* node.live.apply(numbered(8, { source: "control_plane" }))
          assert.strictEqual(yield* serving(node), "/8")
        })
      )
    })
  )
})

describe("a name that lies", () => {
  for (const given of [trustKeys(signer), {}])
    it.effect(
      `is found out when the control plane gives what it stands for, ${JSON.stringify(Object.keys(given))}`,
      () =>
        onceAlive(
          (node) =>
            Effect.gen(function* () {
              const good = numbered(9, { source: "control_plane" })
              const old = table("/old")
              // Signed as it is, but for its name, which is not what a node goes by.
              const attestation = signed(old, { sequence: 1, hash: good.hash ?? "" })
              yield* node.live.apply(offerOf(old, { source: "object_storage", hash: good.hash, attestation }))
              assert.strictEqual(yield* serving(node), "/old")
              const { isNew } = yield* node.live.apply(good)
              assert.isTrue(isNew)
              assert.strictEqual(yield* serving(node), "/9")
            }),
          { given, cluster: clusterKey(3) }
        )
    )
})

describe("the work of believing", () => {
  it.effect("is done once for a configuration: what was described to judge it is what is written down", () => {
    let count = 0
    const counting = Effect.map(ConfigCodec, (codec) => ({
      ...codec,
      describeTable: (raw: Row) => {
        count++
        return codec.describeTable(raw)
      }
    }))
    return onceAlive((node) =>
      Effect.gen(function* () {
        for (const sequence of [1, 2]) {
          yield* give(node, numbered(sequence))
          assert.strictEqual(count, sequence)
        }
      })
    ).pipe(Effect.provideServiceEffect(ConfigCodec, counting))
  })
})

describe("a control plane that can't sign (Kong's)", () => {
  const start = { cluster: clusterKey(3) }

  it.effect("is believed by its session; what it gave is sealed, and serves after a restart without it", () =>
    Effect.gen(function* () {
      const disk = VirtualDisk.make()
      yield* life(disk, start, (node) => give(node, offerOf(table("/kong"), { issuedAtMs: 5_000 })))
      assert.strictEqual(yield* life(disk, start, startFromDisk), "/kong")
      const other = { cluster: clusterKey(4) }
      assert.isUndefined(yield* life(disk, other, startFromDisk), "on a node with another key")
      assert.isDefined(disk.hand.read(current), "it may serve yet, and stays")
      assert.strictEqual(yield* life(disk, start, startFromDisk), "/kong")
    })
  )

  it.effect("an edit under the seal is refused and put away", () =>
    Effect.gen(function* () {
      const disk = VirtualDisk.make()
      yield* life(disk, start, (node) => give(node, offerOf(table("/kong"))))
      const { _holdfast, ...raw } = JSON.parse(
        gunzipSync(disk.hand.read(current) ?? assert.fail("no cache")).toString()
      )
      const { sha256, ...rest } = _holdfast
      disk.hand.write(current, gzipSync(JSON.stringify({ ...raw, routes: table("/forged").routes, _holdfast: rest })))
      assert.isUndefined(yield* life(disk, start, startFromDisk))
      assert.isUndefined(disk.hand.read(current))
      assert.lengthOf(sha256, 64)
    })
  )

  it.effect("an earlier one does not serve in the place of the newest, though it is sealed as well", () =>
    Effect.gen(function* () {
      const disk = VirtualDisk.make()
      yield* life(disk, start, (node) => give(node, offerOf(table("/1"), { issuedAtMs: 1_000 })))
      const former = disk.hand.read(current) ?? assert.fail("no cache")
      yield* life(disk, start, (node) => give(node, offerOf(table("/2"), { issuedAtMs: 2_000 })))
      disk.hand.write(current, former)
      assert.isUndefined(yield* life(disk, start, startFromDisk))
    })
  )

  it.effect(
    "the seal is renewed when the cluster's key is replaced, and by cluster_cert_key_previous when that was missed",
    () =>
      Effect.gen(function* () {
        const disk = VirtualDisk.make()
        yield* life(disk, start, (node) =>
          Effect.gen(function* () {
            yield* give(node, offerOf(table("/kong")))
            yield* keepSealed
            yield* settle
            yield* node.replaceClusterKey(clusterKey(4))
            yield* settle
          }).pipe(Effect.scoped, Effect.provide(node.context))
        )
        const renewed = { cluster: clusterKey(4) }
        assert.strictEqual(yield* life(disk, renewed, startFromDisk), "/kong")
        const missed = {
          cluster: clusterKey(5),
          given: { ...trustKeys(signer), cluster_cert_key_previous: clusterKey(4) }
        }
        yield* life(disk, missed, (node) =>
          Effect.gen(function* () {
            assert.strictEqual(yield* startFromDisk(node), "/kong")
            yield* keepSealed
            yield* settle
          }).pipe(Effect.scoped, Effect.provide(node.context))
        )
        assert.strictEqual(yield* life(disk, { cluster: clusterKey(5) }, startFromDisk), "/kong")
      })
  )

  it.effect("the seal of what came from a peer is renewed as well", () =>
    Effect.gen(function* () {
      const disk = VirtualDisk.make()
      const neighbour = VirtualDisk.make()
      yield* life(neighbour, start, (node) => give(node, offerOf(table("/kong"))))
      const { _holdfast, ...raw } = JSON.parse(gunzipSync(neighbour.hand.read(current) ?? assert.fail()).toString())
      const attestation = readAttestation(_holdfast) ?? assert.fail("not sealed")
      yield* life(disk, start, (node) =>
        Effect.gen(function* () {
          const { snapshot } = yield* node.live.apply(offerOf(raw, { source: "peer", attestation }))
          yield* node.cache.write(snapshot)
          yield* keepSealed
          yield* settle
          yield* node.replaceClusterKey(clusterKey(4))
          yield* settle
        }).pipe(Effect.scoped, Effect.provide(node.context))
      )
      assert.strictEqual(yield* life(disk, { cluster: clusterKey(4) }, startFromDisk), "/kong")
    })
  )

  it.effect("a last look before the end finds the key that the next start will have", () =>
    Effect.gen(function* () {
      const disk = VirtualDisk.make()
      const keyFile = "/keys/cluster.key"
      const given = {
        ...trustKeys(signer),
        cluster_control_plane: undefined,
        cluster_cert: undefined,
        cluster_cert_key: keyFile
      }
      disk.hand.write(keyFile, new TextEncoder().encode(clusterKey(3)))
      yield* life(disk, { ...start, given }, (node) =>
        Effect.gen(function* () {
          yield* give(node, offerOf(table("/kong")))
          yield* keepSealed
          yield* settle
          disk.hand.write(keyFile, new TextEncoder().encode(clusterKey(4)))
        }).pipe(Effect.scoped, Effect.provide(node.context))
      )
      assert.strictEqual(yield* life(disk, { cluster: clusterKey(4) }, startFromDisk), "/kong")
    })
  )

  it.effect("what it gave before there were trust keys is sealed already", () =>
    Effect.gen(function* () {
      const disk = VirtualDisk.make()
      yield* life(disk, { ...start, given: {} }, (node) => give(node, offerOf(table("/kong"))))
      assert.strictEqual(yield* life(disk, start, startFromDisk), "/kong")
    })
  )
})

describe("newest.kept", () => {
  const start = { cluster: clusterKey(3) }

  it.effect("that somebody else wrote counts for nothing, and says so once", () =>
    Effect.gen(function* () {
      const disk = VirtualDisk.make()
      yield* life(disk, start, (node) => give(node, numbered(7)))
      const row = JSON.parse(new TextDecoder().decode(disk.hand.read(newest) ?? assert.fail("not kept")))
      assert.deepInclude(row, { epoch, sequence: 7 })
      disk.hand.write(newest, new TextEncoder().encode(JSON.stringify({ ...row, sequence: 1 })))
      yield* life(disk, start, (node) =>
        Effect.gen(function* () {
          yield* node.live.apply(numbered(2))
          yield* node.live.apply(numbered(3))
          const told = node.events.filter(({ message }) => message.includes("is not known any more"))
          assert.lengthOf(told, 1)
        })
      )
    })
  )

  it.effect("that can't be written costs nothing but the memory of it after the process", () =>
    Effect.gen(function* () {
      const disk = VirtualDisk.make()
      yield* life(disk, start, (node) =>
        Effect.gen(function* () {
          disk.become({ capacityBytes: 0 })
          yield* node.live.apply(numbered(7))
          yield* node.trust.kept((yield* SubscriptionRef.get(node.live.state)).snapshot ?? assert.fail("nothing"))
          assert.strictEqual((yield* refusal(node, numbered(6, { source: "peer" }))).stage, "trust")
        })
      )
      disk.become({})
      yield* life(disk, start, (node) => node.live.apply(numbered(6)))
    })
  )
})

describe("without trust keys", () => {
  it.effect("everything is believed; but nothing older takes the place of what serves, from wherever it comes", () =>
    onceAlive(
      Effect.fnUntraced(function* (node) {
        yield* node.live.apply(numbered(7, { source: "object_storage" }))
        assert.deepInclude(yield* refusal(node, numbered(6, { source: "peer" })), { isOutranked: true })
        yield* node.live.apply(offerOf(table("/plain"), { source: "peer" }))
        yield* node.live.apply(numbered(2, { source: "control_plane" }))
        assert.strictEqual(yield* serving(node), "/2")
      }),
      { given: {} }
    )
  )
})
