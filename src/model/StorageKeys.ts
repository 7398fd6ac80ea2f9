/** What lies where in object storage, below the prefix: reference `resilience.md` §5.3, and what Holdfast has beside it. */
import { fourParts } from "./GatewayVersion.ts"

export interface ScopeKeys {
  readonly envelope: string
  /** How old the envelope is, beside one that is encrypted: whoever writes need not be able to read. */
  readonly standing: string
}

/** For whoever may take configurations of another gateway version. */
export const latestKeys: ScopeKeys = { envelope: "latest.json.gz", standing: "latest.standing.json" }

/** For nodes of one version: `version` as a node claims it. */
export const versionKeys = (version: string): ScopeKeys & { readonly plain: string } => {
  const folder = fourParts(version)
  return {
    plain: `${folder}/config.json`,
    envelope: `${folder}/envelope.json.gz`,
    standing: `${folder}/envelope.standing.json`
  }
}

/** Written to learn whether the store refuses what it should; says nothing. */
export const conditionCheckKey = "conditional-write-check"

export const contentTypes = { gzip: "application/gzip", json: "application/json", text: "text/plain" } as const
