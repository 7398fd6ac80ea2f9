/**
 * Which of two configurations is the newer one. Within an epoch the sequence says it; epochs are texts that sort by when
 * they began. A rollback stands right behind what it takes the place of, and before whatever came after that. Where one of
 * the two has no sequence (another product's control plane sends none), the time counts at which its control plane, or a
 * person, gave it out.
 */
import type { Version } from "./Snapshot.ts"

/** The newest configuration in whose place a rollback comes. */
export interface RollbackOver {
  readonly epoch: string
  readonly sequence: number
}

/** What is known of a configuration's place among the others. */
export interface Standing extends Version {
  /** When it was given out; milliseconds since the epoch, by the clock of whoever gave it out. */
  readonly issuedAtMs?: number | undefined
  /** SHA-256 of its canonical JSON: what is the same is neither older nor newer. */
  readonly sha256?: string | undefined
  readonly rollbackOver?: RollbackOver | undefined
}

export type Order = "older" | "same" | "newer" | "unknown"

const compare = <A extends string | number>(a: A, b: A): Order => (a === b ? "same" : a < b ? "older" : "newer")

type Place = readonly [epoch: string, sequence: number, isRollback: number]

const placeOf = ({ epoch, sequence, rollbackOver }: Standing): Place | undefined => {
  if (rollbackOver !== undefined) return [rollbackOver.epoch, rollbackOver.sequence, 1]
  return epoch === undefined || sequence === undefined ? undefined : [epoch, sequence, 0]
}

const inOrder = (a: Place, b: Place): Order => {
  const orders = [compare(a[0], b[0]), compare(a[1], b[1]), compare(a[2], b[2])]
  return orders.find((order) => order !== "same") ?? "same"
}

const inTime = (a: Standing, b: Standing): Order | undefined =>
  a.issuedAtMs === undefined || b.issuedAtMs === undefined ? undefined : compare(a.issuedAtMs, b.issuedAtMs)

/** Of their places alone, whatever the two contain. */
const orderOfPlaces = (a: Standing, b: Standing): Order => {
  const [placeA, placeB] = [placeOf(a), placeOf(b)]
  if (placeA !== undefined && placeB !== undefined) {
    const order = inOrder(placeA, placeB)
    // Of two rollbacks over the same the one that was given out later.
    return order === "same" && a.rollbackOver !== undefined ? (inTime(a, b) ?? order) : order
  }
  return inTime(a, b) ?? "unknown"
}

/** What the first is, seen from the second. */
export const orderOf = (a: Standing, b: Standing): Order =>
  a.sha256 !== undefined && a.sha256 === b.sha256 ? "same" : orderOfPlaces(a, b)

/** Whether it may come in the place of what is known: nothing older may, for a rollback stands behind what it replaces. */
export const mayReplace = (candidate: Standing, known: Standing): boolean => orderOf(candidate, known) !== "older"

/**
 * Which of two stands where there is room for one, whoever comes first: `ours` takes the place, `there` means that it has
 * it already, `theirs` keeps it. The same content with a newer place counts as newer, so that whatever was given out in between
 * can't take the place any more. Two contents in one place, which no control plane makes, are told apart by their
 * digests, so that all who decide decide the same.
 */
export const prevails = (ours: Standing, theirs: Standing): "ours" | "there" | "theirs" => {
  const order = orderOfPlaces(ours, theirs)
  if (order === "older") return "theirs"
  if (order !== "same") return "ours"
  if (ours.sha256 === theirs.sha256) return "there"
  return (ours.sha256 ?? "") > (theirs.sha256 ?? "") ? "ours" : "theirs"
}

/** Whether it stands at an older place, whatever the two contain: of the same content the newer place counts. */
export const isBehind = (a: Standing, b: Standing): boolean => orderOfPlaces(a, b) === "older"

/** A place in the order, in words. */
export const showStanding = ({ epoch, sequence, issuedAtMs, rollbackOver }: Standing): string => {
  const issued = issuedAtMs === undefined ? [] : [`of ${new Date(issuedAtMs).toISOString()}`]
  const numbered =
    sequence === undefined ? [] : [`sequence ${sequence}${epoch === undefined ? "" : ` in epoch ${epoch}`}`]
  const over =
    rollbackOver === undefined
      ? []
      : [`a rollback over sequence ${rollbackOver.sequence} in epoch ${rollbackOver.epoch}`]
  return [...numbered, ...issued, ...over].join(", ") || "of an unknown time"
}
