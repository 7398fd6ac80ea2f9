/** What plugins make of a request's headers. A list, for they are few: it is looked through faster than a map is made. */

/** What the upstream is sent under a name in place of what the client sent; nothing, without a value. */
export interface HeaderChange {
  readonly lowerName: string
  readonly name: string
  readonly value: string | undefined
}

export class HeaderChanges {
  readonly list: Array<HeaderChange> = []

  find(lowerName: string): HeaderChange | undefined {
    for (const change of this.list) if (change.lowerName === lowerName) return change
    return undefined
  }

  set(change: HeaderChange): void {
    const { list } = this
    for (let at = 0; at < list.length; at++) {
      if (list[at]?.lowerName !== change.lowerName) continue
      list[at] = change
      return
    }
    list.push(change)
  }
}
