/** One request, one line; nothing that a client sends gets out of its field, and no query gets in unasked. */
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { type AccessFacts, accessLine } from "../../src/model/AccessLog.ts"
import { holds } from "../support/property.ts"

const facts = (given: Partial<AccessFacts> = {}): AccessFacts => ({
  atMs: Date.UTC(2026, 1, 3, 4, 5, 6, 789),
  id: "0123456789abcdef0123456789abcdef",
  clientAddress: "192.0.2.7",
  method: "GET",
  target: "/a/b?token=secret",
  httpVersion: "1.1",
  isTls: true,
  status: 200,
  source: "service",
  service: "shop",
  route: "all",
  consumer: undefined,
  requestBodyBytes: 3,
  responseBodyBytes: 1234,
  requestMs: 12.34567,
  proxyMs: 1,
  upstreamMs: -1,
  referer: "https://x.test/p?session=1",
  userAgent: "curl/8.0",
  traceId: undefined,
  ...given
})

const combined = { format: "combined", hasQuery: false } as const
const json = { format: "json", hasQuery: false } as const

describe("a line of the access log", () => {
  it("is nginx's combined format, without queries", () => {
    assert.strictEqual(
      accessLine(facts(), combined),
      '192.0.2.7 - - [03/Feb/2026:04:05:06 +0000] "GET /a/b HTTP/1.1" 200 1234 "https://x.test/p" "curl/8.0"\n'
    )
    const withQuery = accessLine(facts(), { ...combined, hasQuery: true })
    assert.include(withQuery, '"GET /a/b?token=secret HTTP/1.1" 200 1234 "https://x.test/p?session=1"')
  })

  it("has a dash for what is not there", () => {
    const none = { clientAddress: "", method: undefined, target: undefined, referer: undefined, userAgent: "" }
    assert.strictEqual(
      accessLine(facts({ ...none, status: 400, responseBodyBytes: 0 }), combined),
      '- - - [03/Feb/2026:04:05:06 +0000] "-" 400 0 "-" "-"\n'
    )
  })

  it("escapes as nginx does", () => {
    const userAgent = 'a"b\\c\n\u00e9\u007f\u20ac'
    assert.include(accessLine(facts({ userAgent }), combined), '"a\\x22b\\x5Cc\\x0A\\xE9\\x7F\\xE2\\x82\\xAC"\n')
  })

  it("is JSON, without what has nothing to tell", () => {
    assert.deepEqual(JSON.parse(accessLine(facts(), json)), {
      time: "2026-02-03T04:05:06.789Z",
      request_id: "0123456789abcdef0123456789abcdef",
      client: "192.0.2.7",
      method: "GET",
      target: "/a/b",
      http_version: "1.1",
      tls: true,
      status: 200,
      source: "service",
      service: "shop",
      route: "all",
      request_bytes: 3,
      response_bytes: 1234,
      request_ms: 12.346,
      proxy_ms: 1,
      referer: "https://x.test/p",
      user_agent: "curl/8.0"
    })
  })

  const anything = fc.string({ unit: "binary", maxLength: 40 })
  const hostile = fc.record({ method: anything, target: anything, referer: anything, userAgent: anything })

  it("keeps whatever a client sends in one field of one line", () => {
    const shape =
      /^192\.0\.2\.7 - - \[03\/Feb\/2026:04:05:06 \+0000\] "([^"]*) HTTP\/1\.1" 200 1234 "([^"]*)" "([^"]*)"\n$/
    holds(hostile, (given) => {
      const line = accessLine(facts(given), { ...combined, hasQuery: true })
      assert.match(line, shape)
      assert.match(line, /^[\x20-\x7e]*\n$/)
      const asJson = accessLine(facts(given), { ...json, hasQuery: true })
      assert.strictEqual(asJson.indexOf("\n"), asJson.length - 1)
      const { method, target, user_agent } = JSON.parse(asJson)
      // A half of a pair goes out as an escape, and comes back as it was.
      assert.deepEqual([method, target, user_agent], [given.method, given.target, given.userAgent])
    })
  })

  it("never holds a query that was not asked for", () => {
    holds(fc.tuple(fc.webPath(), fc.constantFrom("?", "#")), ([path, mark]) => {
      const secret = `${path}${mark}s3cret=s3cret`
      for (const style of [combined, json])
        assert.notInclude(accessLine(facts({ target: secret, referer: `https://x.test${secret}` }), style), "s3cret")
    })
  })

  it("has no control character that JSON lets pass: a terminal would obey it", () => {
    const userAgent = "\u009b2Jx\u007f\u0085\u2028\u2029"
    const line = accessLine(facts({ userAgent }), json)
    assert.notMatch(line.slice(0, -1), /[\p{Cc}\u2028\u2029]/u)
    assert.strictEqual(JSON.parse(line).user_agent, userAgent)
  })

  it("never holds the user and password of a whole URL, unless queries are asked for", () => {
    const given = { target: "http://ann:s3cret@shop.test/a@b", referer: "https://ann:s3cret@x.test/p?q" }
    for (const style of [combined, json]) {
      const line = accessLine(facts(given), style)
      assert.include(line, "http://shop.test/a@b")
      assert.include(line, '"https://x.test/p"')
    }
    assert.include(accessLine(facts(given), { ...combined, hasQuery: true }), given.target)
  })
})
