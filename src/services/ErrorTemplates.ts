/** Bodies of errors in the operator's own words. */
import { Context, type Effect } from "effect"
import type { ErrorTemplates as Templates } from "../model/ErrorTemplate.ts"
import type { StartError } from "./StartError.ts"

export class ErrorTemplates extends Context.Service<
  ErrorTemplates,
  {
    /** Fails with the faults of all of them. */
    readonly load: Effect.Effect<Templates, StartError>
  }
>()("holdfast/services/ErrorTemplates") {}
