/** A licence guard whose configuration, files, clock and log are in the test's hands. */
import { Clock, Effect, Layer, Logger, Queue, References, Stream, SubscriptionRef } from "effect"
import * as WatchingLicenseGuard from "../../src/layers/license/WatchingLicenseGuard.ts"
import type { Row } from "../../src/model/Entity.ts"
import type { SettingName } from "../../src/model/SettingTable.ts"
import { ConfigCache, ConfigCacheError } from "../../src/services/ConfigCache.ts"
import { Disk, DiskError } from "../../src/services/Disk.ts"
import { FileWatch } from "../../src/services/FileWatch.ts"
import { LiveConfig } from "../../src/services/LiveConfig.ts"
import { NodeHealth } from "../../src/services/NodeHealth.ts"
import { TrustedClock } from "../../src/services/TrustedClock.ts"
import { liveLayer, settle } from "./live.ts"
import { settingsLayer } from "./settings.ts"
import { table } from "./tables.ts"

/** A file's text, or the code of the error that reading it ends in; `hangs` for a disk that never answers. */
type Content = string | Uint8Array | { readonly code: string } | "hangs"

export interface LogLine {
  readonly level: string
  readonly message: string
  readonly facts: Readonly<Record<string, unknown>>
}

const unused = Effect.die("not used by these tests")

const diskOf = (files: Map<string, Content>) => {
  const fail = (path: string, code: string) =>
    Effect.fail(new DiskError({ operation: "read", path, code, message: code }))
  const read = (path: string) =>
    Effect.suspend(() => {
      const content = files.get(path) ?? { code: "ENOENT" }
      if (content === "hangs") return Effect.never
      if (typeof content !== "string" && "code" in content) return fail(path, content.code)
      return Effect.succeed({ bytes: Buffer.from(content), modifiedAtMs: 0 })
    })
  const rest = {
    stat: () => unused,
    list: () => unused,
    makeFolder: () => unused,
    create: () => unused,
    append: () => unused,
    rename: () => unused,
    link: () => unused,
    remove: () => unused,
    syncFolder: () => unused
  }
  return Layer.succeed(Disk, { read, ...rest })
}

export const prefixFile = "/prefix/license.json"

export const makeBench = Effect.gen(function* () {
  const files = new Map<string, Content>()
  const changes = new Map<string, Queue.Queue<void>>()
  const log: Array<LogLine> = []
  /** Fibers that failed and were started again, each with its cause: none should, whatever the story. */
  const failures: Array<string> = []
  const jumps = yield* SubscriptionRef.make(0)
  const clock = { offsetMs: 0 }

  const watch = Effect.fnUntraced(function* (file: string) {
    const queue = yield* Queue.unbounded<void>()
    changes.set(file, queue)
    return { changed: Queue.take(queue) }
  })

  const logger = Logger.make(({ logLevel, message, fiber }) => {
    const facts = fiber.getRef(References.CurrentLogAnnotations)
    log.push({ level: logLevel, message: String(message), facts })
    if (String(message).endsWith("; starting it again")) failures.push(`${message}: ${facts.cause}`)
  })

  /** What is kept over the lives on this bench, whether the cache keeps it at all, and how the disk is. */
  const kept: {
    text: string | undefined
    writes: number
    isOffered: boolean
    fails: "no" | "reads" | "writes" | "hangs"
  } = { text: undefined, writes: 0, isOffered: true, fails: "no" }
  const file = "/prefix/license.kept"
  const failed = (operation: "read" | "write") =>
    Effect.fail(new ConfigCacheError({ operation, file, message: "EIO", code: "EIO" }))
  const keptLicense = {
    file,
    read: Effect.suspend(() => {
      if (kept.fails === "hangs") return Effect.never
      return kept.fails === "reads" ? failed("read") : Effect.succeed(kept.text)
    }),
    write: (text: string) =>
      Effect.suspend(() => {
        if (kept.fails === "hangs") return Effect.never
        if (kept.fails === "writes") return failed("write")
        kept.text = text
        kept.writes++
        return Effect.void
      })
  }

  const layer = (given: Partial<Record<SettingName, string>> = {}) =>
    WatchingLicenseGuard.layer.pipe(
      Layer.provideMerge(
        Layer.mergeAll(
          liveLayer,
          NodeHealth.layer,
          diskOf(files),
          Layer.succeed(ConfigCache, {
            source: "disk",
            offer: unused,
            write: () => unused,
            ...(kept.isOffered ? { keptLicense } : {})
          }),
          Layer.succeed(FileWatch, { watch }),
          Layer.succeed(TrustedClock, {
            nowMs: Effect.map(Clock.currentTimeMillis, (ms) => ms + clock.offsetMs),
            confirm: () => Effect.void,
            jumps,
            facts: Effect.die("nobody asks here")
          }),
          settingsLayer({ prefix: "/prefix", ...given })
        )
      ),
      Layer.provide(Logger.layer([logger]))
    )

  /** Writes or removes a file, and tells the node so. */
  const put = Effect.fnUntraced(function* (file: string, content: Content | undefined) {
    if (content === undefined) files.delete(file)
    else files.set(file, content)
    const queue = changes.get(file)
    if (queue !== undefined) yield* Queue.offer(queue, undefined)
    yield* settle
  })

  /** The wall clock is set, and believed. */
  const jump = Effect.fnUntraced(function* (byMs: number) {
    clock.offsetMs += byMs
    yield* SubscriptionRef.update(jumps, (n) => n + 1)
    yield* settle
  })

  /** What was logged since the last time, one `level message` each. */
  const told = () => log.splice(0).map(({ level, message }) => `${level} ${message}`)
  const watched = () => [...changes.keys()]
  return { files, layer, put, jump, told, log, failures, clock, kept, watched }
})

let offers = 0

/** A configuration from the control plane with these licences, oldest first. */
export const configure = Effect.fnUntraced(function* (...payloads: ReadonlyArray<unknown>) {
  const live = yield* LiveConfig
  const licenses = payloads.map(
    (payload, index): Row => ({
      id: `99999999-9999-4999-8999-99999999999${index}`,
      payload,
      created_at: 1,
      updated_at: 10 + index
    })
  )
  const raw = table("/a", payloads.length === 0 ? {} : { licenses })
  yield* live.apply({ raw, source: "control_plane", hash: `${offers++}`.padStart(32, "0"), receivedAtMs: 0 })
  yield* settle
})

/** Every value that a watcher of the ref sees, the current one included. */
export const seenOf = <A>(ref: SubscriptionRef.SubscriptionRef<A>) =>
  Effect.gen(function* () {
    const seen: Array<A> = []
    yield* Effect.forkScoped(
      Stream.runForEach(SubscriptionRef.changes(ref), (value) => Effect.sync(() => void seen.push(value))),
      { startImmediately: true }
    )
    return seen
  })
