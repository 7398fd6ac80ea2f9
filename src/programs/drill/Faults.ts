/** What a drilled node's machine does wrong, as the drill wishes it from outside: the clock and the disk behind their services. */
import { type Clock, Effect, Layer } from "effect"
import * as NodeDisk from "../../layers/NodeDisk.ts"
import { isRecord } from "../../model/Entity.ts"
import { Disk, DiskError, type DiskOperation, type OpenFile } from "../../services/Disk.ts"

export interface Faults {
  /** How far the node's wall clock is off the machine's. */
  wallErrorMs: number
  /** How long the monotonic clock stood still: what it does on Linux while a machine is suspended. */
  stoodStillMs: number
  /** Nothing more can be written; what was written is there. */
  isDiskFull: boolean
}

export const noFaults = (): Faults => ({ wallErrorMs: 0, stoodStillMs: 0, isDiskFull: false })

/** A message of the drill's: whatever it names changes. */
export const steer = (faults: Faults, message: unknown): void => {
  if (!isRecord(message)) return
  const { wallErrorMs, stoodStillMs, isDiskFull } = message
  if (typeof wallErrorMs === "number") faults.wallErrorMs = wallErrorMs
  if (typeof stoodStillMs === "number") faults.stoodStillMs = stoodStillMs
  if (typeof isDiskFull === "boolean") faults.isDiskFull = isDiskFull
}

/** Timers stay the machine's: no fault of a clock reaches them. */
export const faultyClock = (faults: Faults, inner: Clock.Clock): Clock.Clock => {
  const wallMs = () => inner.currentTimeMillisUnsafe() + faults.wallErrorMs
  const wallNanos = () => inner.currentTimeNanosUnsafe() + BigInt(Math.round(faults.wallErrorMs)) * 1_000_000n
  const monotonicNanos = () => inner.monotonicTimeNanosUnsafe() - BigInt(Math.round(faults.stoodStillMs)) * 1_000_000n
  return {
    currentTimeMillisUnsafe: wallMs,
    currentTimeMillis: Effect.sync(wallMs),
    currentTimeNanosUnsafe: wallNanos,
    currentTimeNanos: Effect.sync(wallNanos),
    monotonicTimeNanosUnsafe: monotonicNanos,
    monotonicTimeNanos: Effect.sync(monotonicNanos),
    sleep: (duration) => inner.sleep(duration)
  }
}

const noSpace = (operation: DiskOperation, path: string) =>
  new DiskError({ operation, path, code: "ENOSPC", message: `ENOSPC: no space left on device, ${operation} '${path}'` })

/** As a full disk does it: the file is made, a part of it fits, the rest does not. */
const faultyFile = (faults: Faults, path: string, file: OpenFile): OpenFile => ({
  ...file,
  write: (bytes) =>
    Effect.suspend(() =>
      faults.isDiskFull
        ? Effect.andThen(file.write(bytes.subarray(0, bytes.length >> 1)), Effect.fail(noSpace("write", path)))
        : file.write(bytes)
    )
})

/** Over the real disk. */
export const faultyDisk = (faults: Faults): Layer.Layer<Disk> =>
  Layer.effect(
    Disk,
    Effect.map(Disk, (inner) => ({
      ...inner,
      create: (path, mode) => Effect.map(inner.create(path, mode), (file) => faultyFile(faults, path, file)),
      append: (path, mode) => Effect.map(inner.append(path, mode), (file) => faultyFile(faults, path, file))
    }))
  ).pipe(Layer.provide(NodeDisk.layer))
