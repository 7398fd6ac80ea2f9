/** A Disk of files in memory that counts its writes and can be told to fail, or never to answer. */
import { Effect, Layer } from "effect"
import { Disk, DiskError, type DiskOperation } from "../../src/services/Disk.ts"

export const makeMemoryDisk = (given: Readonly<Record<string, string>> = {}) => {
  const files = new Map<string, string>(Object.entries(given))
  const control: { trouble: { code: string } | "silence" | undefined; renames: number } = {
    trouble: undefined,
    renames: 0
  }
  const attempt = <A>(operation: DiskOperation, path: string, run: () => A): Effect.Effect<A, DiskError> =>
    Effect.suspend(() => {
      if (control.trouble === "silence") return Effect.never
      const isReadable = operation === "read" && control.trouble?.code === "EROFS"
      if (control.trouble !== undefined && !isReadable) {
        const { code } = control.trouble
        return new DiskError({ operation, path, code, message: `${code}: ${operation}` })
      }
      return Effect.succeed(run())
    })
  const found = (operation: DiskOperation, path: string): Effect.Effect<string, DiskError> =>
    Effect.suspend(() => {
      const text = files.get(path)
      return text === undefined
        ? new DiskError({ operation, path, code: "ENOENT", message: "ENOENT" })
        : Effect.succeed(text)
    })
  const service = Disk.of({
    read: (path) =>
      Effect.andThen(
        attempt("read", path, () => undefined),
        Effect.map(found("read", path), (text) => ({ bytes: new TextEncoder().encode(text), modifiedAtMs: 0 }))
      ),
    stat: (path) =>
      Effect.map(found("stat", path), (text) => ({ sizeBytes: text.length, modifiedAtMs: 0, stamp: text })),
    list: () => Effect.succeed([...files.keys()]),
    makeFolder: () => Effect.void,
    create: (path) =>
      attempt("create", path, () => {
        files.set(path, "")
        return {
          write: (bytes: Uint8Array) =>
            attempt("write", path, () => void files.set(path, `${files.get(path)}${new TextDecoder().decode(bytes)}`)),
          sync: attempt("sync", path, () => undefined),
          close: Effect.void
        }
      }),
    rename: (from, to) =>
      attempt("rename", from, () => {
        files.set(to, files.get(from) ?? "")
        files.delete(from)
        control.renames++
      }),
    remove: (path) => attempt("remove", path, () => void files.delete(path)),
    syncFolder: () => Effect.void
  })
  return { files, control, layer: Layer.succeed(Disk, service) }
}
