import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Option, SubscriptionRef } from "effect"
import { ConfigCache, ConfigCacheError } from "../../src/services/ConfigCache.ts"
import { DeclarativeConfig } from "../../src/services/DeclarativeConfig.ts"
import { ConfigRejected, LiveConfig, type Offer } from "../../src/services/LiveConfig.ts"
import { serveLocalRungs } from "../../src/services/LocalRungs.ts"
import { liveLayer } from "../support/live.ts"
import { settingsLayer } from "../support/settings.ts"
import { table } from "../support/tables.ts"

type Rung = "absent" | "good" | "invalid" | "unreadable"

const offer = (source: Offer["source"], hash: string, rung: Rung): Offer => ({
  raw: rung === "invalid" ? { ...table(), nonsense: [1] } : table(),
  source,
  hash: hash.repeat(32),
  receivedAtMs: 1
})

const disk = (rung: Rung) =>
  Layer.succeed(ConfigCache, {
    read:
      rung === "unreadable"
        ? Effect.fail(new ConfigCacheError({ operation: "read", file: "f", message: "expected gzip" }))
        : Effect.succeed(rung === "absent" ? Option.none() : Option.some(offer("disk", "d", rung))),
    write: () => Effect.void
  })

const file = (rung: Rung) =>
  Layer.succeed(DeclarativeConfig, {
    read:
      rung === "unreadable"
        ? Effect.fail(
            new ConfigRejected({
              source: "declarative_file",
              hash: undefined,
              faults: [{ path: [], message: "bad YAML" }]
            })
          )
        : Effect.succeed(rung === "absent" ? Option.none() : Option.some(offer("declarative_file", "f", rung)))
  })

const joined = settingsLayer({ cluster_control_plane: "cp:8005", cluster_cert: "c", cluster_cert_key: "k" })

const rungs: ReadonlyArray<Rung> = ["absent", "good", "invalid", "unreadable"]

/** Every pair of states that the two local rungs can be in: disk first, file when disk has nothing good, else empty. */
describe("the local rungs (DESIGN.md, The life of a node, 2)", () => {
  for (const onDisk of rungs) {
    for (const inFile of rungs) {
      it.effect(`disk ${onDisk}, file ${inFile}`, () =>
        Effect.gen(function* () {
          yield* serveLocalRungs
          const live = yield* LiveConfig
          const { source, lastRejection } = yield* SubscriptionRef.get(live.state)
          assert.strictEqual(source, onDisk === "good" ? "disk" : inFile === "good" ? "declarative_file" : "empty")
          const isTold =
            onDisk === "invalid" || (onDisk !== "good" && (inFile === "invalid" || inFile === "unreadable"))
          assert.strictEqual(lastRejection !== undefined, isTold)
        }).pipe(Effect.provide(Layer.mergeAll(liveLayer, disk(onDisk), file(inFile), joined)))
      )
      it.effect(`a node on its own: file ${inFile}, disk ${onDisk}`, () =>
        Effect.gen(function* () {
          yield* serveLocalRungs
          const { source } = yield* SubscriptionRef.get((yield* LiveConfig).state)
          assert.strictEqual(source, inFile === "good" ? "declarative_file" : onDisk === "good" ? "disk" : "empty")
        }).pipe(Effect.provide(Layer.mergeAll(liveLayer, disk(onDisk), file(inFile), settingsLayer())))
      )
    }
  }
})
