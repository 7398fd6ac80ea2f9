/** A plugin's schema in the shape of Kong's `GET /schemas/plugins/{name}`: lists of fields, each with its one name. */
import { Result, Schema } from "effect"
import { plugins } from "../Entities.ts"
import type { Row } from "../Entity.ts"
import { type Field, type Fields, struct } from "../Field.ts"
import type { Plugin, PluginScope } from "./Plugin.ts"

const scopes: ReadonlyArray<PluginScope> = ["consumer", "route", "service"]

/** What a row has that says nothing; null when it has nothing then. */
const defaultOf = (field: Field): unknown => {
  if (field.required) return undefined
  const decode = Schema.decodeUnknownResult(struct({ field }) as unknown as Schema.Decoder<{ readonly field: unknown }>)
  const decoded = decode({})
  return Result.isSuccess(decoded) ? decoded.success.field : undefined
}

const describeField = (field: Field): Row => {
  const preset = field.shape === "record" && field.fields !== undefined ? undefined : defaultOf(field)
  return {
    type: field.shape,
    required: field.required,
    ...(preset === undefined || preset === null ? {} : { default: preset }),
    ...(field.literals === undefined ? {} : { one_of: field.literals }),
    ...(field.sensitive === true ? { sensitive: true } : {}),
    ...(field.shape === "array" ? { elements: elementsOf(field) } : {}),
    ...(field.shape === "record" && field.fields !== undefined ? { fields: describeFields(field.fields) } : {})
  }
}

const elementsOf = ({ element, fields }: Field): Row => ({
  type: element,
  ...(fields === undefined ? {} : { fields: describeFields(fields) })
})

const describeFields = (fields: Fields): ReadonlyArray<Row> =>
  Object.entries(fields).map(([name, field]) => ({ [name]: describeField(field) }))

const describeScope = (scope: PluginScope, { neverScopedBy = [] }: Plugin["schema"]): Row => ({
  [scope]: {
    type: "foreign",
    reference: `${scope}s`,
    required: false,
    ...(neverScopedBy.includes(scope) ? { eq: null } : {})
  }
})

export const describePlugin = ({ schema }: Plugin): Row => ({
  fields: [
    ...scopes.map((scope) => describeScope(scope, schema)),
    { protocols: describeField(plugins.fields.protocols) },
    { config: { type: "record", required: true, fields: describeFields(schema.fields) } }
  ]
})
