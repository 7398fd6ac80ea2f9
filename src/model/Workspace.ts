/** Which workspace a row belongs to (reference `config-model.md` §1.3): the one that it names, else the default one. */
import type { ConfigTable } from "./ConfigTable.ts"

export type WorkspaceOf = (row: { readonly ws_id: string | null }) => string

export const workspacesIn = ({ workspaces }: Pick<ConfigTable, "workspaces">): WorkspaceOf => {
  const fallback = workspaces.find(({ name }) => name === "default")?.id ?? ""
  return ({ ws_id }) => ws_id ?? fallback
}
