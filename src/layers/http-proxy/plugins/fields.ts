/** Header fields that come from a plugin: whatever it says, what goes out is one field with that name. */
import { isToken } from "../../../model/Field.ts"
import { toByteString } from "../../../model/RequestPath.ts"

/** Throws for what is no header name: the plugin's handler is broken then, and is treated so. */
export const checkedName = (name: string): string => {
  if (!isToken(name)) throw new TypeError(`expected a header name, got ${JSON.stringify(name)}`)
  return name
}

/** All that a value may be made of is left out here. */
const notSendable = /[^\t\x20-\x7e\x80-\xff]/
const everyNotSendable = /[^\t\x20-\x7e\x80-\xff]/g
const beyondBytes = /[\u0100-\uffff]/

const escapeByte = (byte: string): string => `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`

/** Characters beyond a byte become UTF-8, and line breaks and their like are escaped, as OpenResty does it. */
export const sendable = (value: string): string =>
  notSendable.test(value)
    ? (beyondBytes.test(value) ? toByteString(value) : value).replace(everyNotSendable, escapeByte)
    : value

/** Of an answer these are the gateway's to say: what they promise is what its writer keeps. */
const framing: ReadonlySet<string> = new Set([
  ...["connection", "content-length", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"]
])

export const isFraming = (lowerName: string): boolean => framing.has(lowerName)

/** A plugin's list, name after value, as it may go out. Throws where it is no such list. */
export const answerFields = (headers: ReadonlyArray<string>): Array<string> => {
  if (headers.length % 2 !== 0) throw new TypeError("expected a value for every header")
  const fields: Array<string> = []
  for (let at = 0; at + 1 < headers.length; at += 2) {
    const name = checkedName(headers[at] ?? "")
    if (!isFraming(name.toLowerCase())) fields.push(name, sendable(String(headers[at + 1])))
  }
  return fields
}

/** Whether a list, name after value, has such a header. */
export const hasField = (fields: ReadonlyArray<string>, lowerName: string): boolean => {
  for (let at = 0; at < fields.length; at += 2) if (fields[at]?.toLowerCase() === lowerName) return true
  return false
}

/** Takes a header out of a list, all its repetitions. */
export const removeField = (fields: Array<string>, lowerName: string): void => {
  for (let at = fields.length - 2; at >= 0; at -= 2) if (fields[at]?.toLowerCase() === lowerName) fields.splice(at, 2)
}
