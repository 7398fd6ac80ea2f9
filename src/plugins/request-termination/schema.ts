/** What may be configured of `request-termination`: names, defaults and rules are Kong's (its open-source schema, 3.9). */
import type { Fault } from "../../model/Fault.ts"
import * as Field from "../../model/Field.ts"
import type { ConfigOf, PluginSchema } from "../../model/plugin/Plugin.ts"

const fields = {
  status_code: Field.withDefault(Field.integer(100, 599), 503),
  /** Answered as JSON: `{"message": …}`. */
  message: Field.nullable(Field.nonEmpty),
  content_type: Field.nullable(Field.nonEmpty),
  /** Answered as it is. */
  body: Field.nullable(Field.nonEmpty),
  /** True: the answer tells the request, and nothing else. */
  echo: Field.withDefault(Field.boolean, false),
  /** Only requests with a header or a query argument of this name are answered. */
  trigger: Field.nullable(Field.headerName)
} as const

export type RequestTerminationConfig = ConfigOf<typeof fields>

const check = ({ message, content_type, body, echo }: RequestTerminationConfig): ReadonlyArray<Fault> => {
  const hasBody = body !== null || content_type !== null
  return [
    ...(message !== null && hasBody
      ? [{ path: ["message"], message: "message cannot be used with content_type or body" }]
      : []),
    ...(content_type !== null && body === null
      ? [{ path: ["content_type"], message: "content_type requires a body" }]
      : []),
    ...(echo && hasBody ? [{ path: ["echo"], message: "echo cannot be used with content_type and body" }] : [])
  ]
}

export const requestTerminationSchema: PluginSchema<typeof fields> = { fields, check }
