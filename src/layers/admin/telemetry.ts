/** What the data planes counted: analytics and billing. Names are those that the configuration has when it is asked. */
import { Clock, Effect } from "effect"
import { type AdminAnswer, answers, refusalAnswer } from "../../model/AdminErrors.ts"
import { entityByName } from "../../model/Entities.ts"
import type { Fault } from "../../model/Fault.ts"
import { readInstant } from "../../model/TimeRange.ts"
import { quantileMs } from "../../model/telemetry/Histogram.ts"
import { minuteMs } from "../../model/telemetry/Minutes.ts"
import { ConfigStore, type StoreFailed } from "../../services/control/ConfigStore.ts"
import {
  type Period,
  type RequestGroup,
  type RequestsPoint,
  type RequestsQuery,
  requestGroups,
  TelemetryStore
} from "../../services/control/TelemetryStore.ts"
import { Settings } from "../../services/Settings.ts"

const hourMs = 3_600_000
const pointsMax = 50_000
const pointsAtOnce = 500
const stepMaxSeconds = 31_536_000

const iso = (ms: number): string => new Date(ms).toISOString()

const floorToMinute = (ms: number): number => Math.floor(ms / minuteMs) * minuteMs
const ceilToMinute = (ms: number): number => Math.ceil(ms / minuteMs) * minuteMs

/** Reads the parameters of a query, and collects what is wrong with them. */
const makeReader = (query: URLSearchParams, known: ReadonlyArray<string>) => {
  const faults: Array<Fault> = [...new Set(query.keys())]
    .filter((name) => !known.includes(name))
    .map((name) => ({ path: [name], message: `unknown parameter; expected one of ${known.join(", ")}` }))
  const wrong = (name: string, message: string, value: string): undefined => {
    faults.push({ path: [name], message, value })
  }
  const instant = (name: string): number | undefined => {
    const text = query.get(name)
    if (text === null) return undefined
    return readInstant(text) ?? wrong(name, "expected a time as ISO 8601 or Unix seconds", text)
  }
  /** Whole minutes that hold what was asked for. */
  const period = (): Partial<Period> => {
    const [fromMs, toMs] = [instant("from"), instant("to")]
    if (fromMs !== undefined && toMs !== undefined && fromMs >= toMs)
      wrong("to", "expected a time after from", query.get("to") ?? "")
    return {
      ...(fromMs === undefined ? {} : { fromMs: floorToMinute(fromMs) }),
      ...(toMs === undefined ? {} : { toMs: ceilToMinute(toMs) })
    }
  }
  const by = (): RequestGroup | undefined => {
    const text = query.get("by") ?? ""
    return (
      requestGroups.find((group) => group === text) ?? wrong("by", `expected one of ${requestGroups.join(", ")}`, text)
    )
  }
  const step = (): number | undefined => {
    const text = query.get("step") ?? "60"
    const seconds = /^\d{1,9}$/.test(text) ? Number(text) : 0
    return seconds > 0 && seconds <= stepMaxSeconds && seconds % 60 === 0
      ? seconds * 1000
      : wrong("step", `expected seconds in whole minutes, from 60 to ${stepMaxSeconds}`, text)
  }
  return { faults, period, by, step }
}

const refused = (faults: ReadonlyArray<Fault>): AdminAnswer => refusalAnswer({ _tag: "SchemaViolation", faults })

const onStoreFailure = (error: StoreFailed) => Effect.as(Effect.logError("admin request failed", error), answers.failed)

const entityOf: Readonly<Record<Exclude<RequestGroup, "status">, { readonly kind: string; readonly field: string }>> = {
  service: { kind: "services", field: "name" },
  route: { kind: "routes", field: "name" },
  consumer: { kind: "consumers", field: "username" }
}

/** `null` for what has no name, or is not there any more. */
const nameOf = Effect.fnUntraced(function* (by: RequestGroup, id: string | null) {
  if (by === "status" || id === null) return null
  const { kind, field } = entityOf[by]
  const entity = entityByName.get(kind)
  const row = entity === undefined ? undefined : yield* (yield* ConfigStore).find({ entity, text: id })
  const name = row?.[field]
  return typeof name === "string" ? name : null
})

const round = (ms: number | null): number | null => (ms === null ? null : Math.round(ms * 1000) / 1000)

const shownPoint = (by: RequestGroup, name: string | null, { fromMs, id, statuses, latency }: RequestsPoint) => ({
  from: iso(fromMs),
  id,
  name,
  requests: statuses.reduce((sum, count) => sum + count, 0),
  statuses: Object.fromEntries(statuses.map((count, at) => [`${at + 1}xx`, count])),
  latency_ms:
    by === "status"
      ? null
      : {
          p50: round(quantileMs(latency, 0.5)),
          p90: round(quantileMs(latency, 0.9)),
          p99: round(quantileMs(latency, 0.99))
        }
})

const answerQuery = Effect.fnUntraced(function* (query: RequestsQuery) {
  const { by, fromMs, toMs, stepMs } = query
  const points = yield* (yield* TelemetryStore).requests(query)
  const names = new Map<string | null, string | null>()
  for (const { id } of points) if (!names.has(id)) names.set(id, yield* nameOf(by, id))
  const data: Array<ReturnType<typeof shownPoint>> = []
  for (const point of points) {
    if (data.push(shownPoint(by, names.get(point.id) ?? null, point)) % pointsAtOnce === 0) yield* Effect.yieldNow
  }
  const answer: AdminAnswer = {
    status: 200,
    body: { by, from: iso(fromMs), to: iso(toMs), step: stepMs / 1000, data }
  }
  return answer
})

/** Without bounds, the last hour; without a step, minutes. */
const requests = Effect.fnUntraced(function* (params: URLSearchParams) {
  const reader = makeReader(params, ["by", "from", "to", "step"])
  const [by, given, stepMs] = [reader.by(), reader.period(), reader.step()]
  if (reader.faults.length > 0 || by === undefined || stepMs === undefined) return refused(reader.faults)
  const toMs = given.toMs ?? ceilToMinute(yield* Clock.currentTimeMillis)
  const fromMs = given.fromMs ?? toMs - hourMs
  return yield* answerQuery({ by, fromMs, toMs, stepMs, pointsMax }).pipe(
    Effect.catchTags({
      TooManyPoints: () =>
        Effect.succeed(
          refused([
            { path: ["step"], message: `expected one that makes no more than ${pointsMax} points of this period` }
          ])
        ),
      StoreFailed: onStoreFailure
    })
  )
})

const countServices = Effect.gen(function* () {
  const { rows } = yield* (yield* ConfigStore).export
  return rows.get("services")?.length ?? 0
})

/** Without bounds, all that is known. */
const usage = Effect.fnUntraced(
  function* (params: URLSearchParams) {
    const reader = makeReader(params, ["from", "to"])
    const period = reader.period()
    if (reader.faults.length > 0) return refused(reader.faults)
    const { billing_dev_portals } = yield* Settings
    const { fromMs, toMs, services, apiCalls } = yield* (yield* TelemetryStore).usage(period)
    const answer: AdminAnswer = {
      status: 200,
      body: {
        services: services ?? (yield* countServices),
        api_calls: [...apiCalls.values()].reduce((sum, calls) => sum + calls, 0),
        dev_portals: billing_dev_portals,
        nodes: Object.fromEntries([...apiCalls].map(([id, calls]) => [id, { api_calls: calls }])),
        from: fromMs === undefined ? null : iso(fromMs),
        to: toMs === undefined ? null : iso(toMs)
      }
    }
    return answer
  },
  Effect.catchTag("StoreFailed", onStoreFailure)
)

/** The answer to a request about telemetry; `undefined` when the path is about something else. */
export const telemetryOf = (
  path: string,
  { searchParams }: URL
): Effect.Effect<AdminAnswer, never, Settings | ConfigStore | TelemetryStore> | undefined => {
  if (path === "/analytics/requests") return requests(searchParams)
  return path === "/billing/usage" ? usage(searchParams) : undefined
}
