/** What Node and libraries throw, read without trusting its shape. */

/** Such as `ENOENT`: Node's own name for what went wrong. */
export const codeOf = (cause: unknown): string | undefined =>
  typeof cause === "object" && cause !== null && "code" in cause && typeof cause.code === "string"
    ? cause.code
    : undefined

/** Several failures in one have no message of their own: then the name says what they are. */
export const messageOf = (cause: unknown): string =>
  cause instanceof Error ? cause.message || codeOf(cause) || cause.name : String(cause)

const memoryCodes: ReadonlySet<string | undefined> = new Set(["ERR_MEMORY_ALLOCATION_FAILED", "ENOMEM", "Z_MEM_ERROR"])

/** It may work a moment later, with the same input: nothing is wrong with that. */
export const isShortOfMemory = (cause: unknown): boolean =>
  memoryCodes.has(codeOf(cause)) || (cause instanceof RangeError && /allocation failed/i.test(cause.message))

/** What is wrong with a text as JSON or YAML, in the parser's words, but for what it quotes: that may be a secret. */
export const syntaxTrouble = (cause: unknown): string =>
  messageOf(cause)
    .replace(/[,:] (?:\.\.\.)?"[\s\S]*$/, "")
    .trim()
