/** The numbers of the session machine, in milliseconds. */
import { pingIntervalMs, silenceLimitMs } from "../Wire.ts"

export { pingIntervalMs, silenceLimitMs }

/** From the beginning of a dial to the open WebSocket (`hybrid-protocol-v1.md` §1: 5 s per operation). */
export const dialLimitMs = 5_000

/** For the introduction to be taken by the system. */
export const greetLimitMs = 5_000

/** How long an announcement waits for the disk: in the normal case what is announced is persisted. */
export const persistPatienceMs = 5_000

/** What failed for a reason that passes (disk, memory) is tried again after these, doubled each time up to the largest. */
export const retryFirstMs = 1_000
export const retryLargestMs = 60_000

/** What is waited when a reconnect policy gives no number that a timer can take. */
export const fallbackDelayMs = 10_000

/** More refused payloads than this are not remembered; the oldest go. */
export const refusedMax = 32

export const retryDelayMs = (failures: number): number => Math.min(retryLargestMs, retryFirstMs * 2 ** (failures - 1))
