/**
 * How one object comes to lie in a store that others write to as well, so that nothing older ever replaces something newer:
 *
 * - An object that says its age is read, judged, and written if what was read still lies there.
 * - An object that does not (Kong's plain table; what is encrypted) follows one that does. Its tag is read FIRST, then
 *   the dated one, which must be ours; then it is written if that tag still stands. Whoever has something newer dates
 *   it before they write this one. So if the dated one is ours after the tag was read, what had the tag is no newer than
 *   ours, and anything newer changes the tag. Two objects of different age never have one tag, for their bytes differ.
 *   Where others write the same object with its age (in plain, where this exporter encrypts), that age counts too.
 *
 * What was written is read back. Whoever is broken off anywhere has written whole objects, and the next one goes on.
 */
import { Effect, Random } from "effect"
import { prevails, type Standing } from "../../model/ConfigOrder.ts"
import { deflatedMaxBytes } from "../Compression.ts"
import { type Expectation, type ObjectStore, ObjectStoreError, type StoredObject } from "../ObjectStore.ts"
import type { Lying } from "./lyingThere.ts"

export interface PlacedObject {
  readonly key: string
  readonly bytes: Uint8Array
  readonly contentType: string
}

export interface DatedObject<R> extends PlacedObject {
  readonly standing: Standing
  readonly judge: (bytes: Uint8Array) => Effect.Effect<Lying, never, R>
  /** Of nothing but what every control plane has before anybody wrote anything. */
  readonly isEmpty: boolean
}

export interface FollowingObject<R> extends PlacedObject {
  /** What lies there, as far as it says its own age. */
  readonly judge?: (bytes: Uint8Array) => Effect.Effect<Lying, never, R>
}

/** What came of one object. */
export type Placed =
  | { readonly _tag: "Written"; readonly insteadOf?: string }
  | { readonly _tag: "There" }
  | { readonly _tag: "NewerThere"; readonly standing: Standing }
  | { readonly _tag: "LeftAlone"; readonly reason: string }
  /** An empty configuration takes the place only of one of the same epoch. */
  | { readonly _tag: "EmptyHeldBack" }

const triesMax = 6
const pauseMinMs = 50
const pauseMaxMs = 500

const pause = Effect.flatMap(Random.nextBetween(pauseMinMs, pauseMaxMs), (ms) => Effect.sleep(ms))

export const isSame = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && Buffer.compare(a, b) === 0

const expectationOf = (isConditional: boolean, found: StoredObject | undefined): Expectation => {
  if (!isConditional) return { _tag: "Anything" }
  return found === undefined ? { _tag: "Nothing" } : { _tag: "Unchanged", tag: found.tag }
}

export const makePlacing = (store: ObjectStore, isConditional: boolean) => {
  const read = (key: string) => store.read(key, deflatedMaxBytes)

  /** Whether it lies there; false when somebody else was quicker, or something else is read than was written. */
  const write = ({ key, bytes, contentType }: PlacedObject, found: StoredObject | undefined) =>
    store.write(key, { bytes, contentType, expects: expectationOf(isConditional, found) }).pipe(
      Effect.andThen(read(key)),
      Effect.map((lies) => lies !== undefined && isSame(lies.bytes, bytes)),
      Effect.catchIf(
        ({ trouble }) => trouble === "conflict",
        () => Effect.succeed(false)
      )
    )

  /** Again and again until it is decided; a store that never reads as it was written is in trouble. */
  const decided = <R>(key: string, attempt: Effect.Effect<Placed | undefined, ObjectStoreError, R>) =>
    Effect.gen(function* () {
      for (let tries = 0; tries < triesMax; tries++) {
        const placed = yield* attempt
        if (placed !== undefined) return placed
        yield* pause
      }
      const message = `somebody else writes it all the time, or it does not read as it was written (${triesMax} tries)`
      return yield* new ObjectStoreError({ trouble: "unavailable", operation: "write", key, message })
    })

  const lyingIn = <R>({ judge }: DatedObject<R>, found: StoredObject | undefined) =>
    found === undefined ? Effect.succeed<Lying>({ _tag: "Nothing" }) : judge(found.bytes)

  /** Why it is not to be written; `undefined` when it is. */
  const obstacle = <R>({ standing, isEmpty }: DatedObject<R>, lying: Lying): Placed | undefined => {
    if (lying._tag === "Foreign") return { _tag: "LeftAlone", reason: lying.reason }
    const theirs = lying._tag === "Dated" ? lying.standing : undefined
    const verdict = theirs === undefined ? "ours" : prevails(standing, theirs)
    if (verdict === "there") return { _tag: "There" }
    if (verdict === "theirs" && theirs !== undefined) return { _tag: "NewerThere", standing: theirs }
    const isEmptied = theirs?.epoch !== undefined && theirs.epoch === standing.epoch
    return isEmpty && !isEmptied ? { _tag: "EmptyHeldBack" } : undefined
  }

  const attemptDated = Effect.fnUntraced(function* <R>(object: DatedObject<R>) {
    const found = yield* read(object.key)
    const lying = yield* lyingIn(object, found)
    const hindered = obstacle(object, lying)
    if (hindered !== undefined) return hindered
    if (!(yield* write(object, found))) return undefined
    return lying._tag === "Worthless"
      ? ({ _tag: "Written", insteadOf: lying.reason } satisfies Placed)
      : ({ _tag: "Written" } satisfies Placed)
  })

  /** The same in another form is no obstacle: it takes this one's form. */
  const obstacleItself = Effect.fnUntraced(function* <R>(
    { judge }: FollowingObject<R>,
    dated: DatedObject<R>,
    found: StoredObject | undefined
  ) {
    const lying = found === undefined || judge === undefined ? undefined : yield* judge(found.bytes)
    if (lying?._tag !== "Dated" && lying?._tag !== "Foreign") return undefined
    const hindered = obstacle(dated, lying)
    return hindered?._tag === "There" ? undefined : hindered
  })

  const attemptFollowing = Effect.fnUntraced(function* <R>(object: FollowingObject<R>, dated: DatedObject<R>) {
    const found = yield* read(object.key)
    if (found !== undefined && isSame(found.bytes, object.bytes)) return { _tag: "There" } satisfies Placed
    // Behind the tag: this order is what the whole leans on.
    const hindered = obstacle(dated, yield* lyingIn(dated, yield* read(dated.key)))
    if (hindered === undefined) {
      const message = `what it follows (${dated.key}) was taken away meanwhile`
      return yield* new ObjectStoreError({ trouble: "unavailable", operation: "read", key: object.key, message })
    }
    if (hindered._tag !== "There") return hindered
    const newer = yield* obstacleItself(object, dated, found)
    if (newer !== undefined) return newer
    return (yield* write(object, found)) ? ({ _tag: "Written" } satisfies Placed) : undefined
  })

  return {
    placeDated: <R>(object: DatedObject<R>) => decided(object.key, attemptDated(object)),
    /** Why the one that follows is not to be written, before anything is: as far as what lies there says it itself. */
    obstacleTo: <R>(object: FollowingObject<R>, dated: DatedObject<R>) =>
      Effect.flatMap(read(object.key), (found) => obstacleItself(object, dated, found)),
    placeFollowing: <R>(object: FollowingObject<R>, dated: DatedObject<R>) =>
      decided(object.key, attemptFollowing(object, dated))
  }
}
