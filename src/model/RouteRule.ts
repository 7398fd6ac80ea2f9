/**
 * What the `traditional_compatible` router sorts: rules, each with a 64-bit priority. A route whose paths differ in
 * kind or in length is several rules. Rules: reference `router.md` §5.
 */
import { uuidV5 } from "./DeterministicId.ts"
import type { Route } from "./Entities.ts"
import { toByteString } from "./RequestPath.ts"

export interface RouteRule {
  /** The route's id, or one made from it for a rule that is a part of its route. */
  readonly id: string
  readonly route: Route
  /** All regular expressions, or all plain and equally long; empty when the route has no paths. */
  readonly paths: ReadonlyArray<string>
  readonly priority: bigint
}

const splitNamespace = "7f145bf9-0dce-4f91-98eb-debbce4b9f6b"

export const isRegexPath = (path: string): boolean => path.startsWith("~")

/** A regular expression has no length of its own: all of them make one group. */
const groupKey = (path: string): number => (isRegexPath(path) ? 0 : toByteString(path).length)

export const isSet = (field: ReadonlyArray<unknown> | Readonly<Record<string, unknown>> | null): boolean =>
  field !== null && (Array.isArray(field) ? field.length > 0 : Object.keys(field).length > 0)

const maxHeaders = 255
const maxPathLength = 0x7ffff
/** Priorities may be negative; shifted up, their order holds and no sign reaches the bits above. */
const regexPriorityOffset = 2 ** 31

export const priorityOf = (route: Route, paths: ReadonlyArray<string>): bigint => {
  const { hosts } = route
  const attributes = [route.methods, hosts, route.headers, paths, route.snis].filter(isSet).length
  const isPlainHosted = hosts !== null && hosts.length > 0 && !hosts.some((host) => host.includes("*"))
  const headerCount = Math.min(maxHeaders, Object.keys(route.headers ?? {}).length)
  const first = paths[0]
  const isRegex = first !== undefined && isRegexPath(first)
  const length = first === undefined || isRegex ? 0 : Math.min(maxPathLength, groupKey(first))
  return (
    (BigInt(attributes) << 61n) |
    (BigInt(isPlainHosted) << 60n) |
    (BigInt(headerCount) << 52n) |
    (BigInt(isRegex) << 51n) |
    (BigInt(isRegex ? route.regex_priority + regexPriorityOffset : 0) << 19n) |
    BigInt(length)
  )
}

/** The rules of one route, groups in the order in which the route first names them. */
export const rulesOf = (route: Route): ReadonlyArray<RouteRule> => {
  const groups = [...Map.groupBy(route.paths ?? [], groupKey).values()]
  if (groups.length <= 1) {
    const paths = groups[0] ?? []
    return [{ id: route.id, route, paths, priority: priorityOf(route, paths) }]
  }
  return groups.map((paths, index) => ({
    id: uuidV5(splitNamespace, `${route.id}#${index + 1}`),
    route,
    paths,
    priority: priorityOf(route, paths)
  }))
}

/** Higher priority first; among equals, the larger id. */
export const compareRules = (a: RouteRule, b: RouteRule): number =>
  a.priority !== b.priority ? (a.priority > b.priority ? -1 : 1) : a.id === b.id ? 0 : a.id > b.id ? -1 : 1
