/** An ObjectStore whose calls somebody carries: a worker, or this very thread. */
import { Effect } from "effect"
import { type ObjectStore, ObjectStoreError } from "../../services/ObjectStore.ts"
import type { Outcome, Question } from "./messages.ts"
import type { Perform } from "./perform.ts"

/** Interruption breaks the call off. */
export type Carry = (question: Question) => Effect.Effect<Outcome>

/** On the thread that asks: loading a vendor's client, signing and TLS are felt there. For tests and measurements. */
export const onThisThread =
  (perform: Perform): Carry =>
  (question) =>
    Effect.promise((signal) => perform(question, signal))

const errorOf = ({ operation, key }: Question, trouble: ObjectStoreError["trouble"], message: string) =>
  new ObjectStoreError({ trouble, operation, key, message })

const unexpected = (question: Question, outcome: Outcome) =>
  outcome._tag === "Failed"
    ? Effect.fail(errorOf(question, outcome.trouble, outcome.message))
    : Effect.die(new Error(`an answer to another question: ${outcome._tag}`))

export const carriedStore = (place: string, carry: Carry): ObjectStore => ({
  place,
  read: (key, maxBytes) => {
    const question: Question = { operation: "read", key, maxBytes }
    return Effect.flatMap(carry(question), (outcome) => {
      if (outcome._tag === "Absent") return Effect.undefined
      if (outcome._tag === "Found") return Effect.succeed({ bytes: outcome.bytes, tag: outcome.tag })
      return unexpected(question, outcome)
    })
  },
  write: (key, object) => {
    const question: Question = { operation: "write", key, ...object }
    return Effect.flatMap(carry(question), (outcome) =>
      outcome._tag === "Written" ? Effect.succeed(outcome.tag) : unexpected(question, outcome)
    )
  }
})
