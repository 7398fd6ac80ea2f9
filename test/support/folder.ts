/** A folder that goes when the test's scope does. */
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect } from "effect"

export const temporaryFolder = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "holdfast-"))),
  (folder) => Effect.promise(() => rm(folder, { recursive: true, force: true }))
)
