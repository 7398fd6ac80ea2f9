/** Lines that wait to be written: so many bytes of them, and what comes on top is counted and lost. */

/** Seconds of a busy node; beyond it, whoever takes the lines is not late but gone. */
const maxWaitingBytes = 4_194_304

export class Lines {
  #text = ""
  #count = 0

  /** False when there was no room. The text is nearly all ASCII, so that its length is its size. */
  add(line: string): boolean {
    if (this.#text.length + line.length > maxWaitingBytes) return false
    this.#text += line
    this.#count++
    return true
  }

  take(): { readonly text: string; readonly count: number } {
    const taken = { text: this.#text, count: this.#count }
    this.#text = ""
    this.#count = 0
    return taken
  }

  get isEmpty(): boolean {
    return this.#count === 0
  }
}
