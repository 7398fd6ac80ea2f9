/**
 * The plugins of one request, phase by phase (`docs/proxy-behaviour.md`, "Plugins"). Access goes through the chain and
 * collects the rows that apply; the later phases go through what was collected. Whatever goes wrong in a plugin stops the
 * request: nothing goes upstream that a plugin did not let pass.
 */
import type { CompiledRoute } from "../../../model/CompiledConfig.ts"
import { requestTimeout, unexpected } from "../../../model/GatewayError.ts"
import { applying, type BoundPlugin, type PluginChain } from "../../../model/plugin/chains.ts"
import type { PluginAnswer, PluginOutcome } from "../../../model/plugin/Plugin.ts"
import type { AnswerSource } from "../../../services/RequestObservers.ts"
import { answerError } from "../answerHead.ts"
import type { Exchange } from "../exchange.ts"
import type { RequestHead } from "../requestHead.ts"
import { answerPlugin, checkedAnswer } from "./answerPlugin.ts"
import { RequestView } from "./RequestView.ts"
import { ResponseView } from "./ResponseView.ts"

const isPromise = (value: unknown): value is PromiseLike<unknown> =>
  typeof value === "object" && value !== null && "then" in value && typeof value.then === "function"

export class PluginRun {
  readonly request: RequestView
  readonly #exchange: Exchange
  readonly #chain: PluginChain
  readonly #proceed: () => void
  readonly #collected: Array<BoundPlugin> = []
  #answer: PluginAnswer | undefined
  #hasFailed = false
  #isFilterBroken = false
  #hasReported = false
  /** The client left, or has its answer. */
  #isOver = false
  #isFollowed = false

  /** `proceed`: every plugin let the request pass. */
  constructor(exchange: Exchange, head: RequestHead, compiled: CompiledRoute, chain: PluginChain, proceed: () => void) {
    this.#exchange = exchange
    this.#chain = chain
    this.#proceed = proceed
    this.request = new RequestView(exchange, head, compiled, () => this.#onSilence())
  }

  /** Ends in `proceed`, in an answer, or with the client's connection. */
  access(): void {
    this.#accessFrom(0)
  }

  /** False when a plugin failed: the answer must not go out as it is. After that no head is shown to anybody. */
  filterHead(status: number, source: AnswerSource, fields: Array<string>): boolean {
    if (!this.#chain.hasHeaderFilter || this.#isFilterBroken) return true
    try {
      const response = new ResponseView(status, source, fields)
      this.#collected.forEach(({ handler }, at) => {
        this.request.turn = at
        const given: unknown = handler.headerFilter?.(this.request, response)
        if (!isPromise(given)) return
        // Nobody waits for it, but what it rejects with must be heard.
        this.#hear(given)
        throw new TypeError("expected nothing from a header filter, got a promise: it can't wait")
      })
      return true
    } catch (cause) {
      this.#isFilterBroken = true
      this.#report(cause)
      return false
    }
  }

  log(): void {
    if (!this.#chain.hasLog) return
    const outcome = this.#outcome()
    this.#collected.forEach(({ handler }, at) => {
      this.request.turn = at
      try {
        const given: unknown = handler.log?.(this.request, outcome)
        if (isPromise(given)) this.#hear(given)
      } catch (cause) {
        this.#report(cause)
      }
    })
  }

  #accessFrom(first: number): void {
    const { slots } = this.#chain
    for (let at = first; at < slots.length; at++) {
      const given = this.#step(slots[at])
      if (!isPromise(given)) continue
      this.#follow()
      Promise.resolve(given).then(
        (answer) => this.#resume(at + 1, () => this.#take(answer)),
        (cause) => this.#resume(at + 1, () => this.#fail(cause))
      )
      return
    }
    this.#conclude()
  }

  /** Those that come after an answer are collected as well, for the phases that still come. */
  #step(slot: PluginChain["slots"][number] | undefined): PromiseLike<unknown> | undefined {
    const bound = slot === undefined ? undefined : applying(slot, this.request.authenticated?.consumer?.id)
    if (bound === undefined) return undefined
    this.request.turn = this.#collected.push(bound) - 1
    if (bound.handler.access === undefined || this.#answer !== undefined || this.#hasFailed) return undefined
    try {
      const given: unknown = bound.handler.access(this.request)
      if (isPromise(given)) return given
      this.#take(given)
    } catch (cause) {
      this.#fail(cause)
    }
    return undefined
  }

  #take(given: unknown): void {
    if (given !== undefined) this.#answer = checkedAnswer(given)
  }

  #resume(next: number, take: () => void): void {
    if (this.#isOver) return
    try {
      take()
    } catch (cause) {
      this.#fail(cause)
    }
    this.#accessFrom(next)
  }

  /** Only a request that waits needs to hear of its client. */
  #follow(): void {
    if (this.#isFollowed) return
    this.#isFollowed = true
    this.#exchange.response.once("close", () => {
      this.#isOver = true
      this.request.closeBody()
    })
  }

  #conclude(): void {
    const { ahead } = this.request
    this.request.closeBody()
    if (this.#answer === undefined && !this.#hasFailed) {
      this.#proceed()
      return
    }
    this.#isOver = true
    const isContinued = ahead?.isTouched === true
    if (this.#answer === undefined || this.#hasFailed)
      answerError(this.#exchange, unexpected, { latencies: undefined, isContinued })
    else answerPlugin(this.#exchange, this.#answer, isContinued)
    // What is left of a body that was begun is read and dropped, so that the connection stays usable.
    if (isContinued) this.#exchange.request.resume()
  }

  #onSilence(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.request.closeBody()
    answerError(this.#exchange, requestTimeout, { latencies: undefined, isContinued: true, isLast: true })
  }

  /** A rejection that nobody hears ends the process. */
  #hear(promise: PromiseLike<unknown>): void {
    Promise.resolve(promise).catch((cause: unknown) => this.#report(cause))
  }

  #fail(cause: unknown): void {
    this.#hasFailed = true
    this.#report(cause)
  }

  #report(cause: unknown): void {
    if (this.#hasReported) return
    this.#hasReported = true
    this.#exchange.node.reportDefect(cause, this.#exchange.id)
  }

  #outcome(): PluginOutcome {
    const { status, source, startedAtMs, endedAtMs, proxyMs, upstreamMs, requestBodyBytes, responseBodyBytes } =
      this.#exchange
    const requestMs = endedAtMs - startedAtMs
    return { status, source, requestMs, proxyMs, upstreamMs, requestBodyBytes, responseBodyBytes }
  }
}
