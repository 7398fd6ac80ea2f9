/** Thrown when a configuration is compiled whose plugins can't be made: it is refused whole, for nothing may be served without. */
import { type Fault, formatFault } from "../Fault.ts"

export class PluginsRefused extends Error {
  readonly faults: ReadonlyArray<Fault>

  constructor(faults: ReadonlyArray<Fault>) {
    super(faults.map(formatFault).join("; "))
    this.faults = faults
  }
}
