/**
 * One request on its way: tries until an upstream answers, then bytes in both directions until one side is done. The
 * life of a transfer:
 *
 *   connecting ─ connected ─ answering ─ ended
 *       │            │           └ broken off: the client's connection goes too
 *       └────────────┴ failed: tried again, or answered in the gateway's own name
 *
 * Each side reads no faster than the other takes. Whatever ends the client's connection ends the upstream's request.
 */
import type { ClientRequest, IncomingMessage, InformationEvent } from "node:http"
import type { Duplex } from "node:stream"
import type { Address } from "../../model/CompiledConfig.ts"
import { type GatewayError, noPeer, requestTimeout, unexpected } from "../../model/GatewayError.ts"
import { ResolveFailure } from "../../services/Resolver.ts"
import { answerError, type Latencies, switchingHead, writeAnswerHead } from "./answerHead.ts"
import { breakOff } from "./breakOff.ts"
import { writeHints } from "./earlyHints.ts"
import type { Exchange } from "./exchange.ts"
import { pairsOf } from "./hopByHop.ts"
import { http2Fields } from "./http2Fields.ts"
import { RequestBody } from "./requestBody.ts"
import { limitSending, unlimitSending } from "./slowClients.ts"
import { tunnel } from "./tunnel.ts"
import { errorFor, isResolveFailure, UpstreamSilence } from "./upstreamFailure.ts"
import { addressFor, type UpstreamPlan } from "./upstreamPlan.ts"
import type { UpstreamRequest } from "./upstreamPools.ts"
import { Watchdog } from "./watchdog.ts"

/** Methods that may do harm when they are sent twice (`proxy-behaviour.md` §4). */
const notIdempotent: ReadonlySet<string> = new Set(["POST", "LOCK", "PATCH"])

export class Transfer {
  readonly #exchange: Exchange
  readonly #plan: UpstreamPlan
  readonly #sending: Watchdog
  readonly #receiving: Watchdog
  /** Of the client. */
  readonly #waiting: Watchdog
  /** The try that counts; events of earlier ones are void. */
  #upstream: ClientRequest | undefined
  #answer: IncomingMessage | undefined
  readonly #isIdempotent: boolean
  /** `undefined` for a request without one. */
  readonly #body: RequestBody | undefined
  #triesLeft: number
  /** Those of an upstream's targets that this request has found wanting. */
  #failed: Array<Address> | undefined
  #isConnected = false
  #isSwitched = false
  #isEnded = false
  #dispatchedAtMs = 0

  constructor(exchange: Exchange, plan: UpstreamPlan) {
    this.#exchange = exchange
    this.#plan = plan
    this.#triesLeft = plan.service.retries
    const onSilence = () => this.#upstream?.destroy(new UpstreamSilence())
    this.#sending = new Watchdog(onSilence)
    this.#receiving = new Watchdog(onSilence)
    this.#waiting = new Watchdog(() => this.#onClientSilence())
    this.#isIdempotent = !notIdempotent.has(plan.method)
    this.#body = plan.framing._tag === "None" ? undefined : this.#makeBody()
  }

  start(): void {
    this.#exchange.response.once("close", () => this.#end())
    this.#try(false)
  }

  #makeBody(): RequestBody {
    const { compiled, trailerNames, service } = this.#plan
    return new RequestBody({
      exchange: this.#exchange,
      ahead: this.#exchange.plugins?.request.ahead,
      keepsCopy: this.#isIdempotent && compiled.route.request_buffering,
      trailerNames,
      sending: this.#sending,
      waiting: this.#waiting,
      waitTimeoutMs: this.#exchange.node.clientBodyTimeoutMs,
      writeTimeoutMs: service.write_timeout
    })
  }

  // --- tries ---

  #try(isFresh: boolean): void {
    const address = addressFor(this.#plan, this.#failed)
    if (address === undefined) {
      this.#refuse(noPeer, undefined)
      return
    }
    this.#isConnected = false
    this.#upstream = undefined
    this.#exchange.node.resolve(address, (found) => {
      if (this.#isEnded) return
      if (!(found instanceof ResolveFailure)) this.#dispatch(address, found, isFresh)
      // Known failures are told at once, and tries that fail at once must not pile up on the stack.
      else queueMicrotask(() => this.#onFailure(undefined, found, address))
    })
  }

  /** `address` is what the configuration names, `resolved` where it leads. */
  #dispatch(address: Address, resolved: Address, isFresh: boolean): void {
    const { compiled, headers, hostFor, isTls, method, service, target } = this.#plan
    this.#dispatchedAtMs = this.#exchange.node.nowMs()
    const host = hostFor({ host: address.host, port: resolved.port })
    const upstream = this.#open({
      address: resolved,
      compiled,
      isTls,
      method,
      target,
      host,
      headers,
      isFresh
    })
    if (upstream === undefined) return
    this.#upstream = upstream
    upstream.on("error", (error) => this.#onFailure(upstream, error, address))
    upstream.on("socket", (socket) => {
      if (upstream.reusedSocket) this.#onConnected(upstream)
      else socket.once(isTls ? "secureConnect" : "connect", () => this.#onConnected(upstream))
    })
    upstream.on("information", (hint) => this.#onInformation(upstream, hint))
    upstream.on("response", (answer) => this.#onAnswer(upstream, answer))
    // Heard for every request: without a listener Node ends one that is answered with 101 and tells nobody.
    upstream.on("upgrade", (answer, socket, head) => this.#onSwitch(upstream, answer, socket, head))
    upstream.on("close", () => {
      if (this.#answer === undefined && !this.#isSwitched) this.#onFailure(upstream, new Error("closed"), address)
    })
    this.#receiving.arm(service.connect_timeout)
    if (this.#body === undefined) upstream.end()
  }

  /** Node refuses some requests on the spot: a client certificate that is none, for example. */
  #open(wanted: UpstreamRequest): ClientRequest | undefined {
    try {
      return this.#exchange.node.pools.request(wanted)
    } catch (cause) {
      this.#exchange.node.reportDefect(cause, this.#exchange.id)
      this.#refuse(unexpected, undefined)
      return undefined
    }
  }

  #onConnected(upstream: ClientRequest): void {
    if (upstream !== this.#upstream || this.#isEnded) return
    this.#isConnected = true
    if (this.#body === undefined) this.#receiving.arm(this.#plan.service.read_timeout)
    else this.#sendBody(upstream, this.#body)
  }

  #sendBody(upstream: ClientRequest, body: RequestBody): void {
    this.#receiving.disarm()
    upstream.on("finish", () => {
      if (upstream !== this.#upstream) return
      this.#sending.disarm()
      if (this.#answer === undefined && !this.#isEnded) this.#receiving.arm(this.#plan.service.read_timeout)
    })
    if (this.#exchange.expectsContinue && !body.isContinued) this.#exchange.response.writeContinue()
    body.sendTo(upstream)
  }

  #onFailure(upstream: ClientRequest | undefined, error: Error, address: Address): void {
    if (upstream !== this.#upstream || this.#isEnded) return
    this.#disarm()
    this.#body?.hold()
    if (this.#answer !== undefined) this.#breakOff()
    else if (!this.#mayTryAgain(error)) this.#fail(error, address.host)
    // An idle connection that the upstream closed in the same moment says nothing about the upstream: such a try is
    // free, and the next one takes no connection that may have died the same way.
    else if (this.#isConnected && upstream?.reusedSocket === true && !(error instanceof UpstreamSilence))
      this.#try(true)
    else if (this.#triesLeft > 0) {
      this.#triesLeft--
      this.#failed ??= []
      this.#failed.push(address)
      this.#try(false)
    } else this.#fail(error, address.host)
  }

  #fail(error: Error, host: string): void {
    this.#refuse(errorFor(error, host), isResolveFailure(error) ? undefined : this.#latencies())
  }

  /** Before the connection stands nothing was sent, so that anything may go again. After, only what does no harm twice. */
  #mayTryAgain(error: Error): boolean {
    if (this.#body?.isReplayable === false) return false
    if (isResolveFailure(error)) return this.#plan.compiled.balancer !== undefined
    return !this.#isConnected || this.#isIdempotent
  }

  #refuse(error: GatewayError, latencies: Latencies | undefined): void {
    this.#upstream = undefined
    this.#body?.hold()
    this.#exchange.request.resume()
    answerError(this.#exchange, error, { latencies, isContinued: this.#body?.isContinued === true })
  }

  // --- the answer ---

  #onInformation(upstream: ClientRequest, { statusCode, rawHeaders }: InformationEvent): void {
    if (statusCode === 103 && upstream === this.#upstream && !this.#isEnded) writeHints(this.#exchange, rawHeaders)
  }

  #onAnswer(upstream: ClientRequest, answer: IncomingMessage): void {
    if (upstream !== this.#upstream || this.#isEnded) {
      answer.destroy()
      return
    }
    const refused = writeAnswerHead(this.#exchange, answer, {
      takesTrailers: this.#plan.takesTrailers,
      latencies: this.#latencies(),
      isContinued: this.#body?.isContinued === true
    })
    if (refused !== undefined) {
      this.#disarm()
      this.#refuse(refused, this.#latencies())
      upstream.destroy()
      return
    }
    this.#answer = answer
    this.#body?.forget()
    this.#receiving.arm(this.#plan.service.read_timeout)
    this.#pumpAnswer(answer)
  }

  #pumpAnswer(answer: IncomingMessage): void {
    const { response } = this.#exchange
    let hasWritten = false
    answer.on("data", (chunk: Buffer) => {
      hasWritten = true
      this.#exchange.responseBodyBytes += chunk.length
      if (response.write(chunk)) this.#receiving.touch()
      else {
        // The client is slow, not the upstream.
        answer.pause()
        this.#receiving.disarm()
        limitSending(this.#exchange)
      }
    })
    response.on("drain", () => {
      unlimitSending(this.#exchange)
      if (!this.#isEnded && !answer.complete) this.#receiving.arm(this.#plan.service.read_timeout)
      answer.resume()
    })
    answer.on("end", () => this.#onAnswerEnd(answer))
    answer.on("error", () => this.#breakOff())
    answer.on("close", () => {
      if (!answer.complete) this.#breakOff()
    })
    // A head that waits for its body would keep an event stream's client waiting for its first event.
    setImmediate(() => {
      if (!hasWritten && !this.#isEnded && !response.writableEnded) response.flushHeaders()
    })
  }

  #onAnswerEnd(answer: IncomingMessage): void {
    if (this.#isEnded) return
    const { response } = this.#exchange
    if (this.#plan.takesTrailers && answer.rawTrailers.length > 0) {
      // HTTP/2 takes no list of pairs.
      const isList = this.#exchange.request.httpVersionMajor < 2
      // Node's types know no repeated trailers; its HTTP/2 does.
      const fields = http2Fields(answer.rawTrailers) as Record<string, string>
      response.addTrailers(isList ? pairsOf(answer.rawTrailers) : fields)
    }
    this.#receiving.disarm()
    response.end()
    limitSending(this.#exchange)
  }

  #onSwitch(upstream: ClientRequest, answer: IncomingMessage, socket: Duplex, head: Buffer): void {
    const { upgrade } = this.#exchange
    if (upstream !== this.#upstream || this.#isEnded || upgrade === undefined) {
      // The request's own `close` tells of it.
      socket.destroy()
      return
    }
    this.#disarm()
    const switching = switchingHead(this.#exchange, answer, this.#latencies())
    if (switching === undefined) {
      this.#refuse(unexpected, this.#latencies())
      socket.destroy()
      return
    }
    this.#isSwitched = true
    upgrade.socket.write(switching)
    tunnel({ stream: upgrade.socket, head: upgrade.head }, { stream: socket, head }, this.#plan.service.read_timeout)
  }

  // --- ends ---

  #onClientSilence(): void {
    if (this.#isEnded) return
    if (this.#answer !== undefined) {
      // The limits of the upstream count until it has said all; a client may be silent as long as it is told something.
      if (this.#exchange.response.writableEnded) this.#breakOff()
      else this.#waiting.arm(this.#exchange.node.clientBodyTimeoutMs)
      return
    }
    const upstream = this.#upstream
    this.#upstream = undefined
    this.#disarm()
    answerError(this.#exchange, requestTimeout, { latencies: undefined, isContinued: true, isLast: true })
    upstream?.destroy()
  }

  #breakOff(): void {
    if (this.#isEnded) return
    this.#disarm()
    breakOff(this.#exchange)
  }

  /** The client's connection or stream is done with this exchange, one way or the other. */
  #end(): void {
    this.#isEnded = true
    this.#disarm()
    const upstream = this.#upstream
    const isWhole = this.#answer?.complete === true && upstream?.writableFinished === true
    if (!isWhole && !this.#isSwitched) upstream?.destroy()
    this.#exchange.request.resume()
  }

  #disarm(): void {
    this.#sending.disarm()
    this.#receiving.disarm()
    this.#waiting.disarm()
  }

  #latencies(): Latencies {
    const { node, startedAtMs } = this.#exchange
    return {
      proxyMs: this.#dispatchedAtMs - startedAtMs,
      upstreamMs: node.nowMs() - this.#dispatchedAtMs
    }
  }
}
