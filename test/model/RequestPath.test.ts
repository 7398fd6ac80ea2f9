import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import {
  encodePath,
  forwardedPrefix,
  normalizePath,
  splitTarget,
  toByteString,
  upstreamPath,
  upstreamTarget
} from "../../src/model/RequestPath.ts"

/** `router.md` §8: service.path, route path, request, with strip_path, without. */
const table: ReadonlyArray<readonly [string, string, string, string, string]> = [
  ["/", "/", "/", "/", "/"],
  ["/", "/", "/fee", "/fee", "/fee"],
  ["/", "/", "/fee/", "/fee/", "/fee/"],
  ["/", "/", "/feebar", "/feebar", "/feebar"],
  ["/", "/", "/fee/bar", "/fee/bar", "/fee/bar"],
  ["/", "/fee", "/fee", "/", "/fee"],
  ["/", "/fee", "/fee/", "/", "/fee/"],
  ["/", "/fee", "/feebar", "/bar", "/feebar"],
  ["/", "/fee", "/fee/bar", "/bar", "/fee/bar"],
  ["/", "/fee/", "/fee/", "/", "/fee/"],
  ["/", "/fee/", "/fee/bar", "/bar", "/fee/bar"],
  ["/srv", "/", "/", "/srv", "/srv"],
  ["/srv", "/", "/fee", "/srv/fee", "/srv/fee"],
  ["/srv", "/", "/fee/", "/srv/fee/", "/srv/fee/"],
  ["/srv", "/", "/feebar", "/srv/feebar", "/srv/feebar"],
  ["/srv", "/", "/fee/bar", "/srv/fee/bar", "/srv/fee/bar"],
  ["/srv", "/fee", "/fee", "/srv", "/srv/fee"],
  ["/srv", "/fee", "/fee/", "/srv/", "/srv/fee/"],
  ["/srv", "/fee", "/feebar", "/srv/bar", "/srv/feebar"],
  ["/srv", "/fee", "/fee/bar", "/srv/bar", "/srv/fee/bar"],
  ["/srv", "/fee/", "/fee/", "/srv/", "/srv/fee/"],
  ["/srv", "/fee/", "/fee/bar", "/srv/bar", "/srv/fee/bar"],
  ["/srv/", "/", "/", "/srv/", "/srv/"],
  ["/srv/", "/", "/fee", "/srv/fee", "/srv/fee"],
  ["/srv/", "/", "/fee/", "/srv/fee/", "/srv/fee/"],
  ["/srv/", "/", "/feebar", "/srv/feebar", "/srv/feebar"],
  ["/srv/", "/", "/fee/bar", "/srv/fee/bar", "/srv/fee/bar"],
  ["/srv/", "/fee", "/fee", "/srv", "/srv/fee"],
  ["/srv/", "/fee", "/fee/", "/srv/", "/srv/fee/"],
  ["/srv/", "/fee", "/feebar", "/srv/bar", "/srv/feebar"],
  ["/srv/", "/fee", "/fee/bar", "/srv/bar", "/srv/fee/bar"],
  ["/srv/", "/fee/", "/fee/", "/srv/", "/srv/fee/"],
  ["/srv/", "/fee/", "/fee/bar", "/srv/bar", "/srv/fee/bar"]
]

describe("upstream path, router.md §8", () => {
  it.each(table)("service %s, route %s, request %s", (base, matchedPath, path, stripped, whole) => {
    assert.strictEqual(upstreamPath({ base, path, matchedPath, isStripped: true }), stripped)
    assert.strictEqual(upstreamPath({ base, path, matchedPath, isStripped: false }), whole)
  })

  it("no service path means /, no route path behaves like /", () => {
    assert.strictEqual(upstreamPath({ base: null, path: "/a/b", matchedPath: "", isStripped: true }), "/a/b")
    for (const [base, , path, stripped, whole] of table.filter(([, route]) => route === "/")) {
      assert.strictEqual(upstreamPath({ base, path, matchedPath: "", isStripped: true }), stripped)
      assert.strictEqual(upstreamPath({ base, path, matchedPath: "", isStripped: false }), whole)
    }
  })

  it.each([
    ["/route./req", "/srv/req"],
    ["/route../req", "/srv/req"],
    ["/route.", "/srv"],
    ["/route..", "/srv"],
    ["/route...", "/srv/..."],
    ["/route.x", "/srv/.x"]
  ])("dots right behind the prefix: %s", (path, expected) => {
    assert.strictEqual(upstreamPath({ base: "/srv", path, matchedPath: "/route", isStripped: true }), expected)
  })

  it("the whole match of a regular expression is stripped", () => {
    assert.strictEqual(
      upstreamPath({ base: null, path: "/users/12/x", matchedPath: "/users/12", isStripped: true }),
      "/x"
    )
  })

  it("the query goes along unchanged, a bare ? included", () => {
    const input = { base: null, path: "/a b", matchedPath: "", isStripped: true }
    assert.strictEqual(upstreamTarget(input, "?q=%zz b"), "/a%20b?q=%zz b")
    assert.strictEqual(upstreamTarget(input, "?"), "/a%20b?")
    assert.deepStrictEqual(splitTarget("/a?b?c"), { path: "/a", query: "?b?c" })
    assert.deepStrictEqual(splitTarget("/a?"), { path: "/a", query: "?" })
  })

  it("X-Forwarded-Prefix tells what was stripped, unless that is nothing", () => {
    assert.strictEqual(forwardedPrefix("/fee", true), "/fee")
    assert.strictEqual(forwardedPrefix("/fee", false), undefined)
    assert.strictEqual(forwardedPrefix("/", true), undefined)
    assert.strictEqual(forwardedPrefix("", true), undefined)
  })
})

describe("normalisation, router.md §2", () => {
  it.each([
    ["/", "/"],
    ["/a/b", "/a/b"],
    ["/a/", "/a/"],
    ["//a///b", "/a/b"],
    ["/a/./b", "/a/b"],
    ["/a/../b", "/b"],
    ["/a/..", "/"],
    ["/a/b/..", "/a/"],
    ["/a/b/.", "/a/b/"],
    ["/..", "/"],
    ["/../../a", "/a"],
    ["/a//../b", "/a/b"],
    ["/.well-known/x", "/.well-known/x"],
    ["/a/...", "/a/..."],
    ["/%61%2D", "/a-"],
    ["/a/%2e%2E/b", "/b"],
    ["/a%2fb", "/a%2Fb"],
    ["/%2f..%2f", "/%2F..%2F"],
    ["/a%20b", "/a b"],
    ["/%c3%bc", "/\u00c3\u00bc"],
    ["/%25%32%65", "/%252e"],
    ["/%3fa", "/%3Fa"]
  ])("%s", (path, expected) => assert.strictEqual(normalizePath(path), expected))

  it.each(["", "*", "a", "/%", "/%4", "/%zz", "/%%341", "/a%00b"])("refuses %s", (path) =>
    assert.strictEqual(normalizePath(path), undefined)
  )

  it("bytes that a request line may not carry are encoded again", () => {
    assert.strictEqual(encodePath('/a b"<>\u00c3\u00bc%2F'), "/a%20b%22%3C%3E%C3%BC%2F")
    assert.strictEqual(toByteString("/ü"), "/\u00c3\u00bc")
  })

  const segment = fc.oneof(
    fc.constantFrom(".", "..", "", "a", "%2e", "%2E%2e", "%2f", "%25", "%20", "%C3%BC", "b.c", ";", "%00x", "%5c"),
    fc.string({ maxLength: 4 })
  )
  const anyPath = fc.array(segment, { maxLength: 8 }).map((segments) => `/${segments.join("/")}`)
  const parameters = { seed: 20261123, numRuns: 2000 }

  it("is idempotent, and never climbs above the root", () => {
    fc.assert(
      fc.property(anyPath, (path) => {
        const once = normalizePath(path)
        if (once === undefined) return
        assert.strictEqual(normalizePath(once), once)
        assert.isTrue(once.startsWith("/"))
        assert.notMatch(once, /\/\//)
        assert.isFalse(once.split("/").some((part) => part === "." || part === ".."))
      }),
      parameters
    )
  })

  it("what is sent upstream normalises to what was matched", () => {
    fc.assert(
      fc.property(anyPath, (path) => {
        const once = normalizePath(path)
        if (once === undefined) return
        const sent = encodePath(once)
        assert.match(sent, /^[A-Za-z0-9\-_.~!#$&'()*+,/:;=?@[\]%]*$/)
        if ([...once].every((character) => character.charCodeAt(0) < 256)) assert.strictEqual(normalizePath(sent), once)
      }),
      parameters
    )
  })
})
