/** What lies in a drill's object storage, and what may happen to it (`docs/object-storage.md`, "What lies there"). */
import { copyFileSync, cpSync, existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { gunzipSync, gzipSync } from "node:zlib"
import { Effect } from "effect"
import { provenanceKey } from "../../model/ConfigTable.ts"
import { isRecord, type Row } from "../../model/Entity.ts"
import { latestKeys } from "../../model/StorageKeys.ts"
import { describeTable } from "../../model/TableContent.ts"
import { StepFailed } from "../stage/Probe.ts"
import { attempt, currentFile, prefixOf } from "./cacheFiles.ts"
import { drillRoute } from "./drillConfig.ts"
import type { Ground } from "./Ground.ts"
import { storageFolder } from "./signedCluster.ts"

const folderOf = ({ stage }: Ground): string => storageFolder(stage.directory)
const latestOf = (ground: Ground): string => join(folderOf(ground), latestKeys.envelope)
const copyOf = (ground: Ground, name: string): string => join(ground.stage.directory, `storage-${name}`)

const filesBelow = (folder: string): ReadonlyArray<string> =>
  readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile())

const isEnvelope = (path: string): boolean => path.endsWith(".json.gz")

const read = (file: string): Row => {
  const parsed: unknown = JSON.parse(gunzipSync(readFileSync(file)).toString())
  return isRecord(parsed) ? parsed : {}
}

/** Once: the newest envelope, and everything else that an export writes, holds this version. */
export const isExported = (ground: Ground, version: string): Effect.Effect<void, StepFailed> =>
  Effect.flatMap(
    attempt(() => {
      const wanted = JSON.stringify(drillRoute.path(version))
      const files = existsSync(latestOf(ground)) ? filesBelow(folderOf(ground)) : []
      const holding = files.filter((file) =>
        (isEnvelope(file) ? JSON.stringify(read(file)) : readFileSync(file, "utf8")).includes(wanted)
      )
      return holding.length
    }),
    (count) =>
      count >= 3
        ? Effect.void
        : Effect.fail(new StepFailed({ reason: `version ${version} is in ${count} of 3 objects of the storage` }))
  )

/** Once: the cache of one of the nodes holds this version. */
export const isCached = (
  { stage }: Ground,
  node: "data-plane" | "neighbour",
  version: string
): Effect.Effect<void, StepFailed> =>
  Effect.flatMap(
    attempt(() => JSON.stringify(read(join(stage.directory, node, "config.json.gz")))),
    (text) =>
      text.includes(JSON.stringify(drillRoute.path(version)))
        ? Effect.void
        : Effect.fail(new StepFailed({ reason: `version ${version} is not in the cache of the ${node}` }))
  )

/** The storage as it is now, under a name. */
export const keepStorage = (ground: Ground, name: string): Effect.Effect<void, StepFailed> =>
  attempt(() => cpSync(folderOf(ground), copyOf(ground, name), { recursive: true }))

/** As it was kept. */
export const restoreStorage = (ground: Ground, name: string): Effect.Effect<void, StepFailed> =>
  attempt(() => {
    rmSync(folderOf(ground), { recursive: true, force: true })
    cpSync(copyOf(ground, name), folderOf(ground), { recursive: true })
  })

/** An envelope as somebody without the key can make it. */
export type Tamper = (envelope: Uint8Array) => Uint8Array

const edited = (envelope: Uint8Array, edit: (table: Row, provenance: Row) => Row): Uint8Array => {
  const { [provenanceKey]: provenance, ...table } = JSON.parse(gunzipSync(envelope).toString()) as Row
  return gzipSync(JSON.stringify(edit(table, isRecord(provenance) ? provenance : {})))
}

export const corrupted: Tamper = (envelope) =>
  Uint8Array.from(envelope, (byte, index) => (index % 97 === 50 ? byte ^ 0xff : byte))

export const truncated: Tamper = (envelope) => envelope.subarray(0, envelope.length >> 1)

/** Another configuration under the signature of this one, with a digest that fits. */
export const forged: Tamper = (envelope) =>
  edited(envelope, (table, provenance) => {
    const routes = Array.isArray(table.routes) ? table.routes.slice(1) : []
    const changed = { ...table, routes }
    return { ...changed, [provenanceKey]: { ...provenance, sha256: describeTable(changed).sha256 } }
  })

export const ofAnotherVersion: Tamper = (envelope) =>
  edited(envelope, (table, provenance) => ({
    ...table,
    [provenanceKey]: { ...provenance, gateway_version: "4.0.0.0" }
  }))

/** `latest` alone, or every envelope that lies there. */
export const tamper = (ground: Ground, how: Tamper, which: "latest" | "all"): Effect.Effect<void, StepFailed> =>
  attempt(() => {
    const files = which === "latest" ? [latestOf(ground)] : filesBelow(folderOf(ground)).filter(isEnvelope)
    for (const file of files) writeFileSync(file, how(readFileSync(file)))
  })

/** What a person does who clones a node (`resilience.md` §4). */
export const cloneNeighbour = (ground: Ground): Effect.Effect<void, StepFailed> =>
  attempt(() => copyFileSync(join(ground.stage.directory, "neighbour", "config.json.gz"), currentFile(ground)))

/** The cache is forgotten, and not what the node has seen. */
export const forgetCache = (ground: Ground): Effect.Effect<void, StepFailed> =>
  attempt(() => {
    for (const path of [currentFile(ground), join(prefixOf(ground), "generations")])
      rmSync(path, { recursive: true, force: true })
  })
