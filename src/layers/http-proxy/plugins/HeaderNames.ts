/** Names of headers that plugins set, checked and in lower case: each worked out once, for they are the same ones again and again. */
import { checkedName } from "./fields.ts"

/** A plugin may make names up as it goes; those beyond this many are worked out each time. */
const namesMax = 1000

export class HeaderNames {
  readonly #known = new Map<string, string>()

  /** In lower case. Throws for what is no header name. */
  lower(name: string): string {
    const known = this.#known.get(name)
    if (known !== undefined) return known
    const lowerName = checkedName(name).toLowerCase()
    if (this.#known.size < namesMax) this.#known.set(name, lowerName)
    return lowerName
  }
}
