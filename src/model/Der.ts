/** The few forms of ASN.1 in DER (ITU-T X.690) that a certificate is made of, as pure functions over bytes. */

const tags = {
  integer: 0x02,
  bitString: 0x03,
  oid: 0x06,
  utf8: 0x0c,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31
}

const lengthOf = (length: number): ReadonlyArray<number> => {
  if (length < 0x80) return [length]
  const hex = length.toString(16)
  const bytes = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, "hex")
  return [0x80 | bytes.length, ...bytes]
}

const element = (tag: number, content: Uint8Array): Uint8Array =>
  Buffer.concat([Buffer.from([tag, ...lengthOf(content.length)]), content])

export const sequence = (...parts: ReadonlyArray<Uint8Array>): Uint8Array =>
  element(tags.sequence, Buffer.concat(parts))

export const set = (...parts: ReadonlyArray<Uint8Array>): Uint8Array => element(tags.set, Buffer.concat(parts))

/** A whole number that is not negative, from its bytes, highest first. */
export const unsigned = (bytes: Uint8Array): Uint8Array => {
  const firstSet = bytes.findIndex((byte) => byte !== 0)
  const shortest = firstSet === -1 ? Uint8Array.of(0) : bytes.subarray(firstSet)
  // A leading bit that is set would read as a minus sign.
  return element(tags.integer, (shortest[0] ?? 0) >= 0x80 ? Buffer.concat([Uint8Array.of(0), shortest]) : shortest)
}

export const bitString = (bytes: Uint8Array): Uint8Array =>
  element(tags.bitString, Buffer.concat([Uint8Array.of(0), bytes]))

export const utf8 = (text: string): Uint8Array => element(tags.utf8, Buffer.from(text))

const base128 = (value: number): ReadonlyArray<number> => {
  const digits = [value % 128]
  for (let rest = Math.floor(value / 128); rest > 0; rest = Math.floor(rest / 128)) digits.unshift((rest % 128) | 0x80)
  return digits
}

/** An object identifier, written with dots. */
export const oid = (dotted: string): Uint8Array => {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number)
  return element(tags.oid, Uint8Array.from([first * 40 + second, ...rest.flatMap(base128)]))
}

/** RFC 5280 §4.1.2.5: two digits of the year up to 2049, four from 2050 on. */
export const time = (date: Date): Uint8Array => {
  const digits = `${date
    .toISOString()
    .replace(/\.\d+Z$/, "")
    .replace(/[-:T]/g, "")}Z`
  return date.getUTCFullYear() < 2050
    ? element(tags.utcTime, Buffer.from(digits.slice(2)))
    : element(tags.generalizedTime, Buffer.from(digits))
}
