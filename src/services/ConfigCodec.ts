/**
 * The costly pure steps between bytes and a configuration. A reference with the functions themselves as its default, so
 * that nobody has to provide it; the simulator, whose nodes all get the same bytes, shares the results by content.
 */
import { Context } from "effect"
import { type DecodedTable, decodeTable } from "../model/ConfigTable.ts"
import type { Row } from "../model/Entity.ts"
import type { PluginCatalogue } from "../model/plugin/PluginCatalogue.ts"
import { describeTable, type TableContent } from "../model/TableContent.ts"
import { type DecodedReconfigure, decodeReconfigure } from "../model/Wire.ts"

export interface ConfigCodec {
  /** The JSON of a push, decompressed. */
  readonly decodeReconfigure: (json: Uint8Array) => DecodedReconfigure
  /** Validates a whole config table, for a process that serves these plugins. */
  readonly decodeTable: (input: unknown, plugins: PluginCatalogue) => DecodedTable
  /** A table's canonical JSON and its digest: what the cache holds of it. */
  readonly describeTable: (raw: Row) => TableContent
}

export const ConfigCodec = Context.Reference<ConfigCodec>("holdfast/services/ConfigCodec", {
  defaultValue: () => ({ decodeReconfigure, decodeTable, describeTable })
})
