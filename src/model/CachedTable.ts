/**
 * The content of a cache file: the config table as JSON, with its provenance inside under `_holdfast`. A table without
 * provenance, as Kong 2.x wrote and as a person makes with `jq`, is as good (reference `resilience.md` §2). Format and
 * history: `docs/cache-file.md`.
 */
import { hashTable } from "./ConfigHash.ts"
import type { RollbackOver, Standing } from "./ConfigOrder.ts"
import { attestationRow, isSeal, readAttestation } from "./ConfigStatement.ts"
import { provenanceKey } from "./ConfigTable.ts"
import { isRecord, parseRecord, type Row } from "./Entity.ts"
import { type Provenance, provenanceOf, type Version } from "./Snapshot.ts"
import { describeTable, sha256, type TableContent, withoutProvenance } from "./TableContent.ts"
import { version } from "./version.ts"

/** What a table came with, and what it is written with. */
export interface Origin extends Provenance {
  /** What the control plane called this configuration, or what was computed. */
  readonly hash: string
  /** Who gave it: a rung of the ladder, or a person. */
  readonly source: string
  readonly receivedAtMs: number
  /** What the node that wrote it claims to be, in four parts (`resilience.md` §5.3). */
  readonly gatewayVersion?: string
}

/** The source of what a person made. */
export const sourceByHand = "by hand"

/** The format that this version writes. The first one had no number; the third one added who vouches for it. */
export const cacheFormat = 3
/** The oldest reader that understands what this version writes. */
const readableBy = 2

const hashLength = 32

export const encodeCachedTable = (content: TableContent, origin: Origin): string => {
  const provenance = {
    format: cacheFormat,
    readable_by: readableBy,
    written_by: version,
    hash: origin.hash,
    ...(origin.epoch === undefined ? {} : { epoch: origin.epoch }),
    ...(origin.sequence === undefined ? {} : { sequence: origin.sequence }),
    source: origin.isByHand === true ? sourceByHand : origin.source,
    received_at: new Date(origin.receivedAtMs).toISOString(),
    ...(origin.issuedAtMs === undefined ? {} : { issued_at: new Date(origin.issuedAtMs).toISOString() }),
    ...(origin.gatewayVersion === undefined ? {} : { gateway_version: origin.gatewayVersion }),
    sha256: content.sha256,
    ...(origin.attestation === undefined ? {} : attestationRow(origin.attestation))
  }
  const head = content.text === "{}" ? "{" : `${content.text.slice(0, -1)},`
  return `${head}${JSON.stringify(provenanceKey)}:${JSON.stringify(provenance)}}`
}

export interface CachedTable extends Provenance {
  readonly _tag: "Right"
  readonly raw: Row
  /** SHA-256 of its canonical JSON, where it had to be told to know that it is whole. */
  readonly sha256?: string
  readonly hash: string
  /** Who gave it to the node that wrote it. */
  readonly source: string | undefined
  readonly gatewayVersion: string | undefined
  readonly receivedAtMs: number | undefined
  /** The version that wrote it, where it says so. */
  readonly writtenBy: string | undefined
}

export interface UnreadableTable {
  readonly _tag: "Wrong"
  readonly stage: "json" | "format" | "digest"
  readonly message: string
}

const wrong = (stage: UnreadableTable["stage"], message: string): UnreadableTable => ({ _tag: "Wrong", stage, message })

const textIn = (row: Row, key: string): string | undefined => {
  const value = row[key]
  return typeof value === "string" ? value : undefined
}

const numberIn = (row: Row, key: string): number | undefined => {
  const value = row[key]
  return typeof value === "number" && Number.isFinite(value) ? value : undefined
}

const hashIn = (provenance: Row): string | undefined => {
  const hash = textIn(provenance, "hash")
  return hash?.length === hashLength ? hash : undefined
}

const receivedAtMsIn = (provenance: Row): number | undefined => {
  const written = textIn(provenance, "received_at")
  const atMs = written === undefined ? numberIn(provenance, "received_at_ms") : Date.parse(written)
  return atMs === undefined || Number.isNaN(atMs) ? undefined : atMs
}

/** Another Holdfast's file is read when it says that a reader of this format understands it. */
const formatFault = (provenance: Row): UnreadableTable | undefined => {
  const format = numberIn(provenance, "format") ?? 1
  const oldestReader = numberIn(provenance, "readable_by") ?? format
  if (oldestReader <= cacheFormat) return undefined
  const writer = textIn(provenance, "written_by") ?? "an unknown version"
  return wrong(
    "format",
    `expected a cache that readers of format ${cacheFormat} understand (Holdfast ${version}); Holdfast ${writer} wrote format ${format}, for readers of ${oldestReader} and newer`
  )
}

type Match =
  | "fits"
  | "differs"
  /** By the wire's hash, which takes 80 for "80": the table is whole, but its name can't be trusted. */
  | "fits roughly"
  /** It says nothing that could be compared. */
  | "unknown"

/** The first format had `table_hash`: SHA-256 of the JSON as its keys came; before that, the wire's own hash. */
const matchOf = (raw: Row, provenance: Row, content: () => TableContent): Match => {
  const digest = textIn(provenance, "sha256")
  if (digest !== undefined) return digest === content().sha256 ? "fits" : "differs"
  const former = textIn(provenance, "table_hash")
  if (former === undefined) return "unknown"
  if (former.length !== hashLength) return former === sha256(JSON.stringify(raw)) ? "fits" : "differs"
  return former === hashTable(raw).config ? "fits roughly" : "differs"
}

const digestFault = wrong(
  "digest",
  "expected the content that the SHA-256 in _holdfast stands for: the file is torn, or was edited with _holdfast left in; after a look at it, `holdfast config seal FILE` makes it valid"
)

const noTable = wrong("json", "expected a config table as JSON")

const placeIn = (provenance: Row): Pick<TableByHand, "epoch" | "sequence" | "rollbackOver"> => {
  const { epoch, sequence, attestation } = provenanceIn(provenance)
  const rollbackOver = attestation?.statement.rollbackOver
  return {
    ...(epoch === undefined ? {} : { epoch }),
    ...(sequence === undefined ? {} : { sequence }),
    ...(rollbackOver === undefined ? {} : { rollbackOver })
  }
}

/** A signed statement beats what stands beside it: that is for people to read. */
const provenanceIn = (provenance: Row): Provenance => {
  const attestation = readAttestation(provenance)
  if (attestation !== undefined) return provenanceOf({ ...attestation.statement, attestation })
  const issuedAt = Date.parse(textIn(provenance, "issued_at") ?? "")
  const epoch = textIn(provenance, "epoch")
  const sequence = numberIn(provenance, "sequence")
  return {
    ...(epoch === undefined ? {} : { epoch }),
    ...(sequence === undefined ? {} : { sequence }),
    ...(Number.isNaN(issuedAt) ? {} : { issuedAtMs: issuedAt })
  }
}

/** What stands under `_holdfast`, read by itself: enough to know a table's place among the others. */
export interface ReadOrigin extends Provenance {
  readonly _tag: "Right"
  readonly hash: string | undefined
  readonly receivedAtMs: number | undefined
  /** SHA-256 of the table that it stands for, as far as it says. */
  readonly sha256: string | undefined
}

/** Whether the table beside it is the one that it stands for is not looked at. */
export const readOrigin = (provenance: Row): ReadOrigin | UnreadableTable => {
  const misfit = formatFault(provenance)
  if (misfit !== undefined) return misfit
  const from = provenanceIn(provenance)
  return {
    _tag: "Right",
    hash: hashIn(provenance),
    receivedAtMs: receivedAtMsIn(provenance),
    sha256: from.attestation?.statement.sha256 ?? textIn(provenance, "sha256"),
    ...from
  }
}

/** Its place in the order; without a time of its control plane, when it came from there. */
export const standingOfOrigin = ({
  epoch,
  sequence,
  issuedAtMs,
  receivedAtMs,
  sha256,
  attestation
}: ReadOrigin): Standing => ({
  ...(epoch === undefined ? {} : { epoch }),
  ...(sequence === undefined ? {} : { sequence }),
  issuedAtMs: issuedAtMs ?? receivedAtMs,
  sha256,
  ...attestation?.statement
})

/**
 * Whose word counts for the hash by which the control plane calls it: of a node's own cache, whatever stands there; of what
 * others bring, what is signed together with the content. Else it is computed: under the name of another configuration it
 * would pass for that.
 */
export type HashBelieved = "told" | "signed"

/** Throws at what is nested deeper than recursion goes. */
export const decodeCachedTable = (
  text: string,
  describe: (raw: Row) => TableContent = describeTable,
  believed: HashBelieved = "told"
): CachedTable | UnreadableTable => {
  const parsed = parseRecord(text)
  if (parsed === undefined) return noTable
  const found = parsed[provenanceKey]
  const provenance = isRecord(found) ? found : {}
  const misfit = formatFault(provenance)
  if (misfit !== undefined) return misfit
  const raw = withoutProvenance(parsed)
  const match = matchOf(raw, provenance, () => describe(raw))
  if (match === "differs") return digestFault
  const hash = match === "fits" && believed === "told" ? hashIn(provenance) : undefined
  const sha256 = match === "fits" ? textIn(provenance, "sha256") : undefined
  const from = provenanceIn(provenance)
  const statement = from.attestation?.statement
  // Without provenance it is Kong 2.x's or a person's, and nobody can tell which. Who has the control plane's key speaks for it.
  const isSigned = from.attestation?.signatures.some(({ by }) => !isSeal(by)) === true
  const isByHand = !isSigned && (!isRecord(found) || textIn(provenance, "source") === sourceByHand)
  const signedHash = statement !== undefined && statement.sha256 === sha256 ? statement.hash : undefined
  return {
    _tag: "Right",
    raw,
    hash: signedHash ?? hash ?? hashTable(raw).config,
    receivedAtMs: receivedAtMsIn(provenance),
    writtenBy: textIn(provenance, "written_by"),
    source: textIn(provenance, "source"),
    gatewayVersion: textIn(provenance, "gateway_version"),
    ...(sha256 === undefined ? {} : { sha256 }),
    ...from,
    ...(isByHand ? { isByHand } : {})
  }
}

export interface TableByHand extends Version {
  readonly rollbackOver?: RollbackOver
  readonly raw: Row
  readonly content: TableContent
  readonly hash: string
}

/**
 * A table that a person vouches for, whatever its provenance says. It keeps the control plane's name only if it is still
 * what was called so: under that name an edit would pass for the control plane's configuration, and stay.
 */
export const tableByHand = (text: string): TableByHand | undefined => {
  const parsed = parseRecord(text)
  if (parsed === undefined) return undefined
  const provenance = isRecord(parsed[provenanceKey]) ? parsed[provenanceKey] : {}
  const raw = withoutProvenance(parsed)
  const content = describeTable(raw)
  const former = hashIn(provenance)
  if (former !== undefined && matchOf(raw, provenance, () => content) === "fits")
    return { raw, content, hash: former, ...placeIn(provenance) }
  const computed = hashTable(raw).config
  return { raw, content, hash: computed === former ? content.sha256.slice(0, hashLength) : computed }
}
