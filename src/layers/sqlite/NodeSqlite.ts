/**
 * `node:sqlite`, loaded when it is wanted: a process that keeps no store never loads it, and Node's warning that the
 * module is experimental, which says nothing to whoever runs this program, is not printed. All other warnings are.
 */
type NodeSqlite = typeof import("node:sqlite")

const isAboutSqlite = (warning: string | Error, kind: unknown): boolean => {
  const message = typeof warning === "string" ? warning : warning.message
  const type = typeof kind === "string" ? kind : (kind as { readonly type?: string } | undefined)?.type
  return type === "ExperimentalWarning" && message.startsWith("SQLite ")
}

/** Synchronous from start to end, so that nobody else's warning can meet the filter. */
export const loadNodeSqlite = (): NodeSqlite => {
  const emitWarning = process.emitWarning
  process.emitWarning = ((warning: string | Error, ...rest: ReadonlyArray<unknown>) => {
    if (!isAboutSqlite(warning, rest[0])) Reflect.apply(emitWarning, process, [warning, ...rest])
  }) as typeof process.emitWarning
  try {
    return process.getBuiltinModule("node:sqlite")
  } finally {
    process.emitWarning = emitWarning
  }
}
