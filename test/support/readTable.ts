import { decodeTable } from "../../src/model/ConfigTable.ts"
import type { Row } from "../../src/model/Entity.ts"

/** A table that must be right. */
export const readTable = (raw: Row) => {
  const decoded = decodeTable(raw, new Map())
  if (decoded._tag === "Wrong") throw new Error(JSON.stringify(decoded.faults))
  return decoded.table
}
