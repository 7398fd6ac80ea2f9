/** Any Disk with faults of a virtual one laid over it: what a real file system does not do on demand. */
import { Effect, Layer } from "effect"
import { Disk, DiskError, type DiskOperation, type OpenFile } from "../services/Disk.ts"
import type { DiskFault, FaultPlan } from "./VirtualDiskFaults.ts"

export interface Faulty {
  readonly faultOf: FaultPlan
  /** Called when a call that hangs has done its part: the moment for a kill -9. */
  readonly atHang?: () => void
}

/** A call that can be done in part; all others are done wholly or not at all. */
type Partly = (part: number) => Effect.Effect<void, DiskError>

export const faulty = (disk: Disk["Service"], { faultOf, atHang = () => {} }: Faulty): Disk["Service"] => {
  let callCount = 0

  const befall = <A>(
    fault: DiskFault,
    fails: (code: string) => Effect.Effect<never, DiskError>,
    whole: Effect.Effect<A, DiskError>,
    partly: Partly | undefined
  ): Effect.Effect<A, DiskError> => {
    const begin = (part: number) => Effect.exit(part >= 1 ? whole : (partly?.(part) ?? Effect.void))
    switch (fault._tag) {
      case "Fails":
        return Effect.andThen(begin(Math.min(fault.part ?? 0, 0.999)), fails(fault.code))
      case "Loses":
        return partly === undefined ? whole : (partly(fault.part) as Effect.Effect<A, DiskError>)
      case "Slow":
        return Effect.delay(whole, fault.ms)
      case "Hangs":
        return begin(fault.part).pipe(Effect.andThen(Effect.sync(atHang)), Effect.andThen(Effect.never))
    }
  }

  const call = <A>(operation: DiskOperation, path: string, whole: Effect.Effect<A, DiskError>, partly?: Partly) =>
    Effect.suspend(() => {
      const fault = faultOf({ n: ++callCount, operation, path })
      if (fault === undefined) return whole
      const fails = (code: string) =>
        Effect.fail(
          new DiskError({ operation, path, code, message: `${code}: injected fault, ${operation} '${path}'` })
        )
      return befall(fault, fails, whole, partly)
    })

  const nothing: Partly = () => Effect.void

  const faultyFile = (path: string, file: OpenFile): OpenFile => ({
    write: (bytes) =>
      call("write", path, file.write(bytes), (part) => file.write(bytes.subarray(0, Math.floor(bytes.length * part)))),
    sync: call("sync", path, file.sync, nothing),
    close: call("close", path, file.close)
  })

  return {
    read: (path, maxBytes) => call("read", path, disk.read(path, maxBytes)),
    stat: (path) => call("stat", path, disk.stat(path)),
    list: (folder) => call("list", folder, disk.list(folder)),
    makeFolder: (folder) => call("makeFolder", folder, disk.makeFolder(folder)),
    create: (path, mode) => Effect.map(call("create", path, disk.create(path, mode)), (file) => faultyFile(path, file)),
    append: (path, mode) => Effect.map(call("append", path, disk.append(path, mode)), (file) => faultyFile(path, file)),
    rename: (from, to) => call("rename", from, disk.rename(from, to)),
    link: (from, to) => call("link", from, disk.link(from, to)),
    remove: (path) => call("remove", path, disk.remove(path)),
    syncFolder: (folder) => call("syncFolder", folder, disk.syncFolder(folder), nothing)
  }
}

/** The same as a layer over another one. */
export const layerOver = (options: Faulty): Layer.Layer<Disk, never, Disk> =>
  Layer.effect(
    Disk,
    Effect.map(Disk, (disk) => faulty(disk, options))
  )
