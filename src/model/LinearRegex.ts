/**
 * Regular expressions from a configuration, in time linear in what they read: a pattern must never stop a node. The
 * engine is RE2's, so there is neither look-around nor back-references, as in the gateway's own Rust engine
 * (`router.md` §3). Why this engine: `docs/regex-engine.md`.
 *
 * Deciding and locating are two questions, for the automaton that decides is several times as fast.
 */
import { RE2JS } from "re2js"

export interface LinearRegex {
  readonly matches: (text: string) => boolean
  /** Length of what was matched from the start of the text, and 0 when nothing was. */
  readonly matchedLength: (text: string) => number
}

export type CompiledRegex =
  | { readonly _tag: "Regex"; readonly regex: LinearRegex }
  | { readonly _tag: "Refused"; readonly reason: string }

export const compileRegex = (pattern: string, options: { readonly isAnchored: boolean }): CompiledRegex => {
  try {
    // First alone: `a)(b` would become something valid, and something else, inside the group that anchors it.
    const bare = RE2JS.compile(pattern)
    const decider = options.isAnchored ? RE2JS.compile(`^(?:${pattern})`) : bare
    return {
      _tag: "Regex",
      regex: {
        matches: (text) => decider.test(text),
        matchedLength: (text) => {
          const matcher = bare.matcher(text)
          return matcher.lookingAt() ? matcher.end() : 0
        }
      }
    }
  } catch (error) {
    return { _tag: "Refused", reason: error instanceof Error ? error.message : String(error) }
  }
}
