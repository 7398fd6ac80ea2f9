/** Every drill there is. */
import { coldStart } from "./coldStart.ts"
import { cpLoss } from "./cpLoss.ts"
import type { Drill } from "./Drill.ts"

export const drills: ReadonlyArray<Drill> = [cpLoss, coldStart]
