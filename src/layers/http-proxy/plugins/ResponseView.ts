/** The head of an answer as plugins see it: the very list that is about to be written. */
import type { PluginResponse } from "../../../model/plugin/Plugin.ts"
import { checkedName, isFraming, removeField, sendable } from "./fields.ts"

export class ResponseView implements PluginResponse {
  readonly status: number
  readonly source: PluginResponse["source"]
  /** Name after value. */
  readonly #fields: Array<string>

  constructor(status: number, source: PluginResponse["source"], fields: Array<string>) {
    this.status = status
    this.source = source
    this.#fields = fields
  }

  header(name: string): string | undefined {
    const values: Array<string> = []
    for (let at = 0; at < this.#fields.length; at += 2) {
      if (this.#fields[at]?.toLowerCase() === name) values.push(this.#fields[at + 1] ?? "")
    }
    return values.length === 0 ? undefined : values.join(", ")
  }

  setHeader(name: string, value: string | undefined): void {
    const lowerName = checkedName(name).toLowerCase()
    if (isFraming(lowerName)) return
    removeField(this.#fields, lowerName)
    if (value !== undefined) this.#fields.push(name, sendable(value))
  }
}
