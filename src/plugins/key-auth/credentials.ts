/** Keys and whose they are: an index over the whole configuration, made once for all rows of the plugin. */

import type { ConfigTable } from "../../model/ConfigTable.ts"
import type { Consumer, KeyauthCredential, Route } from "../../model/Entities.ts"
import { toByteString } from "../../model/RequestPath.ts"
import { workspacesIn } from "../../model/Workspace.ts"

export interface Known {
  readonly credential: KeyauthCredential
  /** `undefined` when the configuration lacks it: then nobody gets through by this key. */
  readonly consumer: Consumer | undefined
}

export interface Credentials {
  /** By the key as requests carry it, one character a byte; `undefined` for one that the route's workspace does not know. */
  readonly find: (key: string, route: Pick<Route, "ws_id">) => Known | undefined
}

export const indexCredentials = (table: ConfigTable): Credentials => {
  const workspaceOf = workspacesIn(table)
  const consumers = new Map(table.consumers.map((consumer) => [consumer.id, consumer]))
  const byKey = new Map<string, Known>()
  for (const credential of table.keyauth_credentials) {
    if (credential.key === null || credential.key === "") continue
    byKey.set(toByteString(credential.key), { credential, consumer: consumers.get(credential.consumer) })
  }
  return {
    find: (key, route) => {
      const known = byKey.get(key)
      return known !== undefined && workspaceOf(known.credential) === workspaceOf(route) ? known : undefined
    }
  }
}

/** By id, else by username, as Kong finds an anonymous consumer. */
export const findConsumer = ({ consumers }: ConfigTable, idOrUsername: string): Consumer | undefined =>
  consumers.find(({ id }) => id === idOrUsername) ?? consumers.find(({ username }) => username === idOrUsername)
