/**
 * The whole configuration as a declarative document (`config-model.md` §4): what `GET /config` gives and `POST /config`
 * takes back. Flat, references as ids, disabled rows included, unset fields left out.
 */
import { formatVersion } from "./ConfigTable.ts"
import { entities } from "./Entities.ts"
import type { Row } from "./Entity.ts"
import type { StoredRows } from "./exportTable.ts"

const withoutUnset = (row: Row): Row =>
  Object.fromEntries(Object.entries(row).filter(([key, value]) => value !== null && key !== "ws_id"))

export const toDeclarativeDocument = (stored: StoredRows): Row => ({
  _format_version: formatVersion,
  _transform: false,
  ...Object.fromEntries(
    entities.flatMap(({ name }) => {
      const rows = stored.get(name) ?? []
      return rows.length === 0 ? [] : [[name, rows.map(withoutUnset)]]
    })
  )
})

/** What belongs to the cluster and not to a document: it stays when a document doesn't speak of it at all. */
export const keptUnlessNamed: ReadonlySet<string> = new Set(["licenses"])

/** What every control plane has whether or not anybody gave it a configuration, and what is none. */
const ownSections: ReadonlySet<string> = new Set(["workspaces", "parameters", ...keptUnlessNamed])

/** True when there is nothing for a data plane to do: no row beyond the control plane's own. */
export const isWithoutEntities = (stored: StoredRows): boolean =>
  [...stored].every(([name, rows]) => ownSections.has(name) || rows.length === 0)
