/**
 * The store of `cluster_fallback_config_storage` (reference `resilience.md` §5): a vendor's client in a worker, or files in
 * a folder. Where no setting asks for one there is none, and nothing is loaded.
 *
 * Credentials come from the environment of the process (§5.2): `docs/object-storage.md` names the variables.
 */
import { Effect, Layer } from "effect"
import { showStorageLocation } from "../../model/StorageLocation.ts"
import { Disk } from "../../services/Disk.ts"
import { ConfigStorage } from "../../services/ObjectStore.ts"
import { Settings } from "../../services/Settings.ts"
import { carriedStore } from "./carriedStore.ts"
import { fileStore } from "./fileStore.ts"
import type { StoreEnvironment } from "./vendorStore.ts"
import { makeWorkerCarrier } from "./workerCarrier.ts"

const connectMs = 5_000
const totalMs = 30_000
const idleMs = 60_000

const make = (env: StoreEnvironment) =>
  Effect.gen(function* () {
    const settings = yield* Settings
    const location = settings.cluster_fallback_config_storage
    const isAskedFor = settings.cluster_fallback_config_export || settings.cluster_fallback_config_import
    if (location === undefined || !isAskedFor) return undefined
    if (location.kind === "file") return fileStore(yield* Disk, location.folder)
    const putObject = settings.cluster_fallback_export_s3_config ?? {}
    const carry = yield* makeWorkerCarrier({ location, putObject, connectMs, totalMs, idleMs, env })
    return carriedStore(showStorageLocation(location), carry)
  })

/** With another environment than the process has. */
export const layerOf = (env: StoreEnvironment): Layer.Layer<ConfigStorage, never, Settings | Disk> =>
  Layer.effect(ConfigStorage, make(env))

export const layer: Layer.Layer<ConfigStorage, never, Settings | Disk> = Layer.suspend(() => layerOf(process.env))
