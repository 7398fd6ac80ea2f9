/**
 * Effect's SQL client over `node:sqlite`: one connection, statements prepared once. Write-ahead log with full
 * synchronisation, so that a committed write survives `kill -9` and a power cut.
 */
import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite"
import { Effect, Layer, Semaphore, Stream } from "effect"
import * as Reactivity from "effect/reactivity/Reactivity"
import { SqlClient, type SqlConnection, Statement } from "effect/sql"
import { classifySqliteError, SqlError } from "effect/sql/SqlError"
import { loadNodeSqlite } from "./NodeSqlite.ts"

const pragmas = [
  "PRAGMA journal_mode = WAL",
  "PRAGMA synchronous = FULL",
  "PRAGMA foreign_keys = ON",
  // Another process looking at the file holds a lock for moments only.
  "PRAGMA busy_timeout = 2000"
].join(";")

/** Node reports `errcode`, Effect's classifier reads `errno`. */
const withErrno = (error: unknown): unknown =>
  error instanceof Error && "errcode" in error ? Object.assign(error, { errno: error.errcode }) : error

const toSqlError = (cause: unknown, operation: "open" | "execute"): SqlError =>
  new SqlError({
    reason: classifySqliteError(withErrno(cause), {
      message: cause instanceof Error ? cause.message : String(cause),
      operation
    })
  })

const makeConnection = (database: DatabaseSync): SqlConnection.Connection => {
  const prepared = new Map<string, StatementSync>()
  const prepare = (sql: string): StatementSync => {
    const known = prepared.get(sql)
    if (known !== undefined) return known
    const statement = database.prepare(sql)
    prepared.set(sql, statement)
    return statement
  }
  const run = (sql: string, params: ReadonlyArray<unknown>, asArrays = false) =>
    Effect.try({
      try: () => {
        const statement = prepare(sql)
        statement.setReturnArrays(asArrays)
        return statement.all(...(params as ReadonlyArray<SQLInputValue>)) as unknown as ReadonlyArray<
          ReadonlyArray<unknown>
        >
      },
      catch: (cause) => toSqlError(cause, "execute")
    })
  const execute: SqlConnection.Connection["execute"] = (sql, params, transform) =>
    transform === undefined ? run(sql, params) : Effect.map(run(sql, params), transform)
  return {
    execute,
    executeUnprepared: execute,
    executeRaw: (sql, params) => run(sql, params),
    executeValues: (sql, params) => run(sql, params, true),
    executeValuesUnprepared: (sql, params) => run(sql, params, true),
    executeStream: () => Stream.die("a single synchronous connection has nothing to stream")
  }
}

const open = (filename: string) =>
  Effect.acquireRelease(
    Effect.try({
      try: () => {
        const database = new (loadNodeSqlite().DatabaseSync)(filename)
        database.exec(pragmas)
        return database
      },
      catch: (cause) => toSqlError(cause, "open")
    }),
    (database) => Effect.sync(() => database.close())
  )

const make = Effect.fnUntraced(function* (filename: string) {
  const database = yield* open(filename)
  const connection = makeConnection(database)
  const semaphore = yield* Semaphore.make(1)
  return yield* SqlClient.make({
    ...SqlClient.makeSqliteAcquirers({
      connection: Effect.succeed(connection),
      semaphore,
      isTransaction: () => database.isTransaction
    }),
    driver: "node:sqlite",
    compiler: Statement.makeCompilerSqlite(),
    beginTransaction: "BEGIN IMMEDIATE",
    spanAttributes: [["db.system.name", "sqlite"]]
  })
})

/** `:memory:` makes a store that ends with the process: the twin for tests. */
export const layer = (filename: string): Layer.Layer<SqlClient.SqlClient, SqlError> =>
  Layer.effect(SqlClient.SqlClient, make(filename)).pipe(Layer.provide(Reactivity.layer))
