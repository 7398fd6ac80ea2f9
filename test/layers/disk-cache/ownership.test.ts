/** Whose the current file is (`resilience.md` §4): what the node has seen of it, and what each kind of news changes. */
import { assert, describe, it } from "@effect/vitest"
import { makeOwnership, type Ownership } from "../../../src/layers/disk-cache/ownership.ts"
import { absent, unreadable } from "../../../src/layers/disk-cache/readCacheFile.ts"

describe("the ownership of the cache file", () => {
  it("is the node's for what it found where it looked first, and that is worth keeping", () => {
    const ownership = makeOwnership()
    ownership.adopt("found")
    assert.deepEqual([ownership.stateOf("found"), ownership.stateOf("other")], ["own", "foreign"])
    assert.isTrue(ownership.isTrusted("found"))
  })

  it("is nobody's where nothing was, and nothing is worth keeping of what can't be read", () => {
    const empty = makeOwnership()
    empty.adopt(absent)
    assert.deepEqual([empty.stateOf(absent), empty.stateOf("a")], ["absent", "foreign"])
    assert.isFalse(empty.isTrusted(absent))
    const broken = makeOwnership()
    broken.adopt(unreadable)
    assert.strictEqual(broken.stateOf(unreadable), "own")
    assert.isFalse(broken.isTrusted(unreadable))
  })

  it("is the node's for what it tried to write, whether or not that took the other's place", () => {
    const ownership = makeOwnership()
    ownership.wrote("a")
    ownership.attempt("b", "a")
    assert.deepEqual([ownership.stateOf("a"), ownership.stateOf("b")], ["own", "own"])
    assert.isTrue(ownership.isTrusted("a"))
    assert.isFalse(ownership.isTrusted("b"))
  })

  it("is the node's for what an earlier try left, and for what stood there if it left nothing", () => {
    const left = makeOwnership()
    left.wrote("a")
    left.attempt("b", "a")
    left.attempt("c", "b")
    assert.deepEqual([left.stateOf("b"), left.stateOf("c")], ["own", "own"])
    const leftNothing = makeOwnership()
    leftNothing.wrote("a")
    leftNothing.attempt("b", "a")
    leftNothing.attempt("c", "a")
    assert.deepEqual([leftNothing.stateOf("a"), leftNothing.stateOf("c")], ["own", "own"])
    const overTheirs = makeOwnership()
    overTheirs.wrote("a")
    overTheirs.attempt("b", "theirs")
    assert.strictEqual(overTheirs.stateOf("theirs"), "foreign")
  })

  it("is a person's for what was read of one, until it is the node's", () => {
    const ownership = makeOwnership()
    ownership.readsByHand("theirs")
    assert.strictEqual(ownership.stateOf("theirs"), "known")
    ownership.reads("theirs")
    assert.strictEqual(ownership.stateOf("theirs"), "own")
    assert.isFalse(ownership.isTrusted("theirs"))
    ownership.trust("theirs")
    assert.isTrue(ownership.isTrusted("theirs"))
  })

  it("goes with what stood there last: what was there before that is a change like any other", () => {
    const news = {
      adopt: (ownership: Ownership) => ownership.adopt("new"),
      wrote: (ownership: Ownership) => ownership.wrote("new"),
      reads: (ownership: Ownership) => ownership.reads("new"),
      readsByHand: (ownership: Ownership) => ownership.readsByHand("new")
    }
    for (const [name, hear] of Object.entries(news)) {
      const ownership = makeOwnership()
      ownership.readsByHand("known")
      ownership.attempt("tried", "other")
      hear(ownership)
      assert.deepEqual([ownership.stateOf("known"), ownership.stateOf("tried")], ["foreign", "foreign"], name)
      ownership.wrote("own")
      hear(ownership)
      assert.strictEqual(ownership.stateOf("own"), "foreign", name)
      assert.strictEqual(ownership.stateOf("new"), name === "readsByHand" ? "known" : "own")
    }
  })

  it("is a person's still while a write over it may or may not have taken its place", () => {
    const ownership = makeOwnership()
    ownership.readsByHand("theirs")
    ownership.attempt("tried", "other")
    assert.deepEqual([ownership.stateOf("theirs"), ownership.stateOf("tried")], ["known", "own"])
  })

  it("goes with the content to other bytes, and for each of what it is by itself", () => {
    const all = (last: "own" | "known") => {
      const ownership = makeOwnership()
      if (last === "own") ownership.wrote("own")
      else ownership.readsByHand("known")
      ownership.attempt("tried", "other")
      ownership.trust("trusted")
      return ownership
    }
    const names = ["own", "tried", "known", "trusted"] as const
    for (const [last, renewed] of names.flatMap((name) => [["own", name] as const, ["known", name] as const])) {
      const ownership = all(last)
      ownership.renewed(renewed, "new")
      const standing = (name: string) => `${ownership.stateOf(name)} ${ownership.isTrusted(name)}`
      const before = all(last)
      assert.strictEqual(standing("new"), `${before.stateOf(renewed)} ${before.isTrusted(renewed)}`)
      for (const name of names)
        assert.strictEqual(
          standing(name),
          name === renewed ? "foreign false" : `${before.stateOf(name)} ${before.isTrusted(name)}`
        )
    }
  })
})
