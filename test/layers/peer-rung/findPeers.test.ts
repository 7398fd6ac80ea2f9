/** Who the neighbours are: `config_peers` by addresses, names and SRV records (`proxy-behaviour.md` §9 for how names are asked for). */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, type Scope } from "effect"
import * as DnsNameServers from "../../../src/layers/dns/DnsNameServers.ts"
import { type FoundPeers, makeFindPeers } from "../../../src/layers/peer-rung/findPeers.ts"
import { sharedServerName } from "../../../src/model/Wire.ts"
import { startDnsServer, type TestRecord, type Zone } from "../../support/dnsServer.ts"
import type { Given } from "../../support/peerStage.ts"
import { settingsLayer } from "../../support/settings.ts"

const a = (address: string): TestRecord => ({ type: "A", ttl: 60, address })
const aaaa: TestRecord = { type: "AAAA", ttl: 60, groups: [0xfd00, 0, 0, 0, 0, 0, 0, 1] }
const srv = (target: string, port: number, priority = 0): TestRecord => ({
  type: "SRV",
  ttl: 60,
  priority,
  weight: 0,
  port,
  target
})

const test = (says: string, body: () => Effect.Effect<void, unknown, Scope.Scope>) =>
  it.live(says, () => Effect.scoped(body()))

const withPeers = (zone: Zone, given: Given, body: (find: Effect.Effect<FoundPeers>) => Effect.Effect<void>) =>
  Effect.gen(function* () {
    const { address } = yield* startDnsServer(zone)
    const settings = settingsLayer({ dns_resolver: address, dns_hostsfile: "/no/such/file", ...given })
    yield* Effect.flatMap(makeFindPeers, body).pipe(Effect.provide(Layer.provideMerge(DnsNameServers.layer, settings)))
  })

const names = (found: { readonly peers: ReadonlyArray<{ readonly name: string }> }) =>
  found.peers.map(({ name }) => name).toSorted()

describe("neighbours", () => {
  test("are every address of a name, of both families, and are looked up anew each time", () => {
    const zone: Zone = new Map([["peers.test", [a("10.0.0.1"), a("10.0.0.2"), aaaa]]])
    return withPeers(zone, { config_peers: "peers.test:8006, 10.0.0.2:8006, 10.0.0.9:9000" }, (find) =>
      Effect.gen(function* () {
        assert.deepEqual(names(yield* find), ["10.0.0.1:8006", "10.0.0.2:8006", "10.0.0.9:9000", "[fd00::1]:8006"])
        zone.set("peers.test", [a("10.0.0.7")])
        assert.deepEqual(names(yield* find), ["10.0.0.2:8006", "10.0.0.7:8006", "10.0.0.9:9000"])
      })
    )
  })

  test("are what the SRV records lead to, with their ports, whatever their priority", () =>
    withPeers(
      new Map<string, ReadonlyArray<TestRecord>>([
        ["_peer._tcp.test", [srv("one.test", 8006), srv("two.test", 8007, 5), srv("gone.test", 1)]],
        ["one.test", [a("10.0.0.1")]],
        ["two.test", [a("10.0.0.2"), aaaa]]
      ]),
      { config_peers: "_peer._tcp.test" },
      (find) =>
        Effect.gen(function* () {
          const found = yield* find
          assert.deepEqual(names(found), ["10.0.0.1:8006", "10.0.0.2:8007", "[fd00::1]:8007"])
          assert.deepEqual(found.problems, ["gone.test can't be resolved: ENOTFOUND"])
        })
    ))

  test("whose names can't be resolved are told, and the others are there", () =>
    withPeers(
      new Map<string, ReadonlyArray<TestRecord> | "servfail">([["broken.test", "servfail"]]),
      { config_peers: "broken.test:1, absent.test:1, _none._tcp.test, 10.0.0.1:1" },
      (find) =>
        Effect.gen(function* () {
          const { peers, problems } = yield* find
          assert.deepEqual(names({ peers }), ["10.0.0.1:1"])
          assert.sameMembers(
            problems.map((line) => line.replace(/ E.*/, "")),
            ["broken.test can't be resolved:", "absent.test can't be resolved:", "_none._tcp.test can't be resolved:"]
          )
        })
    ))

  const pki = { cluster_mtls: "pki" }
  const expectations: ReadonlyArray<readonly [string, Given, ReadonlyArray<string>]> = [
    ["shared: the cluster's one name", {}, [sharedServerName, sharedServerName]],
    ["pki: the host of the setting; of an address, the address itself", pki, ["", "peers.test"]],
    [
      "pki: config_peer_server_name, where it is set",
      { ...pki, config_peer_server_name: "dp.test" },
      ["dp.test", "dp.test"]
    ]
  ]
  for (const [says, given, expected] of expectations)
    test(`are expected under a name (hybrid-protocol-v1.md §1.2). ${says}`, () =>
      withPeers(
        new Map([["peers.test", [a("10.0.0.1")]]]),
        { ...given, config_peers: "peers.test:1, 10.0.0.2:1" },
        (find) =>
          Effect.map(find, ({ peers }) =>
            assert.sameMembers(
              peers.map(({ serverName }) => serverName),
              [...expected]
            )
          )
      ))
})
