import { gunzipSync, gzipSync } from "node:zlib"
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Effect, Layer, Schema } from "effect"
import * as TraditionalCompatibleRouter from "../../src/layers/TraditionalCompatibleRouter.ts"
import { decodeTable } from "../../src/model/ConfigTable.ts"
import { reconfigureJson } from "../../src/model/Wire.ts"
import { Router } from "../../src/services/Router.ts"
import { makeSharedGzip } from "../../src/testing/SharedGzip.ts"
import { makeSharedWork } from "../../src/testing/SharedWork.ts"
import { testCatalogue } from "../support/plugins.ts"
import { propertyRuns } from "../support/propertyRuns.ts"
import { table } from "../support/tables.ts"

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)

const Piece = Schema.Struct({
  stamp: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 1_000_000 })),
  isStampFirst: Schema.Boolean,
  body: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 2 })),
  repeats: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 5_000 }))
})

describe("gzip that shares what inputs have in common", () => {
  it.effect.prop(
    "gives what any reader of gzip reads, whatever was compressed before",
    [Arbitrary.array(Arbitrary.schema(Piece), { maxLength: 8 })],
    ([pieces]) =>
      Effect.sync(() => {
        const gzip = makeSharedGzip()
        for (const { stamp, isStampFirst, body, repeats } of pieces) {
          const text = `body ${body} `.repeat(repeats)
          const input = isStampFirst ? `{"at":${stamp}}${text}` : `${text}{"at":${stamp}}`
          assert.strictEqual(gunzipSync(gzip(bytesOf(input))).toString(), input)
        }
      }),
    propertyRuns
  )

  it("makes no more of a text that differs by its time stamp than of one that was compressed", () => {
    const gzip = makeSharedGzip()
    const body = JSON.stringify(Array.from({ length: 500 }, (_, index) => ({ id: index, name: `route-${index}` })))
    const sizes = [1, 2, 3].map((stamp) => gzip(bytesOf(`{"at":${stamp}${"0".repeat(12)},"body":${body}}`)).length)
    for (const size of sizes) assert.isBelow(size, body.length / 2)
  })
})

describe("work that is shared by content", () => {
  const push = (path: string) => gzipSync(reconfigureJson({ config_table: table(path), config_hash: "0".repeat(32) }))

  it.effect("inflates, decodes and validates the same bytes once, and gives what each would get alone", () =>
    Effect.gen(function* () {
      const { compression, codec } = makeSharedWork()
      const one = yield* compression.gunzip(push("/a"), 1_000_000)
      const same = yield* compression.gunzip(Uint8Array.from(push("/a")), 1_000_000)
      assert.strictEqual(one, same)
      const decoded = codec.decodeReconfigure(one)
      assert.strictEqual(codec.decodeReconfigure(same), decoded)
      if (decoded._tag !== "Right") return assert.fail("expected a push that can be read")
      const { config_table: raw } = decoded.message
      assert.deepStrictEqual(codec.decodeTable(raw, testCatalogue), decodeTable(raw, testCatalogue))
      assert.strictEqual(codec.decodeTable(raw, testCatalogue), codec.decodeTable(raw, testCatalogue))
      assert.deepStrictEqual(codec.decodeTable("no table", testCatalogue), decodeTable("no table", testCatalogue))
    })
  )

  it.effect("refuses as the real one does: what is no gzip, and what is larger than allowed", () =>
    Effect.gen(function* () {
      const { compression } = makeSharedWork()
      const small = gzipSync(Buffer.alloc(1_000))
      assert.strictEqual((yield* Effect.flip(compression.gunzip(bytesOf("no"), 10))).reason, "notGzip")
      assert.strictEqual((yield* Effect.flip(compression.gunzip(small, 10))).reason, "tooLarge")
      assert.strictEqual((yield* compression.gunzip(small, 1_000)).length, 1_000)
    })
  )

  it.effect("compiles a table once for all nodes", () =>
    Effect.gen(function* () {
      const { shareRouter } = makeSharedWork()
      const decoded = decodeTable(table("/a"), testCatalogue)
      if (decoded._tag !== "Right") return assert.fail("expected a valid table")
      const shared = shareRouter(TraditionalCompatibleRouter.layer)
      const compileIn = (layer: Layer.Layer<Router>) =>
        Router.use(({ compile }) => Effect.sync(() => compile(decoded.table, testCatalogue))).pipe(
          Effect.provide(Layer.fresh(layer))
        )
      assert.strictEqual(yield* compileIn(shared), yield* compileIn(shared))
    })
  )
})
