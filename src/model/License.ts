/**
 * A licence as it is written down: `license.json`, the setting `license_data`, or the payload of a row of `licenses`
 * (reference `resilience.md` §6.1). Reading never throws, tells every fault at once and shows no value: what stands in a
 * licence is its holder's.
 */
import { createHash } from "node:crypto"
import { canonicalJson } from "./CanonicalJson.ts"
import { isRecord, type Row } from "./Entity.ts"
import type { Fault } from "./Fault.ts"

export interface License {
  /** Every field as it was given, known or not: the signature covers them all. */
  readonly payload: Row
  /** The text that is signed: the payload's canonical JSON (RFC 8785). */
  readonly signedText: string
  /** Hexadecimal, in lower case. */
  readonly signature: string
  /** 00:00 UTC of `license_expiration_date`: from this instant on it is no longer valid. */
  readonly expiresAtMs: number
  /** The same for two licences only when they are the same in every field. It gives nothing away. */
  readonly digest: string
}

export type ParsedLicense =
  | { readonly _tag: "Right"; readonly license: License }
  | { readonly _tag: "Wrong"; readonly faults: ReadonlyArray<Fault> }

/** Larger than any licence: what is longer is another file. */
export const licenseMaxBytes = 65_536

const formatVersion = "1"
const expirationDate = "license_expiration_date"
const creationDate = "license_creation_date"
const payloadPath = ["license", "payload"] as const

/** 00:00 UTC of a day that exists, in the years 0001 to 9999. */
export const dateMs = (text: unknown): number | undefined => {
  if (typeof text !== "string" || !/^\d{4}-\d{2}-\d{2}$/.test(text) || text < "0001") return undefined
  const ms = Date.parse(`${text}T00:00:00.000Z`)
  // Some engines roll the 30th of February over into March.
  return Number.isNaN(ms) || new Date(ms).toISOString().slice(0, 10) !== text ? undefined : ms
}

const isHex = (value: unknown): value is string => typeof value === "string" && /^(?:[0-9a-f]{2})+$/i.test(value)

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    // The engine's words quote the text.
    return undefined
  }
}

const dateFaults = (payload: Row): ReadonlyArray<Fault> => {
  const wrong = (field: string, message: string): Fault => ({ path: [...payloadPath, field], message })
  const expiresAtMs = dateMs(payload[expirationDate])
  const created = payload[creationDate] ?? undefined
  const createdAtMs = dateMs(created)
  return [
    ...(expiresAtMs === undefined ? [wrong(expirationDate, "expected a date, written YYYY-MM-DD")] : []),
    ...(created !== undefined && createdAtMs === undefined
      ? [wrong(creationDate, "expected a date, written YYYY-MM-DD, or nothing")]
      : []),
    ...(expiresAtMs !== undefined && createdAtMs !== undefined && createdAtMs > expiresAtMs
      ? [wrong(creationDate, `expected a day no later than ${expirationDate}`)]
      : [])
  ]
}

const shapeFaults = ({ payload, signature, version }: Row): ReadonlyArray<Fault> => [
  ...(isRecord(payload) ? dateFaults(payload) : [{ path: payloadPath, message: "expected an object" }]),
  ...(isHex(signature)
    ? []
    : [{ path: ["license", "signature"], message: "expected a signature in hexadecimal digits" }]),
  ...(version === formatVersion ? [] : [{ path: ["license", "version"], message: `expected "${formatVersion}"` }])
]

const wrong = (...faults: ReadonlyArray<Fault>): ParsedLicense => ({ _tag: "Wrong", faults })

/** The licence, or everything that is wrong with it. What it is worth, signature and time say elsewhere. */
export const parseLicense = (text: string): ParsedLicense => {
  if (Buffer.byteLength(text) > licenseMaxBytes)
    return wrong({ path: [], message: `expected at most ${licenseMaxBytes} bytes` })
  const document = parseJson(text)
  if (!isRecord(document)) return wrong({ path: [], message: "expected a licence: a JSON object" })
  const { license } = document
  if (!isRecord(license)) return wrong({ path: ["license"], message: "expected an object" })
  const faults = shapeFaults(license)
  const { payload, signature } = license
  // Of a payload that is no object enough is said.
  if (!isRecord(payload)) return wrong(...faults)
  const canonical = canonicalJson(payload)
  if (canonical._tag === "Wrong") {
    const { path, message } = canonical.fault
    return wrong(...faults, { path: [...payloadPath, ...path], message })
  }
  const expiresAtMs = dateMs(payload[expirationDate])
  if (faults.length > 0 || !isHex(signature) || expiresAtMs === undefined) return wrong(...faults)
  const hex = signature.toLowerCase()
  const digest = createHash("sha256").update(`${hex} ${canonical.text}`).digest("hex")
  return { _tag: "Right", license: { payload, signedText: canonical.text, signature: hex, expiresAtMs, digest } }
}

/** The file's text, for people to read. */
export const licenseText = (payload: Row, signature: string): string =>
  `${JSON.stringify({ license: { payload, signature, version: formatVersion } }, null, 2)}\n`
