/** Texts that nobody can guess, made up for rows that come without them (`config-model.md` §1.2). */
import { Effect } from "effect"
import type { Entity, Row } from "../../model/Entity.ts"
import type { Ids } from "../../services/control/Ids.ts"

/** What `former`, the row in whose place this one stands, had already, is kept. */
export const withGenerated = Effect.fnUntraced(function* (
  ids: Ids["Service"],
  { generated }: Entity,
  row: Row,
  former: Row = {}
) {
  const made: Record<string, unknown> = {}
  for (const field of generated) {
    if ((row[field] ?? null) === null) made[field] = former[field] ?? (yield* ids.secret)
  }
  return { ...row, ...made } as Row
})
