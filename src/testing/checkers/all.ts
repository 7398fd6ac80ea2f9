/** Every promise that is held against a world by default. */
import { announcedIsApplied } from "./announcedIsApplied.ts"
import { appliedWasPushed } from "./appliedWasPushed.ts"
import type { CheckerKind } from "./Checker.ts"
import { fewTimers } from "./fewTimers.ts"
import { newerStays } from "./newerStays.ts"
import { oneSocket } from "./oneSocket.ts"
import { persistence } from "./persistence.ts"
import { reconnectDelay } from "./reconnectDelay.ts"
import { rejectedOnce } from "./rejectedOnce.ts"
import { silence } from "./silence.ts"
import { wholeConfig } from "./wholeConfig.ts"

export const allCheckers: ReadonlyArray<CheckerKind> = [
  oneSocket,
  fewTimers,
  reconnectDelay,
  silence,
  appliedWasPushed,
  newerStays,
  rejectedOnce,
  announcedIsApplied,
  wholeConfig,
  persistence
]
