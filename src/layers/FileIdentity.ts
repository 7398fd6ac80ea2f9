/** Identity kept in `<prefix>/kong.id`: reference `hybrid-protocol-v1.md` §12. */
import { randomUUID } from "node:crypto"
import { mkdir, readFile, writeFile } from "node:fs/promises"
import { hostname } from "node:os"
import { join } from "node:path"
import { Effect, Layer } from "effect"
import { isUuid } from "../model/Field.ts"
import { codeOf } from "../model/thrown.ts"
import { Identity } from "../services/Identity.ts"
import { Settings } from "../services/Settings.ts"

const readId = async (file: string): Promise<string | undefined> => {
  try {
    const text = (await readFile(file, "utf8")).trim()
    return isUuid(text) ? text.toLowerCase() : undefined
  } catch (cause) {
    if (codeOf(cause) === "ENOENT") return undefined
    throw cause
  }
}

const readOrMakeId = async (prefix: string): Promise<string> => {
  const file = join(prefix, "kong.id")
  const known = await readId(file)
  if (known !== undefined) return known
  const fresh = randomUUID()
  await mkdir(prefix, { recursive: true })
  await writeFile(file, fresh)
  return fresh
}

const make = Effect.gen(function* () {
  const settings = yield* Settings
  const fromFile = Effect.tryPromise(() => readOrMakeId(settings.prefix)).pipe(
    Effect.catch((error) =>
      Effect.logWarning("node id can't be kept; this run has one of its own").pipe(
        Effect.annotateLogs({ prefix: settings.prefix, cause: String(error.cause) }),
        Effect.as(randomUUID() as string)
      )
    )
  )
  const nodeId = settings.node_id ?? (yield* fromFile)
  return { nodeId, hostname: hostname(), version: settings.kong_version }
})

export const layer: Layer.Layer<Identity, never, Settings> = Layer.effect(Identity, make)
