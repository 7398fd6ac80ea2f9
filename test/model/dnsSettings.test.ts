/** The settings of the DNS client: reference `proxy-behaviour.md` §9. */
import { assert, describe, it } from "vitest"
import { nameServers, recordOrder } from "../../src/model/SettingTypes.ts"

describe("DNS settings (proxy-behaviour.md §9)", () => {
  it("takes name servers with and without a port, of either family", () => {
    assert.deepEqual(nameServers.parse("10.0.0.1, 10.0.0.2:5353,fd00::1, [fd00::2]:54"), [
      "10.0.0.1:53",
      "10.0.0.2:5353",
      "[fd00::1]:53",
      "[fd00::2]:54"
    ])
    assert.deepEqual(nameServers.parse(""), [])
    for (const bad of ["dns.test", "dns.test:53", "10.0.0.1:x", "10.0.0.1:70000"])
      assert.isUndefined(nameServers.parse(bad), bad)
  })

  it("takes the order of record types in any case, with at least one that leads somewhere", () => {
    assert.deepEqual(recordOrder.parse("last, srv,A,AAAA,cname"), ["LAST", "SRV", "A", "AAAA", "CNAME"])
    for (const bad of ["", "LAST", "LAST,CNAME", "A,MX"]) assert.isUndefined(recordOrder.parse(bad), bad)
  })
})
