/** Ids that a declarative file need not name: reference `config-model.md` §5. */
import { createHash } from "node:crypto"
import type { Entity, Row } from "./Entity.ts"

const base = "fd02801f-0957-4a15-a55a-c8d9606f30b5"

const toBytes = (uuid: string): Buffer => Buffer.from(uuid.replaceAll("-", ""), "hex")

const format = (bytes: Buffer): string =>
  bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5")

const withVersion = (bytes: Buffer, version: number): string => {
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | (version << 4), 6)
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8)
  return format(bytes)
}

/** A UUID of version 4 from 16 random bytes (RFC 9562 §5.4). */
export const uuidOf = (random: Uint8Array): string => withVersion(Buffer.from(random), 4)

/** A UUID of version 5: the same name in the same namespace always has the same id (RFC 9562 §5.5). */
export const uuidV5 = (namespace: string, name: string): string => {
  return withVersion(createHash("sha1").update(toBytes(namespace)).update(name).digest().subarray(0, 16), 5)
}

const textOf = (value: unknown): string | undefined => (typeof value === "string" && value !== "" ? value : undefined)

const keyOf = (entity: Entity, row: Row): string | undefined => {
  if (entity.cacheKey !== undefined) {
    const parts = entity.cacheKey.map(
      (field) => textOf(row[field]) ?? (entity.fields[field]?.required ? undefined : "")
    )
    const isKey = parts.length > 0 && parts.every((part) => part !== undefined)
    return isKey ? [entity.name, "*", ...parts].join(":") : undefined
  }
  return entity.endpointKey === undefined ? undefined : textOf(row[entity.endpointKey])
}

/** The id that a row without one has by its key; `undefined` when it has no key, and any fresh id will do. */
export const deterministicId = (entity: Entity, row: Row): string | undefined => {
  const key = keyOf(entity, row)
  return key === undefined || entity.primaryKey !== "id" ? undefined : uuidV5(uuidV5(base, entity.name), key)
}
