/** The rung of the declarative file: what a node serves when it has nothing better. Unusable with every fault of the file. */
import { Context } from "effect"
import type { Rung } from "./Rung.ts"

export class DeclarativeConfig extends Context.Service<DeclarativeConfig, Rung>()(
  "holdfast/services/DeclarativeConfig"
) {}
