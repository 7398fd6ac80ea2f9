/** What a node says of its configuration in headers (`docs/peers.md`, "What goes over the wire"). */

import { validateHeaderValue } from "node:http"
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { type PeerStanding, readStanding, standingHeaders } from "../../src/model/PeerStanding.ts"
import { holds } from "../support/property.ts"

const text = fc.string({ unit: "grapheme", minLength: 1, maxLength: 40 }).filter((value) => value.isWellFormed())
const sequence = fc.maxSafeInteger()

const standings: fc.Arbitrary<PeerStanding> = fc.record(
  {
    hash: text,
    epoch: text,
    sequence,
    issuedAtMs: fc.integer({ min: 0, max: Date.UTC(2200, 0) }),
    rollbackOver: fc.record({ epoch: text, sequence })
  },
  { requiredKeys: ["hash"] }
)

describe("the standing of a configuration", () => {
  it("goes through headers as it is, whatever a control plane calls it", () => {
    holds(standings, (standing) => {
      const headers = standingHeaders(standing)
      for (const [name, value] of Object.entries(headers)) validateHeaderValue(name, value)
      assert.deepEqual(
        readStanding((name) => headers[name]),
        standing
      )
    })
  })

  it("is none without a name, and what can't be read of it is as if it were not there", () => {
    holds(
      fc.dictionary(
        fc.constantFrom(
          ...Object.keys(
            standingHeaders({
              hash: "h",
              epoch: "e",
              sequence: 1,
              issuedAtMs: 1,
              rollbackOver: { epoch: "e", sequence: 1 }
            })
          )
        ),
        fc.string()
      ),
      (headers) => {
        const read = readStanding((name) => headers[name])
        if (read === undefined) return
        assert.isNotEmpty(read.hash)
        assert.isTrue(read.sequence === undefined || Number.isSafeInteger(read.sequence))
      }
    )
    assert.isUndefined(readStanding(() => undefined))
    assert.isUndefined(readStanding(() => "%"))
  })
})
