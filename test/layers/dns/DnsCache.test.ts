/** The life of a name in the cache, on a clock of the test's: reference `proxy-behaviour.md` §6, §9. */
import { assert, describe, it } from "vitest"
import { type Answer, DnsCache, type DnsOptions, type RecordType } from "../../../src/layers/dns/DnsCache.ts"
import { ResolveFailure } from "../../../src/services/Resolver.ts"

interface Asked {
  readonly question: string
  readonly answer: (answer: Answer) => void
}

const notFound: Answer = { _tag: "NotFound" }
const broken: Answer = { _tag: "Failed", code: "ESERVFAIL" }
const silent: Answer = { _tag: "Failed", code: "ETIMEOUT" }
const records = (ttlSeconds: number, ...hosts: ReadonlyArray<string>): Answer => ({
  _tag: "Records",
  ttlSeconds,
  records: hosts.map((host) => ({ host, port: 0, weight: 1 }))
})

/** A cache whose clock and whose servers are the test's. */
const setup = (options: Partial<DnsOptions> = {}) => {
  const asked: Array<Asked> = []
  const clock = { nowMs: 1_000 }
  const cache = new DnsCache({
    nowMs: () => clock.nowMs,
    query: (name, type, done) => void asked.push({ question: `${type} ${name}`, answer: done }),
    hosts: new Map(),
    candidates: (name) => [name],
    order: ["A"],
    lastFirst: true,
    staleMs: 3_600_000,
    notFoundMs: 30_000,
    errorMs: 1_000,
    maxNames: 100,
    ...options
  })
  const resolve = (host = "a.test", port = 80) => {
    const found: { told: string | undefined } = { told: undefined }
    cache.resolve({ host, port }, (result) => {
      found.told = result instanceof ResolveFailure ? result.code : `${result.host}:${result.port}`
    })
    return found
  }
  const answer = (given: Answer) => {
    const next = asked.shift()
    if (next === undefined) throw new Error("nothing was asked")
    next.answer(given)
    return next.question
  }
  return { cache, clock, asked, resolve, answer }
}

describe("the DNS cache (proxy-behaviour.md §9)", () => {
  it("asks once for any number of requests at once, then answers on the spot until the TTL is over", () => {
    const { asked, clock, resolve, answer } = setup()
    const waiting = [resolve(), resolve(), resolve("A.TEST")]
    assert.lengthOf(asked, 1)
    answer(records(5, "10.0.0.1"))
    assert.deepEqual(
      waiting.map(({ told }) => told),
      Array.from({ length: 3 }, () => "10.0.0.1:80")
    )
    clock.nowMs += 4_999
    assert.strictEqual(resolve("a.test", 81).told, "10.0.0.1:81")
    assert.lengthOf(asked, 0)
  })

  it("takes the addresses in turn, and goes on with the turn when the same ones come again", () => {
    const { clock, resolve, answer } = setup()
    resolve()
    answer(records(5, "10.0.0.1", "10.0.0.2"))
    const next = () => resolve().told?.slice(7, 8)
    assert.deepEqual([next(), next(), next()].join(""), "212")
    clock.nowMs += 6_000
    const first = next()
    answer(records(5, "10.0.0.2", "10.0.0.1"))
    assert.notStrictEqual(next(), first)
  })

  it("serves what is out of date while it asks again in the background, for dns_stale_ttl", () => {
    const { asked, clock, resolve, answer } = setup()
    resolve()
    answer(records(5, "10.0.0.1"))
    clock.nowMs += 5_000
    assert.deepEqual([resolve().told, resolve().told], ["10.0.0.1:80", "10.0.0.1:80"])
    assert.lengthOf(asked, 1)
    answer(records(5, "10.0.0.2"))
    assert.strictEqual(resolve().told, "10.0.0.2:80")
    clock.nowMs += 5_000 + 3_600_000
    const late = resolve()
    assert.isUndefined(late.told)
    answer(records(5, "10.0.0.3"))
    assert.strictEqual(late.told, "10.0.0.3:80")
  })

  it("goes on with what it knows while servers fail, asking once a second, until that is too old", () => {
    const { asked, clock, resolve, answer } = setup()
    resolve()
    answer(records(5, "10.0.0.1"))
    clock.nowMs += 6_000
    assert.strictEqual(resolve().told, "10.0.0.1:80")
    answer(broken)
    clock.nowMs += 999
    assert.strictEqual(resolve().told, "10.0.0.1:80")
    assert.lengthOf(asked, 0)
    clock.nowMs += 1
    assert.strictEqual(resolve().told, "10.0.0.1:80")
    assert.lengthOf(asked, 1)
    clock.nowMs += 3_600_000
    answer(broken)
    assert.strictEqual(resolve().told, "ESERVFAIL")
  })

  it("remembers for 30 s that a name does not exist, for 1 s that no server answered", () => {
    for (const { given, code, forMs } of [
      { given: notFound, code: "ENOTFOUND", forMs: 30_000 },
      { given: records(5), code: "ENOTFOUND", forMs: 30_000 },
      { given: broken, code: "ESERVFAIL", forMs: 1_000 }
    ]) {
      const { asked, clock, resolve, answer } = setup()
      const first = resolve()
      answer(given)
      assert.strictEqual(first.told, code)
      clock.nowMs += forMs - 1
      assert.strictEqual(resolve().told, code)
      assert.lengthOf(asked, 0)
      clock.nowMs += 1
      resolve()
      answer(records(5, "10.0.0.1"))
      assert.strictEqual(resolve().told, "10.0.0.1:80")
    }
  })

  it("lets a name that is gone be gone, whatever it was before", () => {
    const { clock, resolve, answer } = setup()
    resolve()
    answer(records(5, "10.0.0.1"))
    clock.nowMs += 6_000
    assert.strictEqual(resolve().told, "10.0.0.1:80")
    answer(notFound)
    assert.strictEqual(resolve().told, "ENOTFOUND")
  })

  it("asks for each request where the TTL is 0, still once for all that wait", () => {
    const { asked, resolve, answer } = setup()
    resolve()
    answer(records(0, "10.0.0.1"))
    const waiting = [resolve(), resolve()]
    assert.deepEqual([asked.length, waiting[0]?.told], [1, undefined])
    answer(records(0, "10.0.0.2"))
    assert.deepEqual(
      waiting.map(({ told }) => told),
      ["10.0.0.2:80", "10.0.0.2:80"]
    )
    const again = resolve()
    answer(broken)
    assert.strictEqual(again.told, "10.0.0.2:80")
  })

  it("asks by dns_order, the type that last had records first", () => {
    const order: ReadonlyArray<RecordType> = ["SRV", "A", "AAAA"]
    const { clock, resolve, answer } = setup({ order })
    resolve()
    assert.deepEqual([answer(notFound), answer(records(5, "10.0.0.1"))], ["SRV a.test", "A a.test"])
    clock.nowMs += 6_000
    resolve()
    assert.deepEqual([answer(notFound), answer(notFound), answer(notFound)], ["A a.test", "SRV a.test", "AAAA a.test"])
    assert.strictEqual(resolve().told, "ENOTFOUND")
    const plain = setup({ order, lastFirst: false })
    plain.resolve()
    plain.answer(notFound)
    plain.answer(records(5, "10.0.0.1"))
    plain.clock.nowMs += 6_000
    plain.resolve()
    assert.strictEqual(plain.answer(broken), "SRV a.test")
  })

  it("tells the failure when one type failed and the others are not there; what nobody answers is not varied", () => {
    const candidates = (name: string) => [name, `${name}.internal`]
    const { asked, resolve, answer } = setup({ order: ["SRV", "A"], candidates })
    const found = resolve("a")
    assert.deepEqual([answer(silent), answer(notFound), answer(notFound)], ["SRV a", "A a", "A a.internal"])
    assert.lengthOf(asked, 0)
    assert.strictEqual(found.told, "ETIMEOUT")
  })

  it("finds a name although a server fails over its variant of a search domain", () => {
    const candidates = (name: string) => [`${name}.broken.corp`, name]
    for (const code of ["ESERVFAIL", "EREFUSED", "EFORMERR", "EBADNAME", "ENOTIMP"]) {
      const failure: Answer = { _tag: "Failed", code }
      const { resolve, answer } = setup({ order: ["A"], candidates })
      const found = resolve("a.test")
      assert.deepEqual([answer(failure), answer(records(5, "10.0.0.1"))], ["A a.test.broken.corp", "A a.test"])
      assert.strictEqual(found.told, "10.0.0.1:80")
      const lost = setup({ order: ["A"], candidates })
      const notThere = lost.resolve("a.test")
      lost.answer(failure)
      lost.answer(notFound)
      assert.strictEqual(notThere.told, code)
    }
  })

  it("follows SRV records by weight to names, which are asked for their addresses only; their port wins (§6)", () => {
    const { asked, resolve, answer } = setup({ order: ["SRV", "A"] })
    const found = resolve("svc.test", 80)
    answer({
      _tag: "Records",
      ttlSeconds: 30,
      records: [
        { host: "b.test", port: 8001, weight: 3 },
        { host: "10.0.0.9", port: 8002, weight: 1 }
      ]
    })
    assert.strictEqual(asked[0]?.question, "A b.test")
    answer(records(30, "10.0.0.1"))
    assert.strictEqual(found.told, "10.0.0.1:8001")
    const told = Array.from({ length: 7 }, () => resolve("svc.test", 80).told)
    assert.lengthOf(
      told.filter((address) => address === "10.0.0.9:8002"),
      2
    )
    assert.lengthOf(asked, 0)
  })

  it("asks nobody for addresses and for names of the hosts file", () => {
    const { asked, clock, resolve } = setup({ hosts: new Map([["localhost", ["127.0.0.1"]]]) })
    assert.deepEqual([resolve("::1").told, resolve("10.0.0.1").told], ["::1:80", "10.0.0.1:80"])
    clock.nowMs += 1e12
    assert.strictEqual(resolve("LocalHost").told, "127.0.0.1:80")
    assert.lengthOf(asked, 0)
  })

  it("remembers only so many names, and counts what it does", () => {
    const { cache, resolve, answer } = setup({ maxNames: 2 })
    for (const name of ["a", "b", "c", "a"]) {
      resolve(name)
      answer(records(5, "10.0.0.1"))
    }
    resolve("a")
    assert.deepEqual(cache.stats(), { names: 2, hits: 1, stale: 0, misses: 4, queries: 4, failures: 0 })
  })
})
