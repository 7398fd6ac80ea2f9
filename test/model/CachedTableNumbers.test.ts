/** What was written is read back (`faults.md`: write, restart, read), whatever JSON a control plane may send. */
import { assert, describe, it } from "@effect/vitest"
import { decodeCachedTable, encodeCachedTable } from "../../src/model/CachedTable.ts"
import { decodeTable } from "../../src/model/ConfigTable.ts"
import { describeTable } from "../../src/model/TableContent.ts"
import { testCatalogue } from "../support/plugins.ts"

describe("a number beyond what a double holds", () => {
  it("in a section that is kept and not served does not make the cache unreadable", () => {
    const raw = JSON.parse(
      '{"vaults":[{"name":"env","prefix":"e","config":{"ttl":1e400}}],"_format_version":"3.0","services":[]}'
    )
    assert.strictEqual(decodeTable(raw, testCatalogue)._tag, "Right")
    const origin = { hash: "a".repeat(32), source: "control_plane", receivedAtMs: 1 }
    assert.strictEqual(decodeCachedTable(encodeCachedTable(describeTable(raw), origin))._tag, "Right")
  })
})
