/**
 * ClusterKeys by the setting `cluster_cert_key` alone, as it stands: for who has no part in a cluster, a command or a node
 * on its own.
 */
import { Effect, Layer, Stream } from "effect"
import { ClusterKeys } from "../../services/ClusterKeys.ts"
import { pemOf } from "../../services/clusterKeyFiles.ts"
import { Disk } from "../../services/Disk.ts"
import { Settings } from "../../services/Settings.ts"
import { StartError } from "../../services/StartError.ts"

export const layer: Layer.Layer<ClusterKeys, StartError, Settings | Disk> = Layer.effect(
  ClusterKeys,
  Effect.gen(function* () {
    const { cluster_cert_key: value } = yield* Settings
    const disk = yield* Disk
    const current = value === undefined ? undefined : yield* pemOf(disk, "cluster_cert_key", value)
    return ClusterKeys.of({ current: Effect.succeed(current), changes: Stream.never })
  }).pipe(Effect.mapError((fault) => new StartError({ faults: [fault], exitCode: 2 })))
)
