/**
 * `docs/session-machine.md`, made by running the session machine: every state that its own steps reach, every kind of event
 * in each of them, and what came of it. Nothing of the diagram is drawn by hand.
 */
import type { Action } from "../../src/model/session/Action.ts"
import type { SessionEvent } from "../../src/model/session/Event.ts"
import type { SessionState } from "../../src/model/session/State.ts"
import { initialState, nextDeadlineMs, step } from "../../src/model/session/step.ts"

interface Region {
  readonly title: string
  readonly words: string
  readonly phaseOf: (state: SessionState) => string
  /** The actions that are this region's doing. */
  readonly actions: ReadonlySet<Action["_tag"]>
}

const regions: ReadonlyArray<Region> = [
  {
    title: "The link",
    words:
      "One at most. `stopped` is reached when the node stops, and in no other way: there is no state in which it gives up.",
    phaseOf: ({ link }) => (link.phase === "waiting" && link.untilMs === undefined ? "choosing" : link.phase),
    actions: new Set(["dial", "greet", "hangUp", "chooseDelay", "ping", "report"])
  },
  {
    title: "Applying configurations",
    words:
      "One payload at a time; while it is under way, only the newest of those that come waits. It outlives sessions.",
    phaseOf: ({ apply, pending }) => (pending === undefined ? apply.phase : `${apply.phase}_and_one_waits`),
    actions: new Set(["apply"])
  },
  {
    title: "Persisting what serves",
    words:
      "One write at a time, of the newest only. The announcement (`ping`) follows the write, its failure, or 5 s of patience.",
    phaseOf: ({ persist }) =>
      persist.phase === "writing" && persist.next !== undefined ? "writing_and_one_waits" : persist.phase,
    actions: new Set(["persist"])
  }
]

const payload = (digest: string) => ({ digest, bytes: new Uint8Array() })

/** One of each kind, at the moment that matters: a tick comes when its deadline does, and once when silence is over. */
const eventsFor = (state: SessionState, nowMs: number): ReadonlyArray<SessionEvent> => {
  const { dial } = state
  const end = { reason: "closed", message: "" } as const
  return [
    { _tag: "started", nowMs },
    { _tag: "stopped", nowMs },
    { _tag: "tick", nowMs: nextDeadlineMs(state) ?? nowMs },
    ...(state.link.phase === "live" ? [{ _tag: "tick", nowMs: state.link.silentAtMs } as const] : []),
    { _tag: "opened", nowMs, dial },
    { _tag: "greeted", nowMs, dial },
    { _tag: "frame", nowMs, dial },
    { _tag: "frame", nowMs, dial, payload: payload("A") },
    { _tag: "frame", nowMs, dial, payload: payload("B") },
    { _tag: "ended", nowMs, dial, end },
    { _tag: "delayChosen", nowMs, delayMs: 7_000 },
    { _tag: "applied", nowMs, hash: "a" },
    { _tag: "applied", nowMs, hash: "b" },
    { _tag: "ignored", nowMs },
    { _tag: "refused", nowMs, content: "c" },
    { _tag: "refused", nowMs, content: "c", rejection: { id: 1, hash: undefined, faults: [] } },
    { _tag: "reported", nowMs, id: 1 },
    { _tag: "applyFailed", nowMs },
    { _tag: "served", nowMs, hash: "h" },
    { _tag: "persisted", nowMs },
    { _tag: "persistFailed", nowMs, message: "" }
  ]
}

/** Where it matters to the link alone, the other regions have no word for it. */
const nameOf = (region: Region, { link }: SessionState, event: SessionEvent): string => {
  const isLink = region === regions[0]
  switch (event._tag) {
    case "tick":
      return isLink && link.phase === "live" && event.nowMs === link.silentAtMs ? "45 s of silence" : "deadline"
    case "frame":
      return event.payload === undefined ? "frame" : "configuration"
    case "refused":
      return isLink && event.rejection !== undefined ? "refused, to be reported" : "refused"
    default:
      return event._tag
  }
}

interface Edge {
  readonly from: string
  readonly event: string
  readonly to: string
  readonly does: string
}

/** What tells two states apart here: the phases, never the numbers. */
const keyOf = (state: SessionState): string =>
  [
    ...regions.map(({ phaseOf }) => phaseOf(state)),
    state.durability,
    state.unannounced?.hash,
    state.unreported?.id
  ].join(" ")

const explore = (): ReadonlyMap<Region, ReadonlyArray<Edge>> => {
  const edges = new Map<Region, Map<string, Edge>>(regions.map((region) => [region, new Map()]))
  const seen = new Map([[keyOf(initialState), { state: initialState, nowMs: 0 }]])
  // A map's values go on with what is added while they are looked at.
  for (const { state, nowMs } of seen.values()) {
    for (const event of eventsFor(state, nowMs)) {
      const [next, actions] = step(state, event)
      for (const region of regions) {
        const [from, to] = [region.phaseOf(state), region.phaseOf(next)]
        const does = actions
          .map(({ _tag }) => _tag)
          .filter((tag) => region.actions.has(tag))
          .join(", ")
        if (from === to && does === "") continue
        const edge = { from, event: nameOf(region, state, event), to, does }
        edges.get(region)?.set(Object.values(edge).join("|"), edge)
      }
      // What was refused is remembered by name; the diagram's two payloads are to stay fresh.
      const fresh = { ...next, refused: [] }
      const key = keyOf(fresh)
      if (!seen.has(key)) seen.set(key, { state: fresh, nowMs: event.nowMs })
    }
  }
  return new Map([...edges].map(([region, found]) => [region, [...found.values()]]))
}

/** Several events that lead the same way are one arrow. */
const diagram = (edges: ReadonlyArray<Edge>): ReadonlyArray<string> => {
  const arrows = new Map<string, Set<string>>()
  for (const { from, event, to } of edges) {
    if (from === to) continue
    const arrow = `${from} --> ${to}`
    arrows.set(arrow, (arrows.get(arrow) ?? new Set()).add(event))
  }
  return [...arrows].map(([arrow, events]) => `  ${arrow}: ${[...events].join(", ")}`)
}

const section = ({ title, words }: Region, edges: ReadonlyArray<Edge>): ReadonlyArray<string> => [
  `## ${title}`,
  "",
  words,
  "",
  "```mermaid",
  "stateDiagram-v2",
  `  [*] --> ${edges[0]?.from ?? ""}`,
  ...diagram(edges),
  "```",
  "",
  "| in | when | becomes | and wants |",
  "|---|---|---|---|",
  ...edges.map(({ from, event, to, does }) => `| ${from} | ${event} | ${to === from ? "" : to} | ${does} |`),
  ""
]

export const renderSessionMachine = (): string =>
  [
    "# The session machine",
    "",
    "<!-- Made by `npm run docs`, which runs the machine itself (`src/model/session/step.ts`) through every state it reaches. -->",
    "",
    "The life of a node's connection is a pure function, `step(state, event)`, which gives the next state and what is to be done.",
    "Time and delays come in with the events; what carries its wishes out decides nothing. Scenarios to read:",
    "`test/model/session/transcripts`. The promises that it is held to: `guarantees.md`.",
    "",
    ...[...explore()].flatMap(([region, edges]) => section(region, edges))
  ].join("\n")
