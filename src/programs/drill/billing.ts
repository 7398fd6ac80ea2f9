/** What the control plane bills against what the drill was served: `faults.md`, "sum(billed) == sum(served)". */
import { Effect } from "effect"
import { isRecord, type Row } from "../../model/Entity.ts"
import { eventually, expectStatus, StepFailed } from "../stage/Probe.ts"
import type { DrillStep } from "./Drill.ts"
import type { Ground } from "./Ground.ts"

/** One window that is open, the delay before a telemetry connection is tried again, and the delivery itself. */
const deliveredWithinMs = 20_000
/** A node that is killed loses what it counted since it wrote last; a write comes every 100 ms. */
const writtenMs = 1_000

const usage = ({ stage }: Ground): Effect.Effect<Row, StepFailed> =>
  Effect.flatMap(expectStatus({ url: `${stage.urls.admin}/billing/usage` }, 200), ({ body }) =>
    Effect.try({
      try: () => {
        const parsed: unknown = JSON.parse(body)
        return isRecord(parsed) ? parsed : {}
      },
      catch: () => new StepFailed({ reason: `GET /billing/usage answered no JSON: ${body.slice(0, 120)}` })
    })
  )

/** Nothing is under way, and what was counted is on the node's disk: from now on a `kill -9` costs no count. */
export const settleCounts = ({ load }: Ground): Effect.Effect<void> =>
  Effect.andThen(load.pause, Effect.sleep(writtenMs))

export const billedIsServed: DrillStep = {
  title: "let the traffic end: what is billed is what was served, to the last request",
  play: (ground) =>
    Effect.gen(function* () {
      yield* ground.load.pause
      const served = ground.apiCalls.count()
      const check = Effect.flatMap(usage(ground), ({ api_calls: billed }) =>
        billed === served
          ? Effect.void
          : Effect.fail(new StepFailed({ reason: `${String(billed)} API calls are billed, ${served} were served` }))
      )
      yield* eventually(deliveredWithinMs, check)
      // A count that was passed on its way to a larger one would be right by chance.
      yield* Effect.sleep("2 seconds")
      yield* check
      return `${served} API calls served, ${served} billed`
    })
}
