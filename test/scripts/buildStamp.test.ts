import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, assert, beforeEach, describe, it } from "@effect/vitest"
import { clearStamp, isFresh, sourceHash, writeStamp } from "../../scripts/buildStamp.ts"

describe("buildStamp", () => {
  const place = { root: "", dist: "" }

  beforeEach(() => {
    place.root = mkdtempSync(join(tmpdir(), "holdfast-stamp-"))
    place.dist = join(place.root, "dist")
    mkdirSync(join(place.root, "src", "model"), { recursive: true })
    mkdirSync(join(place.dist, "daemon"), { recursive: true })
    writeFileSync(join(place.root, "src", "model", "A.ts"), "export const a = 1")
    writeFileSync(join(place.root, "package-lock.json"), "{}")
    writeFileSync(join(place.dist, "main.js"), "")
    writeFileSync(join(place.dist, "daemon", "main.js"), "")
    writeFileSync(join(place.dist, "daemon", "storageWorker.js"), "")
    writeStamp(place.dist, "daemon", sourceHash(place.root))
  })
  afterEach(() => rmSync(place.root, { recursive: true }))

  const fresh = () => isFresh(place.dist, "daemon", sourceHash(place.root))

  it("is fresh right after a build, whatever the files' times", () => {
    utimesSync(join(place.root, "src", "model", "A.ts"), new Date(), new Date(Date.now() + 60_000))
    assert.isTrue(fresh())
  })

  it("is stale when a source changed, came, or a dependency moved", () => {
    writeFileSync(join(place.root, "src", "model", "B.ts"), "")
    assert.isFalse(fresh())
    rmSync(join(place.root, "src", "model", "B.ts"))
    assert.isTrue(fresh())
    writeFileSync(join(place.root, "package-lock.json"), "{ }")
    assert.isFalse(fresh())
  })

  it("is stale when what was built is gone, or the build did not finish", () => {
    rmSync(join(place.dist, "main.js"))
    assert.isFalse(fresh())
    writeFileSync(join(place.dist, "main.js"), "")
    clearStamp(place.dist, "daemon")
    assert.isFalse(fresh())
  })
})
