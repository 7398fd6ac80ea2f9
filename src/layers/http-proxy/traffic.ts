/** What is open and what is under way: for the counters of the status API, and for draining. */

import type { ServerResponse } from "node:http"
import type { Duplex } from "node:stream"
import type { ProxyCounts } from "../../services/Proxy.ts"

export class Traffic {
  readonly #connections = new Set<Duplex>()
  /** The answers under way on each connection. */
  readonly #answers = new Map<Duplex, Set<ServerResponse>>()
  #accepted = 0
  #requests = 0
  #inFlight = 0
  #onIdle: (() => void) | undefined

  counts(): ProxyCounts {
    return {
      active: this.#connections.size,
      accepted: this.#accepted,
      requests: this.#requests,
      inFlight: this.#inFlight
    }
  }

  /** A connection may be told of more than once. */
  opened(connection: Duplex): void {
    if (this.#connections.has(connection)) return
    this.#accepted++
    this.#connections.add(connection)
    connection.once("close", () => this.#connections.delete(connection))
  }

  /** `life` closes when the exchange is over: the response, or the connection of a WebSocket. `onEnd` hears of it, once. */
  began(connection: Duplex, response: ServerResponse, life: NodeJS.EventEmitter, onEnd: () => void): void {
    this.#requests++
    this.#inFlight++
    const answers = this.#answers.get(connection) ?? new Set()
    this.#answers.set(connection, answers.add(response))
    life.once("close", () => {
      answers.delete(response)
      if (answers.size === 0) this.#answers.delete(connection)
      this.#inFlight--
      onEnd()
      if (this.#inFlight === 0) this.#onIdle?.()
    })
  }

  isAnswering(connection: Duplex): boolean {
    return [...(this.#answers.get(connection) ?? [])].some((response) => response.headersSent)
  }

  /**
   * Calls back once all answers on a connection that Node gave away are out: at once, unless requests were pipelined.
   * Until then what Node no longer does for those answers is done here. Never, when the connection ends before.
   */
  afterAnswers(connection: Duplex, then: () => void): void {
    const answers = [...(this.#answers.get(connection) ?? [])]
    const last = answers.at(-1)
    if (last === undefined) {
      then()
      return
    }
    const onError = () => connection.destroy()
    const onDrain = () => answers.find(({ socket }) => socket === connection)?.emit("drain")
    connection.on("error", onError)
    connection.on("drain", onDrain)
    connection.once("close", () => this.#abandon(connection))
    last.once("close", () => {
      connection.removeListener("error", onError)
      connection.removeListener("drain", onDrain)
      if (connection.writable) then()
    })
  }

  /** Answers whose turn on the connection never came: once Node has given it away, nobody else tells them that it has closed. */
  #abandon(connection: Duplex): void {
    for (const response of this.#answers.get(connection) ?? []) {
      if (response.socket !== null) continue
      response.destroy()
      response.emit("close")
    }
  }

  /** Calls back once nothing is under way. */
  whenIdle(onIdle: () => void): void {
    if (this.#inFlight === 0) onIdle()
    else this.#onIdle = onIdle
  }

  closeAll(): void {
    for (const connection of this.#connections) connection.destroy()
  }
}
