/**
 * The survivors that stay, each with its reason. An entry is found by file, source line and mutation, exactly as the report
 * prints them; one that fits nothing, or that a test kills by now, fails the run.
 */
import type { Reasoned } from "./judge.ts"

const lamp = "scripts/mutation/canary/lamp.ts"
const intake = "src/model/session/intake.ts"
const link = "src/model/session/link.ts"
const step = "src/model/session/step.ts"

const narrowing = "Only narrows the type: in any other phase the member is undefined, and compares as false."

export const reasons: ReadonlyArray<Reasoned> = [
  {
    file: lamp,
    text: 'export const dark: Lamp = { isOn: false, uses: 0, colours: ["white", "red"] }',
    mutations: [
      '{ isOn: false, uses: 0, colours: ["white", "red"] } → {}',
      "0 → 1",
      '["white", "red"] → []',
      '["white", "red"] → ["red"]',
      '["white", "red"] → ["white"]',
      '"white" → ""',
      '"red" → ""'
    ],
    why: "Planted: the test looks at no member of it."
  },
  {
    file: lamp,
    text: "const count: Part = (lamp) => ({ ...lamp, uses: lamp.uses + 1 })",
    mutations: ["{ ...lamp, uses: lamp.uses + 1 } → { ...lamp }", "lamp.uses + 1 → lamp.uses - 1", "1 → 2"],
    why: "Planted: nothing counts the uses."
  },
  {
    file: lamp,
    text: "if (lamp.uses >= (limit ?? 1_000)) return lamp",
    mutations: [
      "lamp.uses >= (limit ?? 1_000) → false",
      "lamp.uses >= (limit ?? 1_000) → lamp.uses > (limit ?? 1_000)",
      "limit ?? 1_000 → limit && 1_000",
      "limit ?? 1_000 → limit",
      "limit ?? 1_000 → 1_000",
      "1_000 → 1001"
    ],
    why: "Planted: no lamp of the test is used up."
  },
  {
    file: lamp,
    text: "return sequence({ ...lamp, isOn: !lamp.isOn }, count)",
    mutations: [
      "sequence({ ...lamp, isOn: !lamp.isOn }, count) → sequence({ ...lamp, isOn: !lamp.isOn })",
      "{ ...lamp, isOn: !lamp.isOn } → { isOn: !lamp.isOn }"
    ],
    why: "Planted: the test looks at whether it is on, and at nothing else."
  },
  {
    file: lamp,
    text: "const pressed = lamps.map((lamp) => press(lamp))",
    mutations: ["(lamp) => press(lamp) → () => undefined"],
    why: "Planted: the test counts the lamps and looks at none."
  },
  {
    file: lamp,
    text: 'told.push("pressed")',
    mutations: ['told.push("pressed") → ;', '"pressed" → ""'],
    why: "Planted: nobody reads what is told."
  },
  {
    file: intake,
    text: "const known = state.refused.filter((name) => name !== content && name !== payload.digest)",
    mutations: ["name !== payload.digest → true"],
    why: "What is begun is not among the refused, and nothing is added while it is under way. Kept, for the list must hold each name once whoever begins what."
  },
  {
    file: intake,
    text: 'next.apply.phase === "retrying" && nowMs >= next.apply.retryAtMs',
    mutations: ['next.apply.phase === "retrying" → true'],
    why: narrowing
  },
  {
    file: intake,
    text: 'next.persist.phase === "retrying" && nowMs >= next.persist.retryAtMs',
    mutations: ['next.persist.phase === "retrying" → true'],
    why: narrowing
  },
  {
    file: link,
    text: "return link.untilMs !== undefined && nowMs >= link.untilMs ? dial(state, nowMs) : stay(state)",
    mutations: ["link.untilMs !== undefined → true"],
    why: narrowing
  },
  {
    file: "src/model/session/sequence.ts",
    text: "return more.length === 0 ? [next, actions] : [next, [...actions, ...more]]",
    mutations: ["more.length === 0 → false"],
    why: "Saves a copy of a list that nothing is added to; the copy is the same list."
  },
  {
    file: step,
    text: 'case "stopped":',
    mutations: ['"stopped" → ""'],
    why: "The branch below it gives the member that this phase does not have: the same undefined. Named for the reader."
  },
  {
    file: step,
    text: 'apply.phase === "retrying" ? apply.retryAtMs : undefined,',
    mutations: ['apply.phase === "retrying" → true'],
    why: narrowing
  },
  {
    file: step,
    text: 'persist.phase === "retrying" ? persist.retryAtMs : undefined,',
    mutations: ['persist.phase === "retrying" → true'],
    why: narrowing
  },
  {
    file: "src/model/reconnectDelay.ts",
    text: "Math.min(capMs, backoffFirstCeilingMs * 2 ** Math.min(attempt, 40))",
    mutations: ["40 → 41"],
    why: "Keeps the power a number for any count of attempts. 2^40 times 10 s is beyond every cap, and so is the double."
  }
]
