/** `docs/status.md`: `configuration.cache` is `ok`, or why the running configuration is not on disk. */
import { assert, it } from "@effect/vitest"
import { Effect, SubscriptionRef } from "effect"
import { unlicensed } from "../../src/services/LicenseGuard.ts"
import { LiveConfig } from "../../src/services/LiveConfig.ts"
import { readyAnswer } from "../../src/services/NodeStatus.ts"
import { liveLayer } from "../support/live.ts"
import { table } from "../support/tables.ts"

it.effect("is not ok while a file serves because the cache was refused", () =>
  Effect.gen(function* () {
    const live = yield* LiveConfig
    yield* live.passOver({ source: "disk", reasons: ["/p/config.json.gz: unprotect: expected the key 1"] })
    yield* live.apply({ raw: table(), source: "declarative_file", hash: "d".repeat(32), receivedAtMs: 0 })
    const { body } = readyAnswer({
      nodeId: "n",
      hostname: "h",
      version: "3.9.0",
      startedAtMs: 0,
      nowMs: 0,
      live: yield* SubscriptionRef.get(live.state),
      warnings: [],
      connection: { _tag: "disconnected", sinceMs: 0, attempts: 1, reason: "away" },
      proxy: { active: 0, accepted: 0, requests: 0, inFlight: 0 },
      isDraining: false,
      cacheProblem: undefined,
      clusterCertificateExpiresAtMs: undefined,
      license: unlicensed,
      clock: { nowMs: 0, deviationMs: 0, doubt: undefined, lastCorrection: undefined }
    })
    assert.notStrictEqual(body.configuration.cache, "ok")
  }).pipe(Effect.provide(liveLayer))
)
