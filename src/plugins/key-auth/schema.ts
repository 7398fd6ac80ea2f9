/** What may be configured of `key-auth`: names, defaults and rules are Kong's (its open-source schema, 3.9). */
import * as Field from "../../model/Field.ts"
import type { ConfigOf, PluginSchema } from "../../model/plugin/Plugin.ts"

const fields = {
  /** Where a key is looked for, as header, query argument and field of the body: one name for all three. */
  key_names: Field.withDefault(Field.array(Field.headerName), ["apikey"]),
  /** True: the upstream is not shown the key. */
  hide_credentials: Field.withDefault(Field.boolean, false),
  /** Username or id of the consumer that a request without a valid key is said to come from. */
  anonymous: Field.nullable(Field.nonEmpty),
  key_in_header: Field.withDefault(Field.boolean, true),
  key_in_query: Field.withDefault(Field.boolean, true),
  key_in_body: Field.withDefault(Field.boolean, false),
  /** False: `OPTIONS` requests pass without a key. */
  run_on_preflight: Field.withDefault(Field.boolean, true),
  /** Of the challenge in `WWW-Authenticate`. */
  realm: Field.nullable(Field.nonEmpty)
} as const

export type KeyAuthConfig = ConfigOf<typeof fields>

export const keyAuthSchema: PluginSchema<typeof fields> = { fields, neverScopedBy: ["consumer"] }
