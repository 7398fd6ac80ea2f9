/** What a peer or a store gives, before it is offered: with `config_trust_keys` nothing is parsed that nobody trusted signed. */
import { gzipSync } from "node:zlib"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { encodeCachedTable } from "../../src/model/CachedTable.ts"
import type { Attestation } from "../../src/model/ConfigStatement.ts"
import { attestationRow } from "../../src/model/ConfigStatement.ts"
import type { Row } from "../../src/model/Entity.ts"
import { provenanceOf } from "../../src/model/Snapshot.ts"
import { describeTable } from "../../src/model/TableContent.ts"
import { readEnvelope } from "../../src/services/readEnvelope.ts"
import * as VirtualDisk from "../../src/testing/VirtualDisk.ts"
import { signed, startTrusting } from "../support/configTrust.ts"
import { bomb, longestParsed } from "../support/parsedSizes.ts"
import { table } from "../support/tables.ts"

const origin = { source: "object_storage", place: "s3://b/latest.json.gz", nowMs: 0 } as const

const textOf = (raw: Row, attestation?: Attestation) =>
  encodeCachedTable(describeTable(raw), {
    hash: "d".repeat(32),
    source: "control_plane",
    receivedAtMs: 0,
    ...provenanceOf({ ...(attestation === undefined ? {} : { attestation }) })
  })

const onNode = <A, E>(
  read: Effect.Effect<A, E, Effect.Services<ReturnType<typeof readEnvelope>>>,
  start?: Parameters<typeof startTrusting>[1]
) =>
  Effect.scoped(
    Effect.flatMap(startTrusting(VirtualDisk.make(), start), ({ context }) => Effect.provide(read, context))
  )

const refusalOf = (text: string) => onNode(Effect.flip(readEnvelope(gzipSync(text), origin)))

describe("an envelope, with trust keys", () => {
  const raw = table("/1")
  const good = signed(raw, { sequence: 1 })
  const withBomb = (attestation?: Attestation) => {
    const provenance = attestation === undefined ? {} : attestationRow(attestation)
    return `${bomb(50_000).slice(0, -1)},"_holdfast":${JSON.stringify(provenance)}}`
  }

  it.effect("is read when somebody trusted has signed it", () =>
    Effect.map(onNode(readEnvelope(gzipSync(textOf(raw, good)), origin)), (offer) => assert.deepEqual(offer.raw, raw))
  )

  it.effect("is refused unparsed otherwise, in the words of whoever judges it later", () =>
    Effect.gen(function* () {
      const stranger = signed(raw, { sequence: 1 }, 7)
      const forged = { ...good, signed: { ...good.signed, sequence: 9 } }
      const by = stranger.signatures[0]?.by
      const cases = [
        [textOf(raw), "nobody signed it", true],
        [bomb(50_000), "nobody signed it", true],
        [JSON.stringify(JSON.parse(textOf(raw, good)), null, 2), "not written as an exporter writes it", true],
        [withBomb(), "nobody signed it", true],
        [withBomb(stranger), `it is signed by ${by}`, true],
        [withBomb(good), "content or statement was changed since", false],
        [textOf(raw, forged), "content or statement was changed since", false],
        [textOf(table("/2"), good), "content or statement was changed since", false]
      ] as const
      for (const [text, words, mayServeYet] of cases) {
        const refused = yield* refusalOf(text)
        assert.deepEqual([refused.stage, refused.mayServeYet ?? false], ["trust", mayServeYet])
        assert.include(refused.message, words)
        assert.isAtMost(yield* longestParsed(refusalOf(text)), 64 * 1024)
      }
    })
  )

  it.effect("says what is wrong when it is of a format that can't be judged", () =>
    Effect.map(refusalOf(textOf(raw, good).replace(/"readable_by":\d+/, '"readable_by":99')), ({ stage }) =>
      assert.strictEqual(stage, "format")
    )
  )

  it.effect("is not judged where no keys are set", () =>
    Effect.map(onNode(readEnvelope(gzipSync(textOf(raw)), origin), { given: {} }), (offer) =>
      assert.deepEqual(offer.raw, raw)
    )
  )
})
