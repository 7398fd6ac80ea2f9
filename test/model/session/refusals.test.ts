/** What was refused is remembered by name and not tried again, as the loop of `hybrid-protocol-v1.md` §6.7 would; and not for ever. */
import { assert, describe, it } from "@effect/vitest"
import type { Action } from "../../../src/model/session/Action.ts"
import type { SessionEvent } from "../../../src/model/session/Event.ts"
import { refusedMax } from "../../../src/model/session/limits.ts"
import type { SessionState } from "../../../src/model/session/State.ts"
import { initialState, step } from "../../../src/model/session/step.ts"

const played = (
  events: ReadonlyArray<SessionEvent>,
  from: SessionState
): readonly [SessionState, ReadonlyArray<Action>] =>
  events.reduce<readonly [SessionState, ReadonlyArray<Action>]>(
    ([state, actions], event) => {
      const [next, more] = step(state, event)
      return [next, [...actions, ...more]]
    },
    [from, []]
  )

const pushed = (name: string): SessionEvent => ({
  _tag: "frame",
  nowMs: 0,
  dial: 1,
  payload: { digest: name, bytes: new Uint8Array() }
})

const refused = (name: string): ReadonlyArray<SessionEvent> => [
  pushed(name),
  { _tag: "refused", nowMs: 0, content: `content of ${name}` }
]

const isTried = (state: SessionState, name: string): boolean =>
  step(state, pushed(name))[1].some(({ _tag }) => _tag === "apply")

describe("the memory of refusals", () => {
  const [started] = played([{ _tag: "started", nowMs: 0 }], initialState)

  it("keeps the newest 32 names, in their order", () => {
    const all = Array.from({ length: 40 }, (_, index) => `payload ${index}`)
    const [state] = played(all.flatMap(refused), started)
    const newest = all.flatMap((name) => [name, `content of ${name}`]).slice(-32)
    assert.strictEqual(refusedMax, 32)
    assert.deepStrictEqual(state.refused, newest)
    assert.isFalse(isTried(state, "payload 24"))
    assert.isTrue(isTried(state, "payload 23"))
  })

  it("counts a name that is refused again as new", () => {
    const again: SessionEvent = { _tag: "refused", nowMs: 0, content: "content of A" }
    const [state] = played([...refused("A"), ...refused("B"), pushed("A in other bytes"), again], started)
    assert.deepStrictEqual(state.refused, ["A", "B", "content of B", "A in other bytes", "content of A"])
  })
})
