/** Fields of a request's body: of a form, or of a JSON object. Kong's further kind, multipart, is not read. */
import { isRecord, type Row } from "../../model/Entity.ts"
import { argumentsNamed, withoutArgument } from "../../model/FormArguments.ts"
import type { PluginRequest } from "../../model/plugin/Plugin.ts"
import { toByteString } from "../../model/RequestPath.ts"

export interface BodyFields {
  /** Everything under a name. Texts are byte strings; what is no text is anything else. */
  readonly valuesOf: (name: string) => ReadonlyArray<unknown>
  /** The body without a name; `undefined` when it has no such name. */
  readonly without: (name: string) => Uint8Array | undefined
}

/** In larger bodies nothing is looked for. */
export const maxBodyBytes = 65_536

const formFields = (bytes: Uint8Array): BodyFields => {
  const text = Buffer.from(bytes).toString("latin1")
  return {
    valuesOf: (name) => argumentsNamed(text, name),
    without: (name) =>
      argumentsNamed(text, name).length === 0 ? undefined : Buffer.from(withoutArgument(text, name), "latin1")
  }
}

const jsonFields = (row: Row): BodyFields => ({
  valuesOf: (name) => {
    const value = Object.hasOwn(row, name) ? row[name] : undefined
    if (value === undefined) return []
    // What is more than a value counts as several, as Kong has it.
    if (typeof value === "object" && value !== null) return [value, value]
    return [typeof value === "string" ? toByteString(value) : value]
  },
  without: (name) => {
    if (!Object.hasOwn(row, name)) return undefined
    return Buffer.from(JSON.stringify(Object.fromEntries(Object.entries(row).filter(([key]) => key !== name))))
  }
})

const jsonIn = (bytes: Uint8Array): unknown => {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes))
  } catch {
    return undefined
  }
}

/** `undefined` for a body that is too large, broken, or of another kind. */
export const readBodyFields = async (request: PluginRequest): Promise<BodyFields | undefined> => {
  const type = (request.header("content-type") ?? "").toLowerCase()
  const isForm = type.startsWith("application/x-www-form-urlencoded")
  if (!isForm && !type.startsWith("application/json")) return undefined
  const bytes = await request.body(maxBodyBytes)
  if (bytes === undefined) return undefined
  if (isForm) return formFields(bytes)
  const value = jsonIn(bytes)
  return isRecord(value) ? jsonFields(value) : undefined
}
