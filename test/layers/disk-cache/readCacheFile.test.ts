/** At which step a file is refused, in which words, and whether it may serve yet (`resilience.md` §2). */
import { gunzipSync, gzipSync } from "node:zlib"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { type CacheReader, cacheFileMaxBytes, readCacheFile } from "../../../src/layers/disk-cache/readCacheFile.ts"
import { describeTable } from "../../../src/model/TableContent.ts"
import { CacheProtectionError } from "../../../src/services/CacheProtection.ts"
import { CompressionError } from "../../../src/services/Compression.ts"
import { DiskError } from "../../../src/services/Disk.ts"
import * as VirtualDisk from "../../../src/testing/VirtualDisk.ts"
import { table } from "../../support/tables.ts"

const path = "/prefix/config.json.gz"
const file = gzipSync(JSON.stringify(table("/a")))

const reader = (more: Partial<CacheReader> = {}): CacheReader => {
  const { disk, hand } = VirtualDisk.make()
  hand.write(path, file)
  return {
    disk,
    compression: { gzip: Effect.succeed, gunzip: () => Effect.succeed(Buffer.from(JSON.stringify(table("/a")))) },
    protection: { protect: Effect.succeed, unprotect: (bytes) => Effect.succeed({ bytes, isStale: false }) },
    describeTable,
    ...more
  }
}

const diskThatFails = (code: string): CacheReader["disk"] => ({
  ...reader().disk,
  read: () => Effect.fail(new DiskError({ operation: "read", path, code, message: `${code}: no` }))
})

const refusal = Effect.fnUntraced(function* (more: Partial<CacheReader>) {
  const found = yield* readCacheFile(reader(more), path)
  assert(found._tag === "Refused", found._tag)
  const { stage, message, mayServeYet } = found
  return { stage, message, mayServeYet, isRead: found.digest !== undefined }
})

const inflating = (reason: CompressionError["reason"]): CacheReader["compression"] => ({
  ...reader().compression,
  gunzip: () => Effect.fail(new CompressionError({ reason, message: `it is ${reason}` }))
})

const protection = (isPassing: boolean): CacheReader["protection"] => ({
  protect: Effect.succeed,
  unprotect: () => Effect.fail(new CacheProtectionError({ message: "expected the key", isPassing }))
})

describe("reading a file of the cache", () => {
  it.effect("gives the table of a good one", () =>
    Effect.gen(function* () {
      assert.deepInclude(yield* readCacheFile(reader(), path), { _tag: "Read", path, isStale: false })
    })
  )

  it.effect("finds nothing where there is nothing", () =>
    Effect.gen(function* () {
      assert.deepEqual(yield* readCacheFile(reader(), "/prefix/other"), { _tag: "Absent" })
    })
  )

  it.effect("refuses what is too large, before and after gzip, and blames the file", () =>
    Effect.gen(function* () {
      const message = `expected at most ${cacheFileMaxBytes} bytes`
      const blamed = { stage: "size", mayServeYet: false }
      assert.deepEqual(yield* refusal({ disk: diskThatFails("EFBIG") }), { ...blamed, message, isRead: false })
      assert.deepEqual(yield* refusal({ compression: inflating("tooLarge") }), {
        ...blamed,
        message: "it is tooLarge",
        isRead: true
      })
      assert.deepInclude(yield* refusal({ compression: inflating("notGzip") }), { stage: "gzip", mayServeYet: false })
    })
  )

  it.effect("does not blame the file for want of memory: it may be good", () =>
    Effect.gen(function* () {
      assert.deepEqual(yield* refusal({ compression: inflating("noMemory") }), {
        stage: "gzip",
        message: "it is noMemory",
        mayServeYet: true,
        isRead: true
      })
      const describing = (cause: Error) => () => {
        throw cause
      }
      const digested = gzipSync(JSON.stringify({ ...table("/a"), _holdfast: { format: 2, sha256: "0".repeat(64) } }))
      const read = (cause: Error) =>
        refusal({
          compression: { ...reader().compression, gunzip: () => Effect.succeed(gunzipSync(digested)) },
          describeTable: describing(cause)
        })
      const short = new RangeError("Array buffer allocation failed")
      assert.deepInclude(yield* read(short), { stage: "json", mayServeYet: true })
      assert.deepInclude(yield* read(new RangeError("too deep")), { stage: "json", mayServeYet: false })
    })
  )

  it.effect("does not blame the file for a disk that fails or a key that is not there", () =>
    Effect.gen(function* () {
      assert.deepEqual(yield* refusal({ disk: diskThatFails("EIO") }), {
        stage: "read",
        message: "EIO: no",
        mayServeYet: true,
        isRead: false
      })
      const unprotect = { stage: "unprotect", message: "expected the key", isRead: true }
      assert.deepEqual(yield* refusal({ protection: protection(true) }), { ...unprotect, mayServeYet: true })
      assert.deepEqual(yield* refusal({ protection: protection(false) }), { ...unprotect, mayServeYet: false })
    })
  )
})
