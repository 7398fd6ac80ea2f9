/** A cluster whose control plane signs what it gives and exports it to a folder, and whose nodes believe nobody else. */
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { Effect } from "effect"
import { StartError } from "../../services/StartError.ts"
import { writeKeyPair } from "../license/Keygen.ts"
import type { GivenSettings } from "../parts.ts"
import type { DrillPorts } from "../stage/Ports.ts"

export interface ClusterSettings {
  readonly controlPlane: GivenSettings
  readonly dataPlane: GivenSettings
  readonly neighbour: GivenSettings
}

export const unsignedCluster: ClusterSettings = { controlPlane: {}, dataPlane: {}, neighbour: {} }

export const storageFolder = (directory: string): string => join(directory, "storage")

export const storageUrl = (directory: string): string => `file://${storageFolder(directory)}`

export const signedCluster = Effect.fnUntraced(function* (directory: string, ports: DrillPorts) {
  yield* Effect.try({
    try: () => mkdirSync(storageFolder(directory), { recursive: true }),
    catch: (cause) => new StartError({ faults: [{ path: [], message: String(cause), value: directory }], exitCode: 1 })
  })
  const { privateKey, publicKey } = yield* writeKeyPair(join(directory, "keys", "signing.key"))
  const trusting: GivenSettings = { config_trust_keys: publicKey }
  return {
    controlPlane: {
      config_signing_key: privateKey,
      cluster_fallback_config_export: "on",
      cluster_fallback_config_storage: storageUrl(directory),
      cluster_fallback_config_export_delay: "0"
    },
    dataPlane: trusting,
    neighbour: {
      ...trusting,
      proxy_listen: `127.0.0.1:${ports.neighbourProxy}`,
      status_listen: `127.0.0.1:${ports.neighbourStatus}`,
      config_peer_listen: `127.0.0.1:${ports.peer}`
    }
  } satisfies ClusterSettings
})
