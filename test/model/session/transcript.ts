/**
 * Scenarios as text: `> command` lines drive the session machine, the lines below each say what it did. Comments start
 * with `#`. `rewrite` gives the text with what the machine does today, to be compared with what stands there.
 *
 *   start | stop | wait 30s | opened | greeted | frame | frame A (a payload of that name) | ended closed MESSAGE |
 *   delay 7s | applied HASH | ignored | refused NAME [new] | failed | served HASH | persisted | persist-moot |
 *   persist-failed MESSAGE | reported N; a trailing `@2` says that it comes from dial 2
 */
import type { Action, Change } from "../../../src/model/session/Action.ts"
import type { SessionEvent } from "../../../src/model/session/Event.ts"
import type { EndFacts, SessionState } from "../../../src/model/session/State.ts"
import { initialState, nextDeadlineMs, step } from "../../../src/model/session/step.ts"

const seconds = (text = ""): number => Math.round(Number.parseFloat(text) * 1000)
const shownSeconds = (ms: number): string => `${ms / 1000} s`

const changeText = (change: Change): string => {
  switch (change._tag) {
    case "disconnected":
      return `disconnected: ${change.end.reason}, ${change.end.message}`
    case "persistFailing":
      return `persistFailing ${change.hash}: ${change.message}`
    case "persistSlow":
    case "persistMended":
      return `${change._tag} ${change.hash}`
    default:
      return change._tag
  }
}

export const actionText = (action: Action): string => {
  switch (action._tag) {
    case "ping":
      return `ping ${action.dial} with ${action.hash.replace(/^0{32}$/, "zeros")}`
    case "report":
      return `report ${action.dial}: rejection ${action.rejection.id}`
    case "chooseDelay":
      return `chooseDelay after ${action.end.reason}${action.isFresh ? ", fresh" : ""}`
    case "apply":
      return `apply ${action.payload.digest}${action.refused.length === 0 ? "" : ` (refused before: ${action.refused.join(" ")})`}`
    case "persist":
      return `persist ${action.hash}`
    case "tell":
      return `tell ${changeText(action.change)}`
    default:
      return `${action._tag} ${action.dial}`
  }
}

const regions = ({ link, apply, persist, durability }: SessionState) => ({
  link: link.phase,
  apply: apply.phase,
  persist: persist.phase,
  durability
})

/** Each region that changed, and how. */
const movesOf = (before: SessionState, after: SessionState): ReadonlyArray<string> => {
  const [from, to] = [regions(before), regions(after)]
  return (Object.keys(from) as Array<keyof typeof from>)
    .filter((region) => from[region] !== to[region])
    .map((region) => `${region}: ${from[region]} → ${to[region]}`)
}

interface Run {
  nowMs: number
  state: SessionState
  rejections: number
  readonly lines: Array<string>
}

const take = (run: Run, event: SessionEvent): void => {
  const [state, actions] = step(run.state, event)
  const told = [...movesOf(run.state, state), ...actions.map(actionText)]
  run.lines.push(...(told.length === 0 ? ["nothing"] : told).map((line) => `  ${line}`))
  run.state = state
}

const wait = (run: Run, ms: number): void => {
  const endMs = run.nowMs + ms
  for (let next = nextDeadlineMs(run.state); next !== undefined && next <= endMs; next = nextDeadlineMs(run.state)) {
    run.nowMs = Math.max(run.nowMs, next)
    run.lines.push(`  at ${shownSeconds(run.nowMs)}`)
    take(run, { _tag: "tick", nowMs: run.nowMs })
    if ((nextDeadlineMs(run.state) ?? endMs + 1) <= run.nowMs) throw new Error("the clock stands still")
  }
  run.nowMs = endMs
}

const eventOf = (run: Run, command: string): SessionEvent => {
  const [, text = command, from] = /^(.*?)(?:\s*@(\d+))?$/.exec(command) ?? []
  const [verb = "", ...words] = text.split(" ")
  const [first = ""] = words
  const { nowMs } = run
  const dial = from === undefined ? run.state.dial : Number(from)
  const payload = { digest: first, bytes: new Uint8Array() }
  switch (verb) {
    case "start":
      return { _tag: "started", nowMs }
    case "stop":
      return { _tag: "stopped", nowMs }
    case "tick":
      return { _tag: "tick", nowMs }
    case "opened":
    case "greeted":
      return { _tag: verb, nowMs, dial }
    case "frame":
      return first === "" ? { _tag: "frame", nowMs, dial } : { _tag: "frame", nowMs, dial, payload }
    case "ended":
      return {
        _tag: "ended",
        nowMs,
        dial,
        end: { reason: first as EndFacts["reason"], message: words.slice(1).join(" ") }
      }
    case "delay":
      return { _tag: "delayChosen", nowMs, delayMs: first === "nonsense" ? Number.NaN : seconds(first) }
    case "applied":
    case "served":
      return { _tag: verb, nowMs, hash: first }
    case "ignored":
    case "persisted":
      return { _tag: verb, nowMs }
    case "failed":
      return { _tag: "applyFailed", nowMs }
    case "refused": {
      const rejection = { id: ++run.rejections, hash: first, faults: [] }
      return words[1] === "new"
        ? { _tag: "refused", nowMs, content: first, rejection }
        : { _tag: "refused", nowMs, content: first }
    }
    case "persist-moot":
      return { _tag: "persistMoot", nowMs }
    case "persist-failed":
      return { _tag: "persistFailed", nowMs, message: words.join(" ") }
    case "reported":
      return { _tag: "reported", nowMs, id: Number(first) }
    default:
      throw new Error(`unknown command: ${command}`)
  }
}

export const rewrite = (text: string): string => {
  const run: Run = { nowMs: 0, state: initialState, rejections: 0, lines: [] }
  for (const line of text.trimEnd().split("\n")) {
    if (line.startsWith("#") || line.trim() === "") run.lines.push(line)
    if (!line.startsWith("> ")) continue
    const command = line.slice(2)
    run.lines.push(line)
    if (command.startsWith("wait ")) wait(run, seconds(command.slice(5)))
    else take(run, eventOf(run, command))
  }
  return `${run.lines.join("\n")}\n`
}
