/**
 * The hash that names a configuration on the wire: reference `hybrid-protocol-v1.md` §5. Byte for byte that of the
 * open-source gateway, so that several control planes behind one balancer agree.
 */
import { createHash } from "node:crypto"
import { isRecord, type Row } from "./Entity.ts"
import { zeroHash } from "./Snapshot.ts"

export interface ConfigHashes {
  readonly config: string
  readonly routes: string
  readonly services: string
  readonly plugins: string
  readonly upstreams: string
  readonly targets: string
}

const md5 = (bytes: Uint8Array | string) => createHash("md5").update(bytes)

/** Longer than this on entering a value, what was written so far is replaced by its 16-byte digest. */
const collapseAboveBytes = 1_000_000
const longArrayLength = 6

/** C's `%.14g`. */
export const formatNumber = (value: number): string => {
  if (Object.is(value, -0)) return "-0"
  if (!Number.isFinite(value)) return value > 0 ? "inf" : value < 0 ? "-inf" : "nan"
  const [mantissa = "0", exponentText = "0"] = value.toExponential(13).split("e")
  const exponent = Number(exponentText)
  const strip = (digits: string) => (digits.includes(".") ? digits.replace(/\.?0+$/, "") : digits)
  if (exponent >= -4 && exponent < 14) return strip(value.toFixed(13 - exponent))
  const sign = exponent < 0 ? "-" : "+"
  return `${strip(mantissa)}e${sign}${String(Math.abs(exponent)).padStart(2, "0")}`
}

const compareBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b))
const isAscii = (text: string): boolean => /^[\0-\x7f]*$/.test(text)

/** Keys by the value of their UTF-8 bytes; JavaScript's own order is that of UTF-16 units. */
const sortedKeys = (row: Row): ReadonlyArray<string> => {
  const keys = Object.keys(row).filter((key) => row[key] !== undefined)
  return keys.every(isAscii) ? keys.sort() : keys.sort(compareBytes)
}

/** Collects bytes and folds them as the algorithm demands; text waits in one string until it must become bytes. */
const makeBuffer = () => {
  let collapsed: Uint8Array | undefined
  let pending = ""
  let length = 0
  const bytes = (): Uint8Array => {
    const tail = Buffer.from(pending)
    return collapsed === undefined ? tail : Buffer.concat([collapsed, tail])
  }
  return {
    bytes,
    append: (text: string) => {
      pending += text
      length += isAscii(text) ? text.length : Buffer.byteLength(text)
    },
    enterValue: () => {
      if (length <= collapseAboveBytes) return
      collapsed = md5(bytes()).digest()
      pending = ""
      length = collapsed.length
    }
  }
}

const serialise = (value: unknown, buffer: ReturnType<typeof makeBuffer>): void => {
  buffer.enterValue()
  if (value === null || value === undefined) buffer.append("/null/")
  else if (typeof value === "string") buffer.append(value)
  else if (typeof value === "number") buffer.append(formatNumber(value))
  else if (typeof value === "boolean") buffer.append(value ? "true" : "false")
  else if (Array.isArray(value)) serialiseArray(value, buffer)
  else serialiseObject(value as Row, buffer)
}

const serialiseArray = (values: ReadonlyArray<unknown>, buffer: ReturnType<typeof makeBuffer>): void => {
  if (values.length === 0) buffer.append("{}")
  const isLong = values.length >= longArrayLength
  values.forEach((value, index) => {
    serialise(value, buffer)
    if (isLong || index < values.length - 1) buffer.append(";")
  })
}

const serialiseObject = (row: Row, buffer: ReturnType<typeof makeBuffer>): void => {
  const keys = sortedKeys(row)
  if (keys.length === 0) buffer.append("{}")
  for (const key of keys) {
    buffer.append(`${key}:`)
    serialise(row[key], buffer)
    buffer.append(";")
  }
}

/** Hash of one value; 32 zeros when there is none. */
export const hashValue = (value: unknown): string => {
  if (value === undefined) return zeroHash
  const buffer = makeBuffer()
  serialise(value, buffer)
  return md5(buffer.bytes()).digest("hex")
}

/** The bytes that {@link hashValue} digests, for tests that pin the algorithm. */
export const serialisedBytes = (value: unknown): Uint8Array => {
  const buffer = makeBuffer()
  serialise(value, buffer)
  return buffer.bytes()
}

/** Hashes of a config table, or `undefined` sections' zeros. A value that is no object has a `config` hash alone. */
export const hashTable = (table: unknown): ConfigHashes => {
  if (!isRecord(table)) {
    return {
      config: hashValue(table),
      routes: zeroHash,
      services: zeroHash,
      plugins: zeroHash,
      upstreams: zeroHash,
      targets: zeroHash
    }
  }
  const { routes, services, plugins, upstreams, targets, ...rest } = table
  const hashes = {
    routes: hashValue(routes),
    services: hashValue(services),
    plugins: hashValue(plugins),
    upstreams: hashValue(upstreams),
    targets: hashValue(targets)
  }
  const config = md5(
    hashes.routes + hashes.services + hashes.plugins + hashes.upstreams + hashes.targets + hashValue(rest)
  ).digest("hex")
  return { config, ...hashes }
}
