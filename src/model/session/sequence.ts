/** One step of the machine: the state after it, and what is to be done, in that order. */
import type { Action } from "./Action.ts"
import type { SessionState } from "./State.ts"

export type Step = readonly [state: SessionState, actions: ReadonlyArray<Action>]

export const stay = (state: SessionState): Step => [state, []]

/** One after the other, each on what the one before left. */
export const sequence = (state: SessionState, ...parts: ReadonlyArray<(state: SessionState) => Step>): Step =>
  parts.reduce<Step>(
    ([reached, actions], part) => {
      const [next, more] = part(reached)
      return more.length === 0 ? [next, actions] : [next, [...actions, ...more]]
    },
    [state, []]
  )
