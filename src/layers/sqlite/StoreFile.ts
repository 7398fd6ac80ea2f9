/** The store's file, `<prefix>/holdfast.db`: made, opened and brought to the newest form of its tables. */
import { access, chmod, constants, mkdir, open } from "node:fs/promises"
import { join } from "node:path"
import { Effect, Layer } from "effect"
import type { Migrator, SqlClient } from "effect/sql"
import type { SqlError } from "effect/sql/SqlError"
import { Settings } from "../../services/Settings.ts"
import { StartError } from "../../services/StartError.ts"
import { migrate } from "./migrations.ts"
import * as SqliteClient from "./SqliteClient.ts"

const fileName = "holdfast.db"
/** Rows hold private keys. */
const ownerOnly = 0o600

const codeOf = (cause: unknown): string =>
  cause instanceof Error && "code" in cause ? String(cause.code) : String(cause)

const unwritable = (prefix: string, cause: unknown) =>
  new StartError({
    faults: [
      { path: ["prefix"], message: `expected a directory that can be written (${codeOf(cause)})`, value: prefix }
    ],
    exitCode: 2
  })

const unusable = (file: string) => (error: SqlError | Migrator.MigrationError) =>
  new StartError({
    faults: [
      { path: ["prefix"], message: `expected a store that can be read and written (${error.message})`, value: file }
    ],
    exitCode: 1
  })

/** SQLite gives its side files the mode of the main file, so that one is made first. */
const prepare = (prefix: string) =>
  Effect.tryPromise({
    try: async () => {
      const file = join(prefix, fileName)
      await mkdir(prefix, { recursive: true })
      await access(prefix, constants.W_OK)
      await (await open(file, "a", ownerOnly)).close()
      await chmod(file, ownerOnly)
      return file
    },
    catch: (cause) => unwritable(prefix, cause)
  })

/** Tables included, over any client: the tests' twin is this over `:memory:`. */
export const withTables = <E>(client: Layer.Layer<SqlClient.SqlClient, E>) =>
  Layer.effectDiscard(migrate).pipe(Layer.provideMerge(client))

export const layer: Layer.Layer<SqlClient.SqlClient, StartError, Settings> = Layer.unwrap(
  Effect.gen(function* () {
    const { prefix } = yield* Settings
    const file = yield* prepare(prefix)
    return withTables(SqliteClient.layer(file)).pipe(
      Layer.catch((error) => Layer.effectContext(Effect.fail(unusable(file)(error))))
    )
  })
)
