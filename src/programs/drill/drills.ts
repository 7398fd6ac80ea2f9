/** Every drill there is. */
import { clockSkew } from "./clockSkew.ts"
import { coldStart } from "./coldStart.ts"
import { cpLoss } from "./cpLoss.ts"
import type { Drill } from "./Drill.ts"
import { expireLicense } from "./expireLicense.ts"

export const drills: ReadonlyArray<Drill> = [cpLoss, coldStart, expireLicense, clockSkew]
