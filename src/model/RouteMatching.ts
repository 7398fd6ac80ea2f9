/**
 * The matchers of one rule as predicates over the facts of a request: values of one field are alternatives, fields
 * must all hold. Rules: reference `router.md` §3, column [TC].
 */
import { isUtf8 } from "node:buffer"
import type { RequestFacts } from "./CompiledConfig.ts"
import type { Route } from "./Entities.ts"
import { compileRegex, type LinearRegex } from "./LinearRegex.ts"
import { toByteString } from "./RequestPath.ts"
import { isRegexPath, isSet, type RouteRule } from "./RouteRule.ts"

/** The length of the path's leading part that the rule's path matched; `undefined` when the rule does not match. */
export type RuleMatcher = (facts: RequestFacts) => number | undefined

export type CompiledRule =
  | { readonly _tag: "Matcher"; readonly matcher: RuleMatcher }
  | { readonly _tag: "Refused"; readonly reason: string }

type Predicate = (facts: RequestFacts) => boolean
type PathMatcher = (path: string) => number | undefined

/** Leaves `compileRule` at the first pattern that does not compile; never leaves this file. */
class Refusal extends Error {}

const regexOf = (pattern: string, isAnchored: boolean): LinearRegex => {
  const compiled = compileRegex(pattern, { isAnchored })
  if (compiled._tag === "Refused")
    throw new Refusal(`the regular expression "${pattern}" does not compile: ${compiled.reason}`)
  return compiled.regex
}

// --- hosts ---

const splitPort = (value: string): { readonly name: string; readonly port: number | undefined } => {
  const found = /^(.+):(\d{1,5})$/.exec(value)
  const name = found?.[1]
  return name === undefined || (name.includes(":") && !name.endsWith("]"))
    ? { name: value, port: undefined }
    : { name, port: Number(found?.[2]) }
}

/** `*.rest` takes any depth below `rest`, `first.*` anything behind `first.`. */
const nameMatcher = (name: string): ((value: string) => boolean) => {
  if (name.startsWith("*")) return (value) => value.endsWith(name.slice(1))
  if (name.endsWith("*")) return (value) => value.startsWith(name.slice(0, -1))
  return (value) => value === name
}

const hostMatcher = (value: string): Predicate => {
  const { name, port } = splitPort(value)
  const isNamed = nameMatcher(name)
  return port === undefined ? (facts) => isNamed(facts.host) : (facts) => facts.port === port && isNamed(facts.host)
}

const anyOf =
  (alternatives: ReadonlyArray<Predicate>): Predicate =>
  (facts) =>
    alternatives.some((holds) => holds(facts))

// --- headers ---

/** The pattern is lower-cased too, which turns `\D` into `\d`: the gateway does so, and configurations rely on it. */
const headerValueMatcher = (value: string): ((sent: string) => boolean) => {
  const wanted = toByteString(value.toLowerCase())
  if (!wanted.startsWith("~*")) return (sent) => sent === wanted
  const regex = regexOf(wanted.slice(2), false)
  return regex.matches
}

const headerMatcher = (name: string, values: ReadonlyArray<string>): Predicate => {
  const key = name.toLowerCase()
  const matchers = values.map(headerValueMatcher)
  return (facts) =>
    facts.headers[key]?.some((sent) => {
      const lowered = sent.toLowerCase()
      return matchers.some((holds) => holds(lowered))
    }) ?? false
}

// --- server names ---

const serverNameMatcher = (snis: ReadonlyArray<string>): Predicate => {
  const matchers = snis.map((sni) => nameMatcher(sni.length > 1 && sni.endsWith(".") ? sni.slice(0, -1) : sni))
  return ({ isTls, serverName }) => !isTls || (serverName !== undefined && matchers.some((holds) => holds(serverName)))
}

// --- paths ---

/** Patterns are written in characters, paths come in bytes; where the two differ the pattern sees characters. */
const toCharacters = (path: string): string => {
  if (/^\p{ASCII}*$/u.test(path)) return path
  const bytes = Buffer.from(path, "latin1")
  return isUtf8(bytes) ? bytes.toString("utf8") : path
}

const regexPathMatcher = (pattern: string): PathMatcher => {
  const regex = regexOf(pattern, true)
  return (path) => {
    const text = toCharacters(path)
    if (!regex.matches(text)) return undefined
    const length = regex.matchedLength(text)
    return text === path ? length : Buffer.byteLength(text.slice(0, length), "utf8")
  }
}

const plainPathMatcher = (prefix: string): PathMatcher => {
  const wanted = toByteString(prefix)
  return (path) => (path.startsWith(wanted) ? wanted.length : undefined)
}

const pathMatcher = (paths: ReadonlyArray<string>): PathMatcher => {
  if (paths.length === 0) return () => 0
  const matchers = paths.map((path) => (isRegexPath(path) ? regexPathMatcher(path.slice(1)) : plainPathMatcher(path)))
  return (path) => {
    for (const matcher of matchers) {
      const length = matcher(path)
      if (length !== undefined) return length
    }
    return undefined
  }
}

// --- the rule ---

const predicatesOf = (route: Route): ReadonlyArray<Predicate> => {
  const { methods, hosts, headers, snis } = route
  const predicates: Array<Predicate> = []
  if (methods !== null && isSet(methods)) predicates.push((facts) => methods.includes(facts.method))
  if (hosts !== null && isSet(hosts)) predicates.push(anyOf(hosts.map(hostMatcher)))
  if (snis !== null && isSet(snis)) predicates.push(serverNameMatcher(snis))
  for (const [name, values] of Object.entries(headers ?? {})) predicates.push(headerMatcher(name, values))
  return predicates
}

export const compileRule = (rule: RouteRule): CompiledRule => {
  // Such a route means to serve some peers only; serving everybody in its name would be the worse mistake.
  if (isSet(rule.route.sources) || isSet(rule.route.destinations)) {
    return { _tag: "Refused", reason: "sources and destinations are matched for stream routes only" }
  }
  try {
    const predicates = predicatesOf(rule.route)
    const path = pathMatcher(rule.paths)
    return {
      _tag: "Matcher",
      matcher: (facts) => (predicates.every((holds) => holds(facts)) ? path(facts.path) : undefined)
    }
  } catch (error) {
    if (error instanceof Refusal) return { _tag: "Refused", reason: error.message }
    throw error
  }
}
