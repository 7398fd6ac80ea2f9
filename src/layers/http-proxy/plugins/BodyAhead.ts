/**
 * What was read of a request's body before it went anywhere, because a plugin asked to see it. No more is read than the
 * plugin wants; the rest stays with the client, and everything goes upstream in the end, unless a plugin replaces it.
 */
import { isCutOff } from "../cutOff.ts"
import type { Exchange } from "../exchange.ts"
import { framingOf } from "../upstreamHeaders.ts"
import { Watchdog } from "../watchdog.ts"

export class BodyAhead {
  readonly #exchange: Exchange
  readonly #waiting: Watchdog
  #chunks: Array<Uint8Array> = []
  #length = 0
  #hasEnded = false
  /** Set while bytes are being read. */
  #stop: (() => void) | undefined
  #reading: Promise<void> | undefined
  #isTouched = false
  #isReplaced = false
  #isClosed = false

  /** `onSilence`: the client stopped sending. */
  constructor(exchange: Exchange, onSilence: () => void) {
    this.#exchange = exchange
    this.#waiting = new Watchdog(onSilence)
    this.#hasEnded = exchange.upgrade !== undefined || framingOf(exchange.request)._tag === "None"
  }

  /** In order; what goes upstream first. */
  get chunks(): ReadonlyArray<Uint8Array> {
    return this.#chunks
  }

  /** Nothing comes behind the chunks. */
  get hasEnded(): boolean {
    return this.#hasEnded
  }

  /** Reading has begun: a client that waited for `100 Continue` was told so. */
  get isTouched(): boolean {
    return this.#isTouched
  }

  /** In bytes, when a plugin replaced the body. */
  get replacedLength(): number | undefined {
    return this.#isReplaced ? this.#length : undefined
  }

  read(maxBytes: number): Promise<Uint8Array | undefined> {
    if (this.#stop !== undefined && this.#reading !== undefined) return this.#reading.then(() => this.read(maxBytes))
    if (this.#hasEnded || this.#isClosed || this.#isTooLarge(maxBytes)) return Promise.resolve(this.#whole(maxBytes))
    this.#reading = new Promise((resolve) => this.#listen(maxBytes, resolve))
    return this.#reading.then(() => this.#whole(maxBytes))
  }

  replace(body: Uint8Array): void {
    if (!this.#hasEnded || this.#isClosed) throw new Error("a body can be replaced only after all of it was read")
    this.#chunks = body.length === 0 ? [] : [body]
    this.#length = body.length
    this.#isReplaced = true
  }

  /** The request goes on, or its client is gone: nothing more is read here. Whoever still waits gets no whole. */
  close(): void {
    this.#isClosed = true
    this.#stop?.()
  }

  #whole(maxBytes: number): Uint8Array | undefined {
    if (!this.#hasEnded || this.#length > maxBytes) return undefined
    return this.#chunks.length === 1 ? this.#chunks[0] : Buffer.concat(this.#chunks)
  }

  /** Known before anything is read, where the client says so. */
  #isTooLarge(maxBytes: number): boolean {
    const framing = framingOf(this.#exchange.request)
    return this.#length > maxBytes || (framing._tag === "Length" && Number(framing.length) > maxBytes)
  }

  #listen(maxBytes: number, done: () => void): void {
    const { request, response } = this.#exchange
    const onData = (chunk: Buffer) => {
      this.#chunks.push(chunk)
      this.#length += chunk.length
      this.#exchange.requestBodyBytes += chunk.length
      this.#waiting.touch()
      if (this.#length > maxBytes) stop()
    }
    const onEnd = () => {
      // The end of its answer follows at once, and ends the waiting.
      if (isCutOff(request)) return
      this.#hasEnded = true
      stop()
    }
    const stop = () => {
      this.#stop = undefined
      this.#waiting.disarm()
      request.pause()
      request.off("data", onData)
      request.off("end", onEnd)
      response.off("close", onClose)
      done()
    }
    const onClose = () => this.close()
    this.#stop = stop
    response.once("close", onClose)
    request.on("data", onData)
    request.on("end", onEnd)
    this.#begin()
  }

  #begin(): void {
    const { expectsContinue, node, request, response } = this.#exchange
    if (expectsContinue && !this.#isTouched) response.writeContinue()
    this.#isTouched = true
    this.#waiting.arm(node.clientBodyTimeoutMs)
    request.resume()
  }
}
