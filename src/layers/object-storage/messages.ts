/** What the thread that asks and the worker that carries say to each other. Bytes change hands, they are not copied. */
import type { Expectation, ObjectStoreTrouble } from "../../services/ObjectStore.ts"

export type Question =
  | { readonly operation: "read"; readonly key: string; readonly maxBytes: number }
  | {
      readonly operation: "write"
      readonly key: string
      readonly bytes: Uint8Array
      readonly contentType: string
      readonly expects: Expectation
    }

export type Outcome =
  | { readonly _tag: "Absent" }
  | { readonly _tag: "Found"; readonly bytes: Uint8Array; readonly tag: string }
  | { readonly _tag: "Written"; readonly tag: string }
  | { readonly _tag: "Failed"; readonly trouble: ObjectStoreTrouble; readonly message: string }

/** `id` counts the calls of one worker's life. */
export type ToWorker =
  | { readonly id: number; readonly question: Question }
  /** Nobody waits for it any more. */
  | { readonly id: number; readonly question: "abort" }

export interface FromWorker {
  readonly id: number
  readonly outcome: Outcome
}
