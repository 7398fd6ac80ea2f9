/** How long the texts are that are parsed as JSON while something runs: what must not happen on the thread that serves. */
import { Effect } from "effect"
import { vi } from "vitest"

export const longestParsed = <A, E, R>(run: Effect.Effect<A, E, R>) =>
  Effect.acquireUseRelease(
    Effect.sync(() => vi.spyOn(JSON, "parse")),
    (spy) => Effect.map(run, () => Math.max(0, ...spy.mock.calls.map(([text]) => text.length))),
    (spy) => Effect.sync(() => spy.mockRestore())
  )

/** A few kilobytes of gzip that become this many objects. */
export const bomb = (objects: number): string => `{"x":[${"{},".repeat(objects)}{}]}`
