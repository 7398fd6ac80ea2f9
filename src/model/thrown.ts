/** What Node and libraries throw, read without trusting its shape. */

export const messageOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))

/** Such as `ENOENT`: Node's own name for what went wrong. */
export const codeOf = (cause: unknown): string | undefined =>
  typeof cause === "object" && cause !== null && "code" in cause && typeof cause.code === "string"
    ? cause.code
    : undefined
