/** The configuration as it goes over the wire: exported, hashed and compressed once for all data planes. */
import { Context, type Effect } from "effect"
import type { Attestation } from "../../model/ConfigStatement.ts"
import type { StoreFailed } from "./ConfigStore.ts"

export interface Payload {
  /** Of the store; a payload with a higher one replaces this. */
  readonly version: number
  readonly hash: string
  readonly bytes: Uint8Array
  /** What is vouched for: part of the bytes. */
  readonly attestation: Attestation
  /** Names of the plugins that it configures. */
  readonly plugins: ReadonlyArray<string>
  /** Rows by kind, most first: what to name when a payload is too large. */
  readonly sections: ReadonlyArray<{ readonly name: string; readonly rows: number }>
}

export class Payloads extends Context.Service<
  Payloads,
  {
    /** The newest configuration. Made anew only when the store has changed. */
    readonly newest: Effect.Effect<Payload, StoreFailed>
  }
>()("holdfast/services/control/Payloads") {}
