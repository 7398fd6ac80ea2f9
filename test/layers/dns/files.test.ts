import { assert, describe, it } from "vitest"
import { parseHosts } from "../../../src/layers/dns/hostsFile.ts"
import { candidatesFor, parseResolvConf } from "../../../src/layers/dns/resolvConf.ts"

describe("the hosts file (proxy-behaviour.md §9)", () => {
  it("names addresses, those of IPv4 first; localhost is always there", () => {
    const hosts = parseHosts(
      "# a comment\n::1 localhost Six\n127.0.0.1\tlocalhost  # here\n10.0.0.1 db db.internal\nnonsense x\n"
    )
    assert.deepEqual(Object.fromEntries(hosts), {
      localhost: ["127.0.0.1"],
      six: ["::1"],
      db: ["10.0.0.1"],
      "db.internal": ["10.0.0.1"]
    })
    assert.deepEqual(parseHosts("").get("localhost"), ["127.0.0.1"])
  })
})

describe("resolv.conf", () => {
  it("gives search domains and how often and long to ask; out of range is brought into range", () => {
    const text =
      "nameserver 10.0.0.1\nsearch old.test\nsearch a.test b.test. # c\noptions ndots:2 timeout:99 attempts:0\n"
    const conf = parseResolvConf(text)
    assert.deepEqual(conf, { search: ["a.test", "b.test"], ndots: 2, timeoutMs: 30_000, attempts: 1 })
    assert.deepEqual(parseResolvConf(""), { search: [], ndots: 1, timeoutMs: 2_000, attempts: 2 })
    const candidates = candidatesFor(conf)
    assert.deepEqual(candidates("svc"), ["svc.a.test", "svc.b.test", "svc"])
    assert.deepEqual(candidates("a.b.c"), ["a.b.c", "a.b.c.a.test", "a.b.c.b.test"])
    assert.deepEqual(candidates("svc."), ["svc"])
  })
})
