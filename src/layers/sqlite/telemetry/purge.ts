/**
 * What is older than its retention goes, a little at a time. A wall clock that jumped would take all of it with it, so nothing
 * is purged until the clock has gone on for an hour as clocks do.
 */
import { Clock, Effect } from "effect"
import type { SqlClient } from "effect/sql"
import { firstKeptMinute } from "../../../model/telemetry/Minutes.ts"
import { monotonicMs } from "../../../services/monotonic.ts"
import type { Retention } from "./additions.ts"

const intervalMs = 3_600_000
/** What a clock may be corrected by within an interval and still be believed. */
const toleranceMs = 60_000
const rowsAtOnce = 500

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
    // An epoch that was silent for so long is over: no spool keeps a record for that time.
    yield* inPieces(sql`DELETE FROM telemetry_marks WHERE (node, epoch, lane) IN
      (SELECT node, epoch, lane FROM telemetry_marks WHERE minute < ${billing} LIMIT ${rowsAtOnce}) RETURNING lane`)
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
