/** `DESIGN.md`, "The life of a node" 2 and 3, and "Where sources disagree, we decide". */
import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import { parseSettings } from "../../src/model/parseSettings.ts"
import { rungSources, type Source } from "../../src/model/Snapshot.ts"
import {
  inOrder,
  isAtLeastAsGood,
  isBetter,
  isUsed,
  moveBetween,
  type Preference,
  preferenceOf
} from "../../src/model/SourcePreference.ts"
import { settingNotices } from "../../src/model/settingNotices.ts"
import { cases } from "../support/cases.ts"

const joined = { KONG_CLUSTER_CONTROL_PLANE: "cp:8005", KONG_CLUSTER_CERT: "c", KONG_CLUSTER_CERT_KEY: "k" }
const parse = (config_sources: string | undefined, env: Readonly<Record<string, string>> = joined) =>
  parseSettings({ env: { ...env, ...(config_sources === undefined ? {} : { KONG_CONFIG_SOURCES: config_sources }) } })
const preference = (config_sources: string | undefined, env?: Readonly<Record<string, string>>) =>
  preferenceOf(parse(config_sources, env).values)

const preferences: fc.Arbitrary<Preference> = fc.shuffledSubarray([...rungSources], { minLength: 1 })
const anySource: fc.Arbitrary<Source> = fc.constantFrom(...rungSources, "empty")

describe("config_sources", () => {
  it("defaults to the order of the ladder; on a node on its own what a person wrote comes first", () => {
    assert.deepEqual(preference(undefined), rungSources)
    assert.deepEqual(preference(undefined, {}), ["declarative_file", "disk", "peer", "object_storage"])
    assert.deepEqual(preference(" Control_Plane,declarative_file , disk"), [
      "control_plane",
      "declarative_file",
      "disk"
    ])
    assert.isFalse(isUsed(preference("control_plane,disk"), "declarative_file"))
  })

  it.each([
    [
      "control_plane, cloud",
      /config_sources: expected a comma-separated list of .*each at most once.*, got "control_plane, cloud"/
    ],
    ["control_plane, disk, disk", /each at most once/],
    [",", /each at most once/],
    ["empty", /each at most once/],
    ["disk", /config_sources: expected control_plane among them, for cluster_control_plane names one/]
  ])("is refused as %s", (text, expected) => {
    const { faults } = parse(text)
    assert.lengthOf(faults, 1)
    const [fault] = faults
    assert.match(`${fault?.path.join(".")}: ${fault?.message}, got "${String(fault?.value)}"`, expected)
  })

  it("needs no control plane where there is none", () => {
    assert.deepEqual(parse("disk", {}).faults, [])
    assert.deepEqual(parse("disk", { ...joined, KONG_ROLE: "control_plane" }).faults, [])
  })

  it("is told where it makes something useless", () => {
    const noticed = (config_sources: string, more = {}) =>
      settingNotices(parse(config_sources, { ...joined, ...more }).values).map(({ path }) => path[0])
    assert.deepEqual(noticed("control_plane, disk"), [])
    assert.deepEqual(noticed("disk, control_plane"), ["config_sources"])
    assert.deepEqual(noticed("control_plane, disk", { KONG_DECLARATIVE_CONFIG: "/k.yml" }), ["declarative_config"])
  })
})

describe("a preference", () => {
  it("orders the sources totally: one replaces itself and what is worse, and the ground is below everything", () => {
    fc.assert(
      fc.property(preferences, anySource, anySource, anySource, (order, a, b, c) => {
        assert.isTrue(isAtLeastAsGood(order, a, a))
        assert.isTrue(isAtLeastAsGood(order, a, b) || isAtLeastAsGood(order, b, a))
        if (isAtLeastAsGood(order, a, b) && isAtLeastAsGood(order, b, c)) assert.isTrue(isAtLeastAsGood(order, a, c))
        assert.strictEqual(isBetter(order, a, b), !isAtLeastAsGood(order, b, a))
        assert.isTrue(isAtLeastAsGood(order, a, "empty"))
        if (a !== "empty") assert.isTrue(isBetter(order, a, "empty"))
      }),
      cases()
    )
  })

  it("puts what it does not list below all that it lists, and above nothing at all", () => {
    fc.assert(
      fc.property(preferences, fc.constantFrom(...rungSources), (order, source) => {
        if (order.includes(source)) return
        for (const listed of order) assert.isTrue(isBetter(order, listed, source))
        assert.isTrue(isBetter(order, source, "empty"))
      }),
      cases()
    )
  })

  it("makes a climb of one way and a fall of the other, and nothing of staying", () => {
    fc.assert(
      fc.property(preferences, anySource, anySource, (order, a, b) => {
        assert.strictEqual(moveBetween(order, a, a), undefined)
        if (isBetter(order, a, b)) {
          assert.strictEqual(moveBetween(order, b, a), "climbed")
          assert.strictEqual(moveBetween(order, a, b), "fell")
        }
      }),
      cases()
    )
  })

  it("sorts rungs, and leaves out those of sources that it does not list", () => {
    const rungs = [...rungSources, ...rungSources].map((source, at) => ({ source, at }))
    fc.assert(
      fc.property(preferences, (order) => {
        const sorted = inOrder(order, rungs)
        assert.deepEqual(
          sorted.map(({ source }) => source),
          order.flatMap((source) => [source, source])
        )
        for (let at = 0; at < sorted.length; at += 2)
          assert.isBelow(sorted[at]?.at ?? 0, sorted[at + 1]?.at ?? 0, "stable")
      }),
      cases()
    )
  })
})
