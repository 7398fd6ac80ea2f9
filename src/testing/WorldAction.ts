/**
 * What may be done to a world of one node and one control plane, as data: schedules of it are generated, shrunk, printed and
 * played. Every action is allowed at any moment; one that finds nothing to act on does nothing.
 */
import { Schema } from "effect"

const between = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))

/** What a push may be instead of a configuration that a node must take. */
export const flawNames = [
  "unreadable",
  "truncated",
  "notJson",
  "otherType",
  "unknownEntity",
  "danglingReference",
  "wrongHash"
] as const

export const WorldAction = Schema.Union([
  /** A configuration by its number: the same number is the same configuration. */
  Schema.Struct({ do: Schema.tag("push"), number: between(0, 9), routes: between(1, 4) }),
  Schema.Struct({ do: Schema.tag("pushFlawed"), flaw: Schema.Literals(flawNames), number: between(0, 9) }),
  Schema.Struct({ do: Schema.tag("pushAgain") }),
  Schema.Struct({ do: Schema.tag("crash"), how: Schema.Literals(["told", "silent"]) }),
  Schema.Struct({ do: Schema.tag("restart") }),
  Schema.Struct({ do: Schema.tag("close") }),
  Schema.Struct({
    do: Schema.tag("receive"),
    reception: Schema.Literals(["accept", "refuse", "refuseFor30s", "silent", "breakOff"])
  }),
  Schema.Struct({ do: Schema.tag("pongs"), answered: Schema.Boolean }),
  Schema.Struct({ do: Schema.tag("block"), direction: Schema.Literals(["both", "toServer", "toNode"]) }),
  Schema.Struct({ do: Schema.tag("unblock") }),
  Schema.Struct({ do: Schema.tag("delay"), ms: between(0, 3_000) }),
  Schema.Struct({ do: Schema.tag("lose"), percent: between(0, 30) }),
  Schema.Struct({ do: Schema.tag("halfOpen") }),
  Schema.Struct({ do: Schema.tag("reset") }),
  Schema.Struct({ do: Schema.tag("cut") }),
  Schema.Struct({ do: Schema.tag("kill"), how: Schema.Literals(["killed", "powerCut"]) }),
  Schema.Struct({ do: Schema.tag("start") }),
  Schema.Struct({ do: Schema.tag("suspend") }),
  Schema.Struct({ do: Schema.tag("resume") }),
  Schema.Struct({ do: Schema.tag("jump"), minutes: between(-1_440, 1_440) }),
  Schema.Struct({
    do: Schema.tag("disk"),
    trouble: Schema.Literals(["none", "full", "readOnly", "slow", "stuck", "failing"])
  }),
  Schema.Struct({ do: Schema.tag("spoilCache"), how: Schema.Literals(["flip", "truncate", "empty", "remove"]) })
])
export type WorldAction = typeof WorldAction.Type

export const ScheduledAction = Schema.Struct({ afterMs: between(0, 60_000), action: WorldAction })
export type ScheduledAction = typeof ScheduledAction.Type

/** One after the other, each so long after the one before. */
export type Schedule = ReadonlyArray<ScheduledAction>

/** A line an action, as it would be told to somebody who tries it by hand. */
export const describeSchedule = (schedule: Schedule): ReadonlyArray<string> => {
  let atMs = 0
  return schedule.map(({ afterMs, action }) => {
    atMs += afterMs
    const { do: name, ...facts } = action
    const told = Object.entries(facts).map(([key, value]) => ` ${key}=${value}`)
    return `${(atMs / 1000).toFixed(3).padStart(9)} s ${name}${told.join("")}`
  })
}
