/**
 * `holdfast/testing`: what tests of a gateway are made of. Virtual time, a world with a network and machines in it, a control
 * plane in memory, generators, checkers of promises, and `checkNode`, which puts them all to use. See `docs/simulator.md`.
 */

export * from "./arbitraries.ts"
export { allCheckers } from "./checkers/all.ts"
export { announcedIsApplied } from "./checkers/announcedIsApplied.ts"
export { appliedWasPushed } from "./checkers/appliedWasPushed.ts"
export * from "./checkers/Checker.ts"
export { fewTimers } from "./checkers/fewTimers.ts"
export { newerStays } from "./checkers/newerStays.ts"
export { oneSocket } from "./checkers/oneSocket.ts"
export { persistence } from "./checkers/persistence.ts"
export { type DelayBounds, kongBounds, reconnectDelay, reconnectDelayWithin } from "./checkers/reconnectDelay.ts"
export { rejectedOnce } from "./checkers/rejectedOnce.ts"
export { silence } from "./checkers/silence.ts"
export { wholeConfig } from "./checkers/wholeConfig.ts"
export * from "./checkNode.ts"
export { whyNotConverged } from "./convergence.ts"
export { CurrentProcess, type Machine, type MachineProcess } from "./Machine.ts"
export * from "./MemoryControlPlane.ts"
export * as MemoryObjectStore from "./MemoryObjectStore.ts"
export * as MemoryRungs from "./MemoryRungs.ts"
export type { NodeEvent, NodeHappening, Observe } from "./NodeEvent.ts"
export type { Push, PushLog } from "./PushLog.ts"
export { type ExpectedRequest, requestsOf } from "./requestsOf.ts"
export { type RunVirtualOptions, runVirtual, virtually } from "./runVirtual.ts"
export { makeRandom, type Seed, type SeededRandom } from "./SeededRandom.ts"
export { type Flaw, spoil, tableOf } from "./sampleTables.ts"
export { makeTranscript, type Transcript, type TranscriptOptions } from "./Transcript.ts"
export type { VirtualClock, VirtualClockOptions } from "./VirtualClock.ts"
export * as VirtualDisk from "./VirtualDisk.ts"
export type { LinkConditions } from "./VirtualLink.ts"
export type { VirtualNetwork } from "./VirtualNetwork.ts"
export {
  VirtualTime,
  type VirtualTimeCounts,
  type VirtualTimeOptions,
  VirtualTimeStopped
} from "./VirtualTime.ts"
export { virtualParts } from "./virtualParts.ts"
export { makeWorld, type World, type WorldOptions } from "./World.ts"
export * from "./WorldAction.ts"
