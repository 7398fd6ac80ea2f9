/** The cache on a disk, started as a node starts it. */
import { join } from "node:path"
import { gunzipSync, gzipSync } from "node:zlib"
import { Effect, Layer } from "effect"
import * as DiskConfigCache from "../../src/layers/disk-cache/DiskConfigCache.ts"
import * as NodeDisk from "../../src/layers/NodeDisk.ts"
import * as ZlibCompression from "../../src/layers/ZlibCompression.ts"
import type { Row } from "../../src/model/Entity.ts"
import type { SettingName } from "../../src/model/SettingTable.ts"
import { Compression, CompressionError } from "../../src/services/Compression.ts"
import { ConfigCache } from "../../src/services/ConfigCache.ts"
import { ConfigEncoding } from "../../src/services/ConfigEncoding.ts"
import type { Disk } from "../../src/services/Disk.ts"
import { joined } from "./live.ts"
import { settingsLayer } from "./settings.ts"

/** gzip without a thread pool: on a virtual clock nobody waits for one. */
export const quickCompression = Layer.succeed(Compression, {
  gzip: (bytes) => Effect.sync(() => gzipSync(bytes, { level: 1 })),
  gunzip: (bytes, maxBytes) =>
    Effect.try({
      try: () => gunzipSync(bytes, { maxOutputLength: maxBytes }),
      catch: () => new CompressionError({ reason: "notGzip", message: "expected gzip" })
    })
})

export const startCache = (
  prefix: string,
  given: Partial<Record<SettingName, string>> = {},
  disk: Layer.Layer<Disk> = NodeDisk.layer,
  compression: Layer.Layer<Compression> = ZlibCompression.layer
) =>
  ConfigCache.pipe(
    Effect.provide(
      DiskConfigCache.layer.pipe(
        Layer.provide(ConfigEncoding.layer),
        Layer.provide([compression, disk, settingsLayer({ ...joined, prefix, ...given })])
      )
    )
  )

export const fileIn = (prefix: string): string => join(prefix, "config.json.gz")

/** As `jq` makes one: no provenance. */
export const plainFile = (raw: Row): Uint8Array => gzipSync(JSON.stringify(raw))
export const contentOf = (bytes: Uint8Array): Row => JSON.parse(gunzipSync(bytes).toString())
