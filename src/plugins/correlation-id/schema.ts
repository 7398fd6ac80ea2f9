/** What may be configured of `correlation-id`: names and defaults are Kong's (its open-source schema, 3.9). */
import * as Field from "../../model/Field.ts"
import type { ConfigOf, PluginSchema } from "../../model/plugin/Plugin.ts"

const fields = {
  /** Kong takes any text here; one that is no header name could not be sent. */
  header_name: Field.withDefault(Field.headerName, "Kong-Request-ID"),
  generator: Field.withDefault(Field.oneOf(["uuid", "uuid#counter", "tracker"]), "uuid#counter"),
  /** True: the client is told the id too. */
  echo_downstream: Field.withDefault(Field.boolean, false)
} as const

export type CorrelationIdConfig = ConfigOf<typeof fields>

export const correlationIdSchema: PluginSchema<typeof fields> = { fields }
