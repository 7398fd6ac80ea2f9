/**
 * Which of two sources a node prefers: `DESIGN.md`, "The life of a node", 2 and 3, and "Where sources disagree". The
 * better one always replaces the worse, and each replaces itself; what is not listed is not used.
 */
import type { SettingValues } from "./SettingTable.ts"
import { type RungSource, rungSources, type Source } from "./Snapshot.ts"

/** Best first. */
export type Preference = ReadonlyArray<RungSource>

/** What a person wrote beats what is left over: on a node on its own nobody sends anything that could be newer. */
const onItsOwn: Preference = ["declarative_file", "disk", "peer", "object_storage"]

export const preferenceOf = ({
  config_sources: given,
  cluster_control_plane: controlPlane
}: Pick<SettingValues, "config_sources" | "cluster_control_plane">): Preference =>
  given ?? (controlPlane === undefined ? onItsOwn : rungSources)

export const isUsed = (preference: Preference, source: RungSource): boolean => preference.includes(source)

/** Lower is better; what is not listed is better than nothing alone. */
const rankOf = (preference: Preference, source: Source): number => {
  if (source === "empty") return preference.length + 1
  const at = preference.indexOf(source)
  return at === -1 ? preference.length : at
}

export const isBetter = (preference: Preference, a: Source, b: Source): boolean =>
  rankOf(preference, a) < rankOf(preference, b)

/** True when `a` may replace `b`. */
export const isAtLeastAsGood = (preference: Preference, a: Source, b: Source): boolean => !isBetter(preference, b, a)

/** What a change of source is to the node; `undefined` when it is none. */
export const moveBetween = (preference: Preference, from: Source, to: Source): "climbed" | "fell" | undefined => {
  if (from === to) return undefined
  return isAtLeastAsGood(preference, to, from) ? "climbed" : "fell"
}

/** Only those that are used, best first; those of one source stay in their order. */
export const inOrder = <A extends { readonly source: RungSource }>(
  preference: Preference,
  all: ReadonlyArray<A>
): ReadonlyArray<A> => preference.flatMap((source) => all.filter((each) => each.source === source))
