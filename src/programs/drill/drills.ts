/** Every drill there is. */
import { clockSkew } from "./clockSkew.ts"
import { coldStart } from "./coldStart.ts"
import { corruptCache } from "./corruptCache.ts"
import { cpLoss } from "./cpLoss.ts"
import type { Drill } from "./Drill.ts"
import { diskFull } from "./diskFull.ts"
import { expireLicense } from "./expireLicense.ts"
import { newNode } from "./newNode.ts"

export const drills: ReadonlyArray<Drill> = [
  cpLoss,
  coldStart,
  newNode,
  corruptCache,
  diskFull,
  expireLicense,
  clockSkew
]
