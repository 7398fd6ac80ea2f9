/** A limit on inactivity: the time between two successive operations, not a total (`proxy-behaviour.md` §4). */
export class Watchdog {
  readonly #onSilence: () => void
  #timer: NodeJS.Timeout | undefined
  #limitMs = 0

  constructor(onSilence: () => void) {
    this.#onSilence = onSilence
  }

  /** Starts anew, with this limit. */
  arm(limitMs: number): void {
    if (this.#timer !== undefined && this.#limitMs === limitMs) {
      this.#timer.refresh()
      return
    }
    this.disarm()
    this.#limitMs = limitMs
    this.#timer = setTimeout(this.#onSilence, limitMs)
  }

  /** Something happened. */
  touch(): void {
    this.#timer?.refresh()
  }

  disarm(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }
}
