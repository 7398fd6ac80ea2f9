/**
 * `holdfast config seal FILE`: makes a valid cache file of what a person looked at or wrote. The table is validated
 * whole, then its provenance is written anew: digest, name, who wrote it and when, and who vouches for it: this node's
 * cluster key, or with `--key` a key that nodes trust, wherever they find it. Nothing is written unless all is right.
 */
import { Clock, Effect, Layer } from "effect"
import * as CryptoSecureRandom from "../layers/CryptoSecureRandom.ts"
import * as EncryptedCache from "../layers/cache-keys/EncryptedCache.ts"
import * as SettingClusterKeys from "../layers/cache-keys/SettingClusterKeys.ts"
import * as SettingsCacheKeys from "../layers/cache-keys/SettingsCacheKeys.ts"
import { environmentSettings } from "../layers/EnvironmentSettings.ts"
import * as NodeDisk from "../layers/NodeDisk.ts"
import * as TraditionalCompatibleRouter from "../layers/TraditionalCompatibleRouter.ts"
import * as ZlibCompression from "../layers/ZlibCompression.ts"
import { encodeCachedTable, sourceByHand, type TableByHand, tableByHand } from "../model/CachedTable.ts"
import {
  attestationOf,
  type ConfigStatement,
  sealedBy,
  sealKeyFromCluster,
  signedBy
} from "../model/ConfigStatement.ts"
import { type ConfigTable, decodeTable } from "../model/ConfigTable.ts"
import type { Fault } from "../model/Fault.ts"
import { fourParts } from "../model/GatewayVersion.ts"
import { readPrivateKey } from "../model/SigningKey.ts"
import { provenanceOf } from "../model/Snapshot.ts"
import { describeTable, withoutProvenance } from "../model/TableContent.ts"
import { messageOf } from "../model/thrown.ts"
import { CacheProtection } from "../services/CacheProtection.ts"
import { ClusterKeys } from "../services/ClusterKeys.ts"
import { Compression, inflatedMaxBytes } from "../services/Compression.ts"
import { readDocument } from "../services/DeclarativeDocument.ts"
import { Disk, replaceFile } from "../services/Disk.ts"
import { Plugins } from "../services/Plugins.ts"
import { Router } from "../services/Router.ts"
import { Settings } from "../services/Settings.ts"
import { StartError } from "../services/StartError.ts"
import type { CommandInput, RunCommand } from "./Command.ts"
import { readNamed } from "./license/readFile.ts"
import { pluginsLayer } from "./plugins.ts"

const ownerOnly = 0o600

const refuse = (exitCode: 1 | 2, ...faults: ReadonlyArray<Fault>) => new StartError({ faults, exitCode })
const fault = (place: string, message: string): Fault => ({ path: [], place, message })

const isGzip = (bytes: Uint8Array): boolean => bytes[0] === 0x1f && bytes[1] === 0x8b

const orFault =
  (file: string) =>
  ({ message }: { readonly message: string }) =>
    refuse(1, fault(file, message))

/** A defect of the table, such as nesting deeper than recursion goes, is its author's to mend. */
const attempt = <A>(file: string, step: () => A) =>
  Effect.try({ try: step, catch: (cause) => refuse(1, fault(file, `can't be processed (${messageOf(cause)})`)) })

const fromCacheFile = Effect.fnUntraced(function* (file: string, bytes: Uint8Array) {
  const { gunzip } = yield* Compression
  const inflated = yield* Effect.mapError(gunzip(bytes, inflatedMaxBytes), orFault(file))
  const table = yield* attempt(file, () => tableByHand(new TextDecoder().decode(inflated)))
  return table ?? (yield* refuse(1, fault(file, "expected a config table as JSON")))
})

const utf8 = (file: string, bytes: Uint8Array) =>
  Effect.try({
    try: () => new TextDecoder("utf-8", { fatal: true }).decode(bytes),
    catch: () => refuse(1, fault(file, "expected a gzipped config table, or a declarative document as JSON or YAML"))
  })

const fromDocument = Effect.fnUntraced(function* (file: string, bytes: Uint8Array) {
  const content = yield* utf8(file, bytes)
  const { raw, hash } = yield* Effect.mapError(readDocument({ name: file, content }), ({ faults }) =>
    refuse(1, ...faults)
  )
  const table = withoutProvenance(raw)
  return { raw: table, content: describeTable(table), hash } satisfies TableByHand
})

/** As a node would do it: every fault of the schema, then the compilation. */
const validate = Effect.fnUntraced(function* (file: string, { raw }: TableByHand) {
  const router = yield* Router
  const plugins = yield* Plugins
  const decoded = yield* attempt(file, () => decodeTable(raw, plugins))
  if (decoded._tag === "Wrong") return yield* refuse(1, ...decoded.faults.map((each) => ({ place: file, ...each })))
  const { warnings } = yield* attempt(file, () => router.compile(decoded.table, plugins))
  return { table: decoded.table, warnings }
})

export interface Sealed {
  readonly file: string
  readonly hash: string
  readonly table: ConfigTable
  /** What will be served otherwise than written. */
  readonly warnings: ReadonlyArray<string>
  /** Who vouches for it: the name of a key; `undefined` where there is none. */
  readonly by: string | undefined
}

export interface SealOptions {
  /** The file itself unless told otherwise; a document that is no cache file is left as it is. */
  readonly out: string | undefined
  /** Of an Ed25519 private key; this node's own seal without one. */
  readonly key?: string | undefined
  /** An envelope or cache file in whose place it comes, though it is older. */
  readonly rollbackOver?: string | undefined
}

/** With a key, its signature; else the node's seal, where it has a cluster key to make one with. */
const vouchFor = Effect.fnUntraced(function* (statement: ConfigStatement, keyFile: string | undefined) {
  if (keyFile !== undefined) {
    const key = readPrivateKey(yield* readNamed(keyFile, "an Ed25519 private key"))
    if (key === undefined) return yield* refuse(1, fault(keyFile, "expected an Ed25519 private key in PEM"))
    return signedBy(attestationOf(statement), key)
  }
  const pem = yield* (yield* ClusterKeys).current
  if (pem === undefined) return undefined
  return yield* Effect.try({
    try: () => sealedBy(attestationOf(statement), sealKeyFromCluster(pem)),
    catch: () =>
      new StartError({
        faults: [{ path: ["cluster_cert_key"], message: "expected an unencrypted private key as PEM" }],
        exitCode: 2
      })
  })
})

/** Of a rollback, that in whose place it came: over the former one another one could not come. */
const placeOf = (table: TableByHand, file: string) =>
  table.rollbackOver === undefined ? numberOf(table, file) : Effect.succeed(table.rollbackOver)

const numberOf = ({ epoch, sequence }: TableByHand, file: string) =>
  epoch === undefined || sequence === undefined
    ? Effect.fail(
        refuse(1, fault(file, "expected an epoch and a sequence in its _holdfast, for --rollback-over compares them"))
      )
    : Effect.succeed({ epoch, sequence })

/** A rollback keeps its own number, and names the one in whose place it comes. */
const rollbackPlace = Effect.fnUntraced(function* (
  { key, rollbackOver }: SealOptions,
  file: string,
  sealed: TableByHand
) {
  if (rollbackOver === undefined) return {}
  if (key === undefined)
    return yield* refuse(2, {
      path: ["--rollback-over"],
      message: "expected --key as well, for a rollback is signed as one",
      value: rollbackOver
    })
  const disk = yield* Disk
  const protection = yield* CacheProtection
  const { bytes } = yield* Effect.mapError(disk.read(rollbackOver, inflatedMaxBytes), orFault(rollbackOver))
  const { bytes: newer } = yield* Effect.mapError(protection.unprotect(bytes), orFault(rollbackOver))
  const over = yield* placeOf(yield* fromCacheFile(rollbackOver, newer), rollbackOver)
  return { ...(yield* numberOf(sealed, file)), rollbackOver: over }
})

const isSameFile = Effect.fnUntraced(function* (file: string, out: string) {
  const { stat } = yield* Disk
  const [one, other] = yield* Effect.all([Effect.option(stat(file)), Effect.option(stat(out))])
  return one._tag === "Some" && other._tag === "Some" && one.value.stamp === other.value.stamp
})

export const sealConfig = Effect.fn("sealConfig")(function* (file: string, options: SealOptions) {
  const { out } = options
  const disk = yield* Disk
  const compression = yield* Compression
  const protection = yield* CacheProtection
  const { bytes: found } = yield* Effect.mapError(disk.read(file, inflatedMaxBytes), orFault(file))
  const { bytes } = yield* Effect.mapError(protection.unprotect(found), orFault(file))
  const isCacheFile = isGzip(bytes)
  if (!isCacheFile && out === undefined)
    return yield* refuse(
      2,
      fault(file, "expected --out FILE.json.gz, for a document is not overwritten by a cache file")
    )
  const sealed = yield* isCacheFile ? fromCacheFile(file, bytes) : fromDocument(file, bytes)
  // However it is called: by another path, or by a link.
  if (!isCacheFile && out !== undefined && (yield* isSameFile(file, out)))
    return yield* refuse(2, { path: ["--out"], message: "expected another file than the document itself", value: out })
  const { table, warnings } = yield* validate(file, sealed)
  const nowMs = yield* Clock.currentTimeMillis
  const place = yield* rollbackPlace(options, file, sealed)
  const statement = { ...place, hash: sealed.hash, sha256: sealed.content.sha256, issuedAtMs: nowMs }
  const attestation = yield* vouchFor(statement, options.key)
  const origin = {
    hash: sealed.hash,
    source: sourceByHand,
    receivedAtMs: nowMs,
    gatewayVersion: fourParts((yield* Settings).kong_version),
    ...(attestation === undefined ? { issuedAtMs: nowMs } : provenanceOf({ ...attestation.statement, attestation }))
  }
  const text = encodeCachedTable(sealed.content, origin)
  const gzipped = yield* compression.gzip(new TextEncoder().encode(text))
  const path = out ?? file
  // What is signed is for every node, and no other one has this one's key.
  const written =
    options.key === undefined ? yield* Effect.mapError(protection.protect(gzipped), orFault(path)) : gzipped
  // Not beside as a node writes it, for the node may be writing.
  const target = { path, bytes: written, mode: ownerOnly, beside: `${path}.seal` }
  yield* Effect.mapError(replaceFile(disk, target), orFault(path))
  return { file: path, hash: sealed.hash, table, warnings, by: attestation?.signatures[0]?.by } satisfies Sealed
})

const machine = Layer.mergeAll(
  NodeDisk.layer,
  ZlibCompression.layer,
  TraditionalCompatibleRouter.layer,
  CryptoSecureRandom.layer
)

/** As the node has it whose settings these are: what it encrypted is read, what is written it can read, and serve. */
const nodeOf = ({ flags, env }: CommandInput) =>
  EncryptedCache.layer.pipe(
    Layer.provide(SettingsCacheKeys.layer),
    Layer.provideMerge(SettingClusterKeys.layer),
    Layer.merge(pluginsLayer()),
    Layer.provideMerge(environmentSettings({ env, file: typeof flags.conf === "string" ? flags.conf : undefined }))
  )

export const runConfigSeal: RunCommand = (input) =>
  Effect.gen(function* () {
    const { flags, operands } = input
    const out = typeof flags.out === "string" ? flags.out : undefined
    const textOf = (flag: unknown) => (typeof flag === "string" ? flag : undefined)
    const options = { out, key: textOf(flags.key), rollbackOver: textOf(flags["rollback-over"]) }
    const { file, hash, table, warnings, by } = yield* sealConfig(operands[0] ?? "", options)
    const counts = `${table.services.length} services, ${table.routes.length} routes`
    const vouched = by === undefined ? "nobody vouches for it" : `by ${by}`
    process.stdout.write(`${file}\nsealed: ${counts}, hash ${hash}, ${vouched}\n`)
    for (const warning of warnings) process.stdout.write(`served with a difference: ${warning}\n`)
    return 0
  }).pipe(Effect.provide(Layer.provideMerge(nodeOf(input), machine)))
