/**
 * The client's body on its way to an upstream. As long as a copy of all that has come of it is kept, another upstream
 * may be sent it from the beginning (`proxy-behaviour.md` §4; `router.md` §9, `request_buffering`).
 */
import type { ClientRequest } from "node:http"
import { isCutOff } from "./cutOff.ts"
import type { Exchange } from "./exchange.ts"
import { pairsOf } from "./hopByHop.ts"
import type { BodyAhead } from "./plugins/BodyAhead.ts"
import type { Watchdog } from "./watchdog.ts"

const maxCopyBytes = 65_536
const firstCopyBytes = 1024

/** Bytes, in a buffer of their own: a small piece of a large one would keep the whole alive. */
class Copy {
  #buffer = Buffer.allocUnsafeSlow(firstCopyBytes)
  #length = 0

  /** False when there is no more room. */
  add(chunk: Uint8Array): boolean {
    const length = this.#length + chunk.length
    if (length > maxCopyBytes) return false
    if (length > this.#buffer.length) {
      const larger = Buffer.allocUnsafeSlow(Math.min(maxCopyBytes, Math.max(length, this.#buffer.length * 2)))
      this.#buffer.copy(larger, 0, 0, this.#length)
      this.#buffer = larger
    }
    this.#buffer.set(chunk, this.#length)
    this.#length = length
    return true
  }

  bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length)
  }
}

export interface RequestBodyOptions {
  readonly exchange: Pick<Exchange, "request" | "requestBodyBytes">
  /** What a plugin has read of it, or put in its place. */
  readonly ahead: BodyAhead | undefined
  /** Whether a copy is worth its keep: the request may be sent twice, and the route has nothing against it. */
  readonly keepsCopy: boolean
  /** What may come after the body. */
  readonly trailerNames: ReadonlyArray<string>
  readonly sending: Watchdog
  readonly writeTimeoutMs: number
  /** For the client. */
  readonly waiting: Watchdog
  readonly waitTimeoutMs: number
}

export class RequestBody {
  readonly #options: RequestBodyOptions
  #copy: Copy | undefined
  /** The try that counts. */
  #sink: ClientRequest | undefined
  #isStarted = false
  #hasEnded = false

  constructor(options: RequestBodyOptions) {
    this.#options = options
  }

  get isStarted(): boolean {
    return this.#isStarted
  }

  /** The client was told to send it, or needed not be. */
  get isContinued(): boolean {
    return this.#isStarted || this.#options.ahead?.isTouched === true
  }

  /** Whether another upstream can be sent all of it. */
  get isReplayable(): boolean {
    return !this.#isStarted || this.#copy !== undefined
  }

  sendTo(sink: ClientRequest): void {
    this.#sink = sink
    sink.on("drain", () => this.#onDrain(sink))
    if (this.#isStarted) this.#replay(sink)
    else this.#start()
  }

  /** No upstream for the moment: what the client sends meanwhile waits. */
  hold(): void {
    this.#sink = undefined
    this.#options.waiting.disarm()
    if (this.#isStarted) this.#options.exchange.request.pause()
  }

  /** Nobody will need it again. */
  forget(): void {
    this.#copy = undefined
  }

  #start(): void {
    const { ahead, exchange, keepsCopy, waiting, waitTimeoutMs } = this.#options
    const { request } = exchange
    this.#isStarted = true
    if (keepsCopy) this.#copy = new Copy()
    const isTaken = this.#passAhead()
    if (ahead?.hasEnded === true) {
      this.#hasEnded = true
      this.#finish()
      return
    }
    if (isTaken) waiting.arm(waitTimeoutMs)
    request.on("data", (chunk: Buffer) => this.#onData(chunk))
    request.on("end", () => {
      if (isCutOff(request)) return
      this.#hasEnded = true
      waiting.disarm()
      this.#finish()
    })
    // A body that somebody began to read was stopped there.
    if (ahead !== undefined && isTaken) request.resume()
  }

  /** False when the upstream wants no more for the moment. */
  #passAhead(): boolean {
    let isTaken = true
    for (const chunk of this.#options.ahead?.chunks ?? []) isTaken = this.#pass(chunk)
    return isTaken
  }

  #replay(sink: ClientRequest): void {
    const bytes = this.#copy?.bytes()
    const isTaken = bytes === undefined || bytes.length === 0 || sink.write(bytes)
    if (this.#hasEnded) this.#finish()
    else if (isTaken) this.#read()
    else this.#options.sending.arm(this.#options.writeTimeoutMs)
  }

  #onData(chunk: Buffer): void {
    const { exchange, waiting } = this.#options
    exchange.requestBodyBytes += chunk.length
    waiting.touch()
    this.#pass(chunk)
  }

  #pass(chunk: Uint8Array): boolean {
    const sink = this.#sink
    const { exchange, sending, waiting, writeTimeoutMs } = this.#options
    if (this.#copy?.add(chunk) === false) this.#copy = undefined
    // What still arrives when nobody wants it is read and dropped, so that the connection stays usable.
    if (sink === undefined || sink.destroyed || sink.write(chunk)) return true
    exchange.request.pause()
    waiting.disarm()
    sending.arm(writeTimeoutMs)
    return false
  }

  #onDrain(sink: ClientRequest): void {
    if (sink !== this.#sink) return
    if (this.#hasEnded) return
    this.#options.sending.disarm()
    this.#read()
  }

  #read(): void {
    const { exchange, waiting, waitTimeoutMs } = this.#options
    waiting.arm(waitTimeoutMs)
    exchange.request.resume()
  }

  #finish(): void {
    const { exchange, trailerNames, sending, writeTimeoutMs } = this.#options
    const sink = this.#sink
    if (sink === undefined || sink.destroyed) return
    sending.arm(writeTimeoutMs)
    if (trailerNames.length > 0) {
      sink.addTrailers(
        pairsOf(exchange.request.rawTrailers).filter(([name]) => trailerNames.includes(name.toLowerCase()))
      )
    }
    sink.end()
  }
}
