/**
 * What somebody vouches for when they sign a configuration: its content by digest, its name, and its place among the
 * others. The statement travels with the table, over the wire, in the cache, through peers and object storage; whoever
 * gets both can check them wherever they come from.
 *
 * Signed is the statement's canonical JSON (RFC 8785) behind a word for the purpose, so that nothing signed for another
 * one passes for it. A signature by Ed25519 is a control plane's, or a person's who has its key; a seal, an HMAC under a
 * key derived from the cluster's, is a node's own word that it got this from whom it trusts.
 */
import { createHmac, createPrivateKey, type KeyObject, sign, timingSafeEqual, verify } from "node:crypto"
import { Redacted } from "effect"
import { derive } from "./CacheKey.ts"
import { canonicalJson } from "./CanonicalJson.ts"
import type { RollbackOver, Standing } from "./ConfigOrder.ts"
import { isRecord, type Row } from "./Entity.ts"
import { keyName } from "./SigningKey.ts"
import type { Provenance } from "./Snapshot.ts"

export interface ConfigStatement extends Standing {
  readonly hash: string
  readonly sha256: string
  readonly issuedAtMs: number
  readonly rollbackOver?: RollbackOver
}

export interface ConfigSignature {
  /** `ed25519:` or `seal:` and 16 hex digits: the key's name, which gives nothing away. */
  readonly by: string
  /** In hexadecimal. */
  readonly signature: string
}

export interface Attestation {
  readonly statement: ConfigStatement
  /** The statement as it was signed: a newer version may say more than this one reads. */
  readonly signed: Row
  readonly signatures: ReadonlyArray<ConfigSignature>
}

const signedText = (purpose: string, signed: Row): Uint8Array => {
  const canonical = canonicalJson({ ...signed, purpose })
  // A statement is a handful of texts and numbers that were read from JSON or written here.
  if (canonical._tag === "Wrong") throw new Error(`not to be signed: ${canonical.fault.message}`)
  return new TextEncoder().encode(canonical.text)
}

const signaturePurpose = "holdfast configuration, v1"
const sealPurpose = "holdfast configuration seal, v1"

/** A place in the order as JSON. */
export const standingRow = ({ epoch, sequence, issuedAtMs, sha256, rollbackOver }: Standing): Row => ({
  ...(epoch === undefined ? {} : { epoch }),
  ...(sequence === undefined ? {} : { sequence }),
  ...(sha256 === undefined ? {} : { sha256 }),
  ...(issuedAtMs === undefined ? {} : { issued_at: new Date(issuedAtMs).toISOString() }),
  ...(rollbackOver === undefined
    ? {}
    : { rollback_over: { epoch: rollbackOver.epoch, sequence: rollbackOver.sequence } })
})

/** Nobody has signed it yet. */
export const attestationOf = (statement: ConfigStatement): Attestation => ({
  statement,
  signed: { hash: statement.hash, ...standingRow(statement) },
  signatures: []
})

const withSignature = (attestation: Attestation, made: ConfigSignature): Attestation => ({
  ...attestation,
  signatures: [...attestation.signatures.filter(({ by }) => by !== made.by), made]
})

export const signedBy = (attestation: Attestation, key: KeyObject): Attestation =>
  withSignature(attestation, {
    by: keyName(key),
    signature: sign(null, signedText(signaturePurpose, attestation.signed), key).toString("hex")
  })

/** Derived from the cluster's private key, like the cache's: nothing more to keep, and the same on every node that has it. */
export interface SealKey {
  readonly name: string
  readonly secret: Redacted.Redacted<Uint8Array>
}

const sealPrefix = "seal:"

export const isSeal = (by: string): boolean => by.startsWith(sealPrefix)

const sealKeyLength = 32
const nameLength = 8

/** Throws at what is no unencrypted private key as PEM. */
export const sealKeyFromCluster = (pem: string): SealKey => {
  const der = createPrivateKey(pem).export({ type: "pkcs8", format: "der" })
  const secret = derive(der, "holdfast config seal: key from cluster key, v1", sealKeyLength)
  const id = Buffer.from(derive(secret, "holdfast config seal: key id, v1", nameLength)).toString("hex")
  return { name: `${sealPrefix}${id}`, secret: Redacted.make(secret, { label: "seal key" }) }
}

/** The word of whoever has the key for any text of theirs. */
export const macOf = (key: SealKey, text: Uint8Array): Buffer =>
  createHmac("sha256", Redacted.value(key.secret)).update(text).digest()

/** One seal is enough: those of former keys, or of other nodes, say nothing to whoever takes this one. */
const withoutSeals = (attestation: Attestation): Attestation => ({
  ...attestation,
  signatures: attestation.signatures.filter(({ by }) => !isSeal(by))
})

export const sealedBy = (attestation: Attestation, key: SealKey): Attestation =>
  withSignature(withoutSeals(attestation), {
    by: key.name,
    signature: macOf(key, signedText(sealPurpose, attestation.signed)).toString("hex")
  })

export interface VerificationKeys {
  readonly publicKeys: ReadonlyArray<KeyObject>
  readonly sealKeys: ReadonlyArray<SealKey>
}

/**
 * By which of the keys at hand it is signed. `verified` names one of them; `invalid` names one that is said to have signed
 * it and did not; `unknown` lists those that signed it and are not at hand, perhaps none.
 */
export type Verification =
  | { readonly _tag: "verified"; readonly by: string }
  | { readonly _tag: "invalid"; readonly by: string }
  | { readonly _tag: "unknown"; readonly by: ReadonlyArray<string> }

const isGood = ({ signed }: Attestation, { by, signature }: ConfigSignature, keys: VerificationKeys) => {
  const bytes = Buffer.from(signature, "hex")
  const publicKey = keys.publicKeys.find((key) => keyName(key) === by)
  if (publicKey !== undefined) return verify(null, signedText(signaturePurpose, signed), publicKey, bytes)
  const sealKey = keys.sealKeys.find(({ name }) => name === by)
  if (sealKey === undefined) return undefined
  const expected = macOf(sealKey, signedText(sealPurpose, signed))
  return expected.length === bytes.length && timingSafeEqual(expected, bytes)
}

export const verification = (attestation: Attestation, keys: VerificationKeys): Verification => {
  const judged = attestation.signatures.map((each) => ({ by: each.by, good: isGood(attestation, each, keys) }))
  const verified = judged.find(({ good }) => good === true)
  if (verified !== undefined) return { _tag: "verified", by: verified.by }
  const invalid = judged.find(({ good }) => good === false)
  if (invalid !== undefined) return { _tag: "invalid", by: invalid.by }
  return { _tag: "unknown", by: judged.map(({ by }) => by) }
}

/** What is known of a configuration's place: what was signed, where somebody signed it. */
export const standingIn = (provenance: Provenance): Standing => provenance.attestation?.statement ?? provenance

// --- as JSON ---

export const attestationRow = ({ signed, signatures }: Attestation): Row => ({
  statement: signed,
  signatures: signatures.map(({ by, signature }) => ({ by, signature }))
})

const isText = (value: unknown): value is string => typeof value === "string"
const isSequence = (value: unknown): value is number => Number.isSafeInteger(value)

const hashLength = 32
const digestLength = 64
/** Far more than a rotation of keys and a seal need. */
const signaturesMax = 16

export const readRollbackOver = (value: unknown): RollbackOver | undefined =>
  isRecord(value) && isText(value.epoch) && isSequence(value.sequence)
    ? { epoch: value.epoch, sequence: value.sequence }
    : undefined

const statementIn = (row: Row): ConfigStatement | undefined => {
  const { epoch, sequence, hash, sha256, issued_at, rollback_over } = row
  const issuedAtMs = isText(issued_at) ? Date.parse(issued_at) : Number.NaN
  const rollbackOver = readRollbackOver(rollback_over)
  const isRight =
    // It would be covered by the purpose that is signed along.
    row.purpose === undefined &&
    isText(hash) &&
    hash.length === hashLength &&
    isText(sha256) &&
    sha256.length === digestLength &&
    !Number.isNaN(issuedAtMs) &&
    (epoch === undefined || isText(epoch)) &&
    (sequence === undefined || isSequence(sequence)) &&
    (rollback_over === undefined || rollbackOver !== undefined)
  if (!isRight) return undefined
  return {
    hash,
    sha256,
    issuedAtMs,
    ...(isText(epoch) ? { epoch } : {}),
    ...(isSequence(sequence) ? { sequence } : {}),
    ...(rollbackOver === undefined ? {} : { rollbackOver })
  }
}

const signatureIn = (value: unknown): ReadonlyArray<ConfigSignature> =>
  isRecord(value) && isText(value.by) && isText(value.signature) && /^(?:[0-9a-f]{2})+$/.test(value.signature)
    ? [{ by: value.by, signature: value.signature }]
    : []

/** `undefined` for what is none: then nobody vouches for the configuration. */
export const readAttestation = (value: unknown): Attestation | undefined => {
  if (!isRecord(value) || !isRecord(value.statement) || !Array.isArray(value.signatures)) return undefined
  const statement = statementIn(value.statement)
  if (statement === undefined || canonicalJson(value.statement)._tag === "Wrong") return undefined
  return {
    statement,
    signed: value.statement,
    signatures: value.signatures.slice(0, signaturesMax).flatMap(signatureIn)
  }
}
