/**
 * Randomness from a seed. Each part of a world draws from a stream of its own, named after it, so that what one part
 * draws changes nothing for the others, and a longer run begins as a shorter one did.
 */
import { Effect, Layer, Random } from "effect"
import { Ids } from "../services/control/Ids.ts"
import { SecureRandom } from "../services/SecureRandom.ts"

export type Seed = number | string

export interface SeededRandom extends Random.Random {
  /** In [0, 1). */
  readonly next: () => number
  /** Real-valued, in [min, max). */
  readonly between: (min: number, max: number) => number
  /** Whole, in [min, max]. */
  readonly int: (min: number, max: number) => number
  readonly chance: (probability: number) => boolean
  /** Of an exponential distribution: the gaps between independent events. */
  readonly exponential: (mean: number) => number
  /** Throws on an empty list. */
  readonly pick: <A>(items: ReadonlyArray<A>) => A
  readonly bytes: (count: number) => Uint8Array
  /** A version 4 UUID in form; anybody who knows the seed can guess it. */
  readonly uuid: () => string
  /** An independent stream; the same name gives the same stream, however much was drawn from this one. */
  readonly stream: (name: string) => SeededRandom
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

export const makeRandom = (seed: Seed): SeededRandom => {
  const name = String(seed)
  const word = makeWords(name)
  const next = (): number => (word() * 2097152 + (word() >>> 11)) / 9007199254740992
  const int = (min: number, max: number): number => min + Math.floor((word() / twoTo32) * (max - min + 1))
  const bytes = (count: number): Uint8Array => Uint8Array.from({ length: count }, () => word() >>> 24)
  return {
    next,
    nextDoubleUnsafe: next,
    nextIntUnsafe: () => Math.floor((next() * 2 - 1) * Number.MAX_SAFE_INTEGER),
    between: (min, max) => min + next() * (max - min),
    int,
    chance: (probability) => next() < probability,
    exponential: (mean) => -Math.log(1 - next()) * mean,
    pick: (items) => {
      const item = items[int(0, items.length - 1)]
      if (item === undefined) throw new RangeError("nothing to pick from")
      return item
    },
    bytes,
    uuid: () => uuidOf(bytes(16)),
    stream: (of) => makeRandom(`${name}/${of}`)
  }
}

/** What only has to be even: delays, jitter. */
export const layerRandom = (random: SeededRandom): Layer.Layer<never> => Layer.succeed(Random.Random, random)

/** For tests alone: whoever knows the seed knows every byte. */
export const layerSecureRandom = (random: SeededRandom): Layer.Layer<SecureRandom> =>
  Layer.succeed(SecureRandom, { bytes: (count) => Effect.sync(() => random.bytes(count)) })

export const layerIds = (random: SeededRandom): Layer.Layer<Ids> =>
  Layer.succeed(Ids, { uuid: Effect.sync(random.uuid) })
