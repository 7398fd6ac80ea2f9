/**
 * What is older than its retention goes, a little at a time. A wall clock that jumped would take all of it with it, so nothing
 * is purged until the clock has gone on for an hour as clocks do.
 */
import { Clock, Effect } from "effect"
import type { SqlClient } from "effect/sql"
import { firstKeptMinute, minuteMs } from "../../../model/telemetry/Minutes.ts"
import { monotonicMs } from "../../../services/monotonic.ts"
import type { Retention } from "./additions.ts"

const intervalMs = 3_600_000
/** What a clock may be corrected by within an interval and still be believed. */
const toleranceMs = 60_000
const rowsAtOnce = 500
/** For how long what is known of a process is kept at least after its last word: some 300 bytes for each of its lives. */
const knownDays = 800

export const makePurge = (sql: SqlClient.SqlClient, { analyticsDays, billingDays }: Retention) => {
  const inPieces = <E>(removeSome: Effect.Effect<ReadonlyArray<unknown>, E>) =>
    removeSome.pipe(Effect.tap(Effect.yieldNow), Effect.repeat({ while: (removed) => removed.length === rowsAtOnce }))

  const purge = Effect.fnUntraced(function* (nowMs: number) {
    const analytics = firstKeptMinute(nowMs, analyticsDays)
    const billing = firstKeptMinute(nowMs, billingDays)
    yield* inPieces(sql`DELETE FROM analytics_minutes WHERE (minute, service, route, consumer) IN
      (SELECT minute, service, route, consumer FROM analytics_minutes WHERE minute < ${analytics} LIMIT ${rowsAtOnce})
      RETURNING minute`)
    yield* inPieces(sql`DELETE FROM billing_minutes WHERE (minute, node) IN
      (SELECT minute, node FROM billing_minutes WHERE minute < ${billing} LIMIT ${rowsAtOnce}) RETURNING minute`)
    // A process may be idle for long and then go on with its total; what is known of it must outlive all that it was counted into.
    const known = firstKeptMinute(nowMs, Math.max(analyticsDays, billingDays, knownDays))
    yield* inPieces(sql`DELETE FROM telemetry_marks WHERE (epoch, lane) IN
      (SELECT epoch, lane FROM telemetry_marks WHERE minute < ${known} LIMIT ${rowsAtOnce}) RETURNING lane`)
    yield* inPieces(sql`DELETE FROM telemetry_nodes WHERE node IN
      (SELECT node FROM telemetry_nodes WHERE received_ms < ${known * minuteMs} LIMIT ${rowsAtOnce}) RETURNING node`)
  })

  return Effect.gen(function* () {
    let wallMs = yield* Clock.currentTimeMillis
    let steadyMs = yield* monotonicMs
    while (true) {
      yield* Effect.sleep(intervalMs)
      const [wallNowMs, steadyNowMs] = [yield* Clock.currentTimeMillis, yield* monotonicMs]
      const jumpMs = Math.abs(wallNowMs - wallMs - (steadyNowMs - steadyMs))
      wallMs = wallNowMs
      steadyMs = steadyNowMs
      if (jumpMs <= toleranceMs) yield* purge(wallNowMs)
    }
  })
}
