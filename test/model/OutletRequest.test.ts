/** Open-source data planes do not encode what they write into the URL: reference `hybrid-protocol-v1.md` §1. */
import { assert, it } from "@effect/vitest"
import { parseOutletRequest } from "../../src/model/OutletRequest.ts"

const values = (query: string) => {
  const { nodeId, hostname, version } = parseOutletRequest(`/v1/outlet?${query}`)
  return [nodeId, hostname, version]
}

it("reads values encoded or not", () => {
  assert.deepStrictEqual(values("node_id=a&node_hostname=my%20host&node_version=3.9.0"), ["a", "my host", "3.9.0"])
  assert.deepStrictEqual(values("node_id=a&node_hostname=my host&node_version=3.9.0+x"), ["a", "my host", "3.9.0+x"])
  assert.deepStrictEqual(values("node_id=a&node_hostname=100%&node_version=1=2"), ["a", "100%", "1=2"])
})

it("an empty value is none", () => {
  assert.deepStrictEqual(values("node_id=&node_version"), [undefined, undefined, undefined])
  assert.deepStrictEqual(parseOutletRequest("/v1/outlet"), {
    path: "/v1/outlet",
    nodeId: undefined,
    hostname: undefined,
    version: undefined
  })
})
