/**
 * Randomness from a seed. Each part of a world draws from a stream of its own, named after it, so that what one part
 * draws changes nothing for the others, and a longer run begins as a shorter one did.
 */
import { Effect, Layer, type Random } from "effect"
import { secretText } from "../model/SecretText.ts"
import { Ids } from "../services/control/Ids.ts"
import { SecureRandom } from "../services/SecureRandom.ts"

export type Seed = number | string

export interface SeededRandom extends Random.Random {
  /** In [0, 1). */
  next(): number
  /** Real-valued, in [min, max). */
  between(min: number, max: number): number
  /** Whole, in [min, max]. */
  int(min: number, max: number): number
  chance(probability: number): boolean
  /** Of an exponential distribution: the gaps between independent events. */
  exponential(mean: number): number
  /** Throws on an empty list. */
  pick<A>(items: ReadonlyArray<A>): A
  bytes(count: number): Uint8Array
  /** A version 4 UUID in form; anybody who knows the seed can guess it. */
  uuid(): string
  /** An independent stream; the same name gives the same stream, however much was drawn from this one. */
  stream(name: string): SeededRandom
}

/** Four words from a text of any length (MurmurHash3's finisher): near seeds must not give near streams. */
const wordsOf = (text: string): readonly [number, number, number, number] => {
  let hash = 1779033703 ^ text.length
  for (let at = 0; at < text.length; at++) {
    hash = Math.imul(hash ^ text.charCodeAt(at), 3432918353)
    hash = (hash << 13) | (hash >>> 19)
  }
  const word = (): number => {
    hash = Math.imul(hash ^ (hash >>> 16), 2246822507)
    hash = Math.imul(hash ^ (hash >>> 13), 3266489909)
    hash ^= hash >>> 16
    return hash >>> 0
  }
  return [word(), word(), word(), word()]
}

const twoTo32 = 4294967296

/** sfc32: small, fast, and good enough for everything but secrets. */
const makeWords = (seed: string): (() => number) => {
  let [a, b, c, d] = wordsOf(seed)
  const word = (): number => {
    const t = (((a + b) | 0) + d) | 0
    d = (d + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (c << 21) | (c >>> 11)
    c = (c + t) | 0
    return t >>> 0
  }
  for (let at = 0; at < 12; at++) word()
  return word
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex")

const uuidOf = (bytes: Uint8Array): string => {
  const text = hex(bytes)
  const variant = "89ab"[(bytes[8] ?? 0) & 3]
  return `${text.slice(0, 8)}-${text.slice(8, 12)}-4${text.slice(13, 16)}-${variant}${text.slice(17, 20)}-${text.slice(20, 32)}`
}

/** A class, for worlds have tens of thousands of streams. */
class Stream implements SeededRandom {
  readonly #name: string
  readonly #word: () => number

  constructor(name: string) {
    this.#name = name
    this.#word = makeWords(name)
  }

  next(): number {
    return (this.#word() * 2097152 + (this.#word() >>> 11)) / 9007199254740992
  }
  nextDoubleUnsafe(): number {
    return this.next()
  }
  nextIntUnsafe(): number {
    return Math.floor((this.next() * 2 - 1) * Number.MAX_SAFE_INTEGER)
  }
  between(min: number, max: number): number {
    return min + this.next() * (max - min)
  }
  int(min: number, max: number): number {
    return min + Math.floor((this.#word() / twoTo32) * (max - min + 1))
  }
  chance(probability: number): boolean {
    return this.next() < probability
  }
  exponential(mean: number): number {
    return -Math.log(1 - this.next()) * mean
  }
  pick<A>(items: ReadonlyArray<A>): A {
    const item = items[this.int(0, items.length - 1)]
    if (item === undefined) throw new RangeError("nothing to pick from")
    return item
  }
  bytes(count: number): Uint8Array {
    return Uint8Array.from({ length: count }, () => this.#word() >>> 24)
  }
  uuid(): string {
    return uuidOf(this.bytes(16))
  }
  stream(of: string): SeededRandom {
    return new Stream(`${this.#name}/${of}`)
  }
}

export const makeRandom = (seed: Seed): SeededRandom => new Stream(String(seed))

/** For tests alone: whoever knows the seed knows every byte. */
export const layerSecureRandom = (random: SeededRandom): Layer.Layer<SecureRandom> =>
  Layer.succeed(SecureRandom, { bytes: (count) => Effect.sync(() => random.bytes(count)) })

export const layerIds = (random: SeededRandom): Layer.Layer<Ids> =>
  Layer.succeed(Ids, {
    uuid: Effect.sync(() => random.uuid()),
    secret: Effect.sync(() => secretText((count) => random.bytes(count)))
  })
