/** A request as plugins see it, and what they make of it. There is one for each request that has plugins. */
import type { CompiledRoute } from "../../../model/CompiledConfig.ts"
import type { Authenticated, PluginConnection, PluginNode, PluginRequest } from "../../../model/plugin/Plugin.ts"
import type { Exchange } from "../exchange.ts"
import type { RequestHead } from "../requestHead.ts"
import { BodyAhead } from "./BodyAhead.ts"
import { sendable } from "./fields.ts"
import { HeaderChanges } from "./HeaderChanges.ts"

const none: ReadonlyArray<string> = []

export class RequestView implements PluginRequest {
  readonly #exchange: Exchange
  readonly #head: RequestHead
  readonly #compiled: CompiledRoute
  readonly #onSilence: () => void
  readonly #states: Array<unknown> = []
  #changes: HeaderChanges | undefined
  #ahead: BodyAhead | undefined
  #isBodyClosed = false
  #connection: PluginConnection | undefined
  #authenticated: Authenticated | undefined
  #query: string
  /** Whose turn it is. */
  turn = 0

  constructor(exchange: Exchange, head: RequestHead, compiled: CompiledRoute, onSilence: () => void) {
    this.#exchange = exchange
    this.#head = head
    this.#compiled = compiled
    this.#onSilence = onSilence
    this.#query = head.target.query
  }

  // --- for the request path ---

  get changes(): HeaderChanges | undefined {
    return this.#changes
  }

  /** `undefined` when no plugin asked for the body. */
  get ahead(): BodyAhead | undefined {
    return this.#ahead
  }

  /** From now on the body goes its own way, or its client is gone: no plugin begins to read it. */
  closeBody(): void {
    this.#isBodyClosed = true
    this.#ahead?.close()
  }

  // --- for plugins ---

  get node(): PluginNode {
    return this.#exchange.node.pluginNode
  }

  get id(): string {
    return this.#exchange.id
  }

  get method(): string {
    return this.#head.facts.method
  }

  get path(): string {
    return this.#head.facts.path
  }

  get query(): string {
    return this.#query
  }

  get host(): string {
    return this.#head.facts.host
  }

  get port(): number {
    return this.#head.facts.port
  }

  get clientAddress(): string {
    return this.#exchange.clientAddress
  }

  get isTls(): boolean {
    return this.#exchange.listener.isTls
  }

  get connection(): PluginConnection {
    this.#connection ??= this.#exchange.node.connections.of(this.#exchange.request.socket)
    return this.#connection
  }

  get route(): CompiledRoute["route"] {
    return this.#compiled.route
  }

  get service(): CompiledRoute["service"] {
    return this.#compiled.service
  }

  get authenticated(): Authenticated | undefined {
    return this.#authenticated
  }

  get state(): unknown {
    return this.#states[this.turn]
  }

  set state(value: unknown) {
    this.#states[this.turn] = value
  }

  header(name: string): string | undefined {
    const values = this.headerValues(name)
    if (values.length < 2) return values[0]
    return values.join(name === "cookie" ? "; " : ", ")
  }

  headerValues(name: string): ReadonlyArray<string> {
    const change = this.#changes?.find(name)
    if (change !== undefined) return change.value === undefined ? none : [change.value]
    if (name === "host") return this.#head.rawHost === "" ? none : [this.#head.rawHost]
    const { rawHeaders } = this.#exchange.request
    let values: Array<string> | undefined
    for (let at = 0; at < rawHeaders.length; at += 2) {
      const sent = rawHeaders[at] ?? ""
      if (sent.length !== name.length || sent.toLowerCase() !== name) continue
      values ??= []
      values.push(rawHeaders[at + 1] ?? "")
    }
    return values ?? none
  }

  headers(): ReadonlyMap<string, ReadonlyArray<string>> {
    const { rawHeaders } = this.#exchange.request
    const names = new Set<string>(["host"])
    for (let at = 0; at < rawHeaders.length; at += 2) {
      const name = rawHeaders[at] ?? ""
      if (!name.startsWith(":")) names.add(name.toLowerCase())
    }
    for (const { lowerName } of this.#changes?.list ?? []) names.add(lowerName)
    const found = [...names].map((name) => [name, this.headerValues(name)] as const)
    return new Map(found.filter(([, values]) => values.length > 0))
  }

  setHeader(name: string, value: string | undefined): void {
    const lowerName = this.#exchange.node.headerNames.lower(name)
    this.#changes ??= new HeaderChanges()
    this.#changes.set({ lowerName, name, value: value === undefined ? undefined : sendable(value) })
  }

  setQuery(query: string): void {
    if (!/^(?:\?[\x21-\x7e\x80-\xff]*)?$/.test(query)) throw new TypeError("expected a query with its '?', or none")
    this.#query = query
  }

  body(maxBytes: number): Promise<Uint8Array | undefined> {
    if (this.#isBodyClosed && this.#ahead === undefined) return Promise.resolve(undefined)
    this.#ahead ??= new BodyAhead(this.#exchange, this.#onSilence)
    return this.#ahead.read(maxBytes)
  }

  setBody(body: Uint8Array): void {
    if (this.#ahead === undefined) throw new Error("a body can be replaced only after all of it was read")
    this.#ahead.replace(body)
  }

  authenticate(who: Authenticated): void {
    this.#authenticated = who
    this.#exchange.consumer = who.consumer
  }
}
