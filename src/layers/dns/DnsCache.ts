/**
 * What is known of host names: reference `proxy-behaviour.md` §9. The life of a name:
 *
 *   asked ──records──▶ fresh ──TTL──▶ stale: served while it is asked again ──dns_stale_ttl──▶ asked
 *     ├──no such name, no records──▶ absent for dns_not_found_ttl
 *     └──no answer──▶ failed for dns_error_ttl; what was known before is served meanwhile
 *
 * One question at a time for each name, whoever asks. Records of TTL 0 are asked for anew by each request.
 */
import { isIP } from "node:net"
import type { Address, Balancer } from "../../model/CompiledConfig.ts"
import { makeRoundRobin } from "../../model/RoundRobin.ts"
import { ResolveFailure, type ResolverStats } from "../../services/Resolver.ts"

export type RecordType = "SRV" | "A" | "AAAA"

export interface DnsRecord {
  /** An address, or the name that an SRV record leads to. */
  readonly host: string
  /** 0 where the record names none. */
  readonly port: number
  readonly weight: number
}

export type Answer =
  | { readonly _tag: "Records"; readonly records: ReadonlyArray<DnsRecord>; readonly ttlSeconds: number }
  | { readonly _tag: "NotFound" }
  | { readonly _tag: "Failed"; readonly code: string }

export interface DnsOptions {
  readonly nowMs: () => number
  /** Asks a server; answers exactly once, later. */
  readonly query: (name: string, type: RecordType, done: (answer: Answer) => void) => void
  /** Names that never change: the hosts file's. */
  readonly hosts: ReadonlyMap<string, ReadonlyArray<string>>
  /** The names to ask for in turn: search domains applied. */
  readonly candidates: (name: string) => ReadonlyArray<string>
  readonly order: ReadonlyArray<RecordType>
  /** True when the type that last had records is asked for first. */
  readonly lastFirst: boolean
  readonly staleMs: number
  readonly notFoundMs: number
  readonly errorMs: number
  readonly maxNames: number
}

/** No server answered; with any other failure one did, and may know the name's next variant. */
const isSilence = (code: string): boolean => code === "ETIMEOUT" || code === "ECONNREFUSED" || code === "ECANCELLED"

type Done = (found: Address | ResolveFailure) => void

interface Entry {
  readonly name: string
  readonly types: ReadonlyArray<RecordType>
  balancer: Balancer | undefined
  /** The records behind the balancer: the same ones again don't start its turn anew. */
  signature: string
  failure: ResolveFailure | undefined
  lastType: RecordType | undefined
  isEachTime: boolean
  freshUntilMs: number
  staleUntilMs: number
  isAsking: boolean
  readonly waiting: Array<() => void>
}

const balancerOf = (records: ReadonlyArray<DnsRecord>): Balancer =>
  makeRoundRobin(records.map(({ host, port, weight }) => ({ address: { host, port }, weight })))

export class DnsCache {
  readonly #options: DnsOptions
  readonly #entries = new Map<string, Entry>()
  readonly #counts = { hits: 0, stale: 0, misses: 0, queries: 0, failures: 0 }

  constructor(options: DnsOptions) {
    this.#options = options
  }

  stats(): ResolverStats {
    return { names: this.#entries.size, ...this.#counts }
  }

  resolve(address: Address, done: Done): void {
    this.#resolve(address, this.#options.order, done)
  }

  #resolve({ host, port }: Address, types: ReadonlyArray<RecordType>, done: Done): void {
    if (isIP(host) !== 0) {
      done({ host, port })
      return
    }
    const entry = this.#entry(host.toLowerCase(), types)
    const nowMs = this.#options.nowMs()
    const answer = () => this.#answer(entry, port, done)
    if (nowMs < entry.freshUntilMs) {
      this.#counts.hits++
      answer()
    } else if (entry.balancer !== undefined && !entry.isEachTime && nowMs < entry.staleUntilMs) {
      this.#counts.stale++
      this.#ask(entry)
      answer()
    } else {
      this.#counts.misses++
      entry.waiting.push(answer)
      this.#ask(entry)
    }
  }

  #entry(name: string, types: ReadonlyArray<RecordType>): Entry {
    // The names that SRV records lead to are asked for their addresses only, and kept apart for that.
    const key = `${types.join()} ${name}`
    const known = this.#entries.get(key)
    if (known !== undefined) return known
    const fixed = this.#options.hosts.get(name)?.map((host) => ({ host, port: 0, weight: 1 }))
    const isFixed = fixed !== undefined
    const entry: Entry = {
      name,
      types,
      balancer: isFixed ? balancerOf(fixed) : undefined,
      signature: "",
      failure: undefined,
      lastType: undefined,
      isEachTime: false,
      freshUntilMs: isFixed ? Number.POSITIVE_INFINITY : 0,
      staleUntilMs: 0,
      isAsking: false,
      waiting: []
    }
    this.#makeRoom()
    this.#entries.set(key, entry)
    return entry
  }

  #makeRoom(): void {
    if (this.#entries.size < this.#options.maxNames) return
    for (const [key, { isAsking }] of this.#entries) {
      if (isAsking) continue
      this.#entries.delete(key)
      return
    }
  }

  #answer({ name, balancer, failure }: Entry, port: number, done: Done): void {
    const found = failure === undefined ? balancer?.next() : undefined
    if (found === undefined) done(failure ?? new ResolveFailure(name, "ENOTFOUND"))
    else {
      const address = { host: found.host, port: found.port === 0 ? port : found.port }
      this.#resolve(address, this.#addressTypes(), done)
    }
  }

  #addressTypes(): ReadonlyArray<RecordType> {
    const types = this.#options.order.filter((type) => type !== "SRV")
    return types.length === 0 ? ["A"] : types
  }

  #ask(entry: Entry): void {
    if (entry.isAsking) return
    entry.isAsking = true
    const { lastType, types } = entry
    const isLastFirst = this.#options.lastFirst && lastType !== undefined
    const ordered = isLastFirst ? [lastType, ...types.filter((type) => type !== lastType)] : types
    const names = this.#options.candidates(entry.name)
    this.#askNext(
      entry,
      ordered.flatMap((type) => names.map((name) => ({ name, type }))),
      { _tag: "NotFound" }
    )
  }

  /** The first question that has records ends it; a failure counts for more than that something is not there. */
  #askNext(
    entry: Entry,
    [question, ...rest]: ReadonlyArray<{ readonly name: string; readonly type: RecordType }>,
    worst: Answer
  ): void {
    if (question === undefined) {
      this.#settle(entry, worst)
      return
    }
    this.#counts.queries++
    this.#options.query(question.name, question.type, (answer) => {
      if (answer._tag === "Records" && answer.records.length > 0) {
        entry.lastType = question.type
        this.#settle(entry, answer)
        return
      }
      if (answer._tag !== "Failed") {
        this.#askNext(entry, rest, worst)
        return
      }
      this.#counts.failures++
      // Servers that don't answer one question would keep the requests waiting over each of its variants.
      const others = isSilence(answer.code) ? rest.filter(({ type }) => type !== question.type) : rest
      this.#askNext(entry, others, answer)
    })
  }

  #settle(entry: Entry, answer: Answer): void {
    const nowMs = this.#options.nowMs()
    entry.isAsking = false
    if (answer._tag === "Records") this.#keep(entry, answer, nowMs)
    else if (answer._tag === "NotFound") {
      entry.balancer = undefined
      entry.signature = ""
      entry.failure = new ResolveFailure(entry.name, "ENOTFOUND")
      entry.freshUntilMs = nowMs + this.#options.notFoundMs
    } else {
      const isKnown = entry.balancer !== undefined && nowMs < entry.staleUntilMs
      if (!isKnown) entry.failure = new ResolveFailure(entry.name, answer.code)
      entry.freshUntilMs = nowMs + this.#options.errorMs
    }
    for (const answerTo of entry.waiting.splice(0)) answerTo()
  }

  #keep(entry: Entry, { records, ttlSeconds }: Extract<Answer, { _tag: "Records" }>, nowMs: number): void {
    const signature = records
      .map(({ host, port, weight }) => `${host} ${port} ${weight}`)
      .toSorted()
      .join()
    if (signature !== entry.signature || entry.balancer === undefined) entry.balancer = balancerOf(records)
    entry.signature = signature
    entry.failure = undefined
    entry.isEachTime = ttlSeconds === 0
    entry.freshUntilMs = nowMs + ttlSeconds * 1000
    entry.staleUntilMs = entry.freshUntilMs + this.#options.staleMs
  }
}
