/**
 * Write, restart, read, in every mode and through every change of keys: `faults.md`, "2.8.4.0 encrypted cache dead after
 * restart"; `resilience.md` §2.
 */
import { generateKeyPairSync } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { cacheKeyFromCluster, makeCacheKey } from "../../../src/model/CacheKey.ts"
import type { SettingName } from "../../../src/model/SettingTable.ts"
import type { CertificatePair } from "../../../src/services/ServerCertificate.ts"
import * as VirtualDisk from "../../../src/testing/VirtualDisk.ts"
import { clusterCertificate } from "../../support/certificates.ts"
import { keyIdsOf, prefix, type Start, startEncrypted } from "../../support/encryptedCache.ts"
import { settle } from "../../support/live.ts"

const pem = () =>
  generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ type: "pkcs8", format: "pem" }).toString()
const [clusterKey, nextClusterKey] = [pem(), pem()]
const hex = (digit: string) => digit.repeat(64)
const idOf = (digit: string) => makeCacheKey(Uint8Array.from(Buffer.from(hex(digit), "hex"))).id

const current = `${prefix}/config.json.gz`
const keyFile = "/etc/holdfast/keys"

type Given = Partial<Record<SettingName, string>>

const ofMode = {
  off: { given: {}, writesWith: "plain" },
  file: { given: { config_cache_key_file: keyFile }, writesWith: idOf("1") },
  environment: { given: { config_cache_key: hex("2") }, writesWith: idOf("2") },
  cluster_key: { given: {}, writesWith: cacheKeyFromCluster(clusterKey).id }
} satisfies Record<string, { readonly given: Given; readonly writesWith: string }>
type Mode = keyof typeof ofMode
const modes = Object.keys(ofMode) as ReadonlyArray<Mode>

/** With the keys of these modes, too. */
const inMode = (mode: Mode, ...also: ReadonlyArray<Mode>): Start => ({
  given: Object.assign({ config_cache_encryption: mode }, ...[mode, ...also].map((each) => ofMode[each].given)),
  cluster: clusterKey
})

const made = () => {
  const disk = VirtualDisk.make()
  disk.hand.write(keyFile, new TextEncoder().encode(hex("1")))
  return disk
}

/** One life, from start to stop: what served when it started. */
const live = Effect.fnUntraced(function* (
  disk: VirtualDisk.VirtualDisk,
  start: Start,
  paths: ReadonlyArray<string> = []
) {
  const node = yield* startEncrypted(disk, start)
  const served = yield* node.serve
  yield* node.renewing
  yield* settle
  for (const path of paths) yield* node.write(path)
  return served
}, Effect.scoped)

describe("the encrypted cache", () => {
  for (const mode of modes) {
    it.effect(`reads after a restart what it wrote, and the older ones when that is damaged: ${mode}`, () =>
      Effect.gen(function* () {
        const disk = made()
        yield* live(disk, inMode(mode), ["/a", "/b", "/c"])
        assert.deepStrictEqual(keyIdsOf(disk), Array(3).fill(ofMode[mode].writesWith))
        assert.strictEqual(yield* live(disk, inMode(mode)), "/c")
        disk.hand.flipBit(current, 0.9)
        assert.strictEqual(yield* live(disk, inMode(mode)), "/b")
        assert.strictEqual(yield* live(disk, inMode(mode)), "/b")
        const writes = yield* live(disk, inMode(mode), ["/d"])
        assert.strictEqual(writes, "/b")
        assert.strictEqual(yield* live(disk, inMode(mode)), "/d")
      })
    )

    for (const next of modes) {
      it.effect(`goes from ${mode} to ${next}, writes everything anew, and then needs the former key no more`, () =>
        Effect.gen(function* () {
          const disk = made()
          yield* live(disk, inMode(mode), ["/a", "/b", "/c"])
          assert.strictEqual(yield* live(disk, inMode(next, mode)), "/c")
          assert.deepStrictEqual(keyIdsOf(disk), Array(3).fill(ofMode[next].writesWith))
          assert.strictEqual(yield* live(disk, inMode(next)), "/c")
          disk.hand.flipBit(current, 0.9)
          assert.strictEqual(yield* live(disk, inMode(next)), "/b")
        })
      )
    }
  }

  it.effect("keeps nothing readable on the disk", () =>
    Effect.gen(function* () {
      const disk = made()
      yield* live(disk, inMode("environment"), ["/needle", "/other"])
      for (const path of disk.hand.paths().filter((each) => each.startsWith(prefix))) {
        const bytes = disk.hand.read(path) ?? new Uint8Array(0)
        assert.notDeepEqual([bytes[0], bytes[1]], [0x1f, 0x8b], path)
        assert.notInclude(Buffer.from(bytes).toString("latin1"), "needle", path)
      }
    })
  )

  it.effect("is refused without its key by the reason, stays where it is, and serves once the key is back", () =>
    Effect.gen(function* () {
      const disk = made()
      yield* live(disk, inMode("environment"), ["/a", "/b"])
      for (const other of [inMode("off"), inMode("file"), inMode("cluster_key")]) {
        const reason = yield* live(disk, other)
        assert.include(reason, `expected the key ${idOf("2")}, with which it was encrypted`)
        assert.include(reason, "cluster_cert_key_previous")
        assert.deepStrictEqual(keyIdsOf(disk), [idOf("2"), idOf("2")])
      }
      assert.strictEqual(yield* live(disk, inMode("environment")), "/b")
    })
  )

  // docs/cache-encryption.md, "Changes": people throw keys away by what the log says.
  it.effect(
    "is told to be under the newest key, or in plain, only when all of it is; else what stays aside, and why",
    () =>
      Effect.gen(function* () {
        const disk = made()
        const [newest, plain, left] = [
          "cached configurations are encrypted with the newest key",
          "cached configurations are in plain",
          "cached configurations that no key reads are left as they are"
        ]
        const told = Effect.fnUntraced(function* (start: Start, path?: string) {
          const node = yield* startEncrypted(disk, start)
          yield* node.serve
          yield* node.renewing
          yield* settle
          if (path !== undefined) yield* node.write(path)
          return node.events.filter(({ message }) => [newest, plain, left].includes(message))
        }, Effect.scoped)
        yield* told(inMode("environment"), "/a")
        for (const [start, key] of [
          [inMode("file"), idOf("1")],
          [inMode("off", "file"), undefined]
        ] as const) {
          const [event, ...more] = yield* told(start)
          assert.deepStrictEqual(keyIdsOf(disk), [idOf("2")])
          assert.deepStrictEqual([event?.message, more], [left, []])
          assert.strictEqual(event?.fields.key, key)
          assert.deepStrictEqual(event?.fields.asksFor, [idOf("2")])
          assert.match(String(event?.fields.files), new RegExp(`^${current}: expected the key ${idOf("2")}`))
        }
        const messages = Effect.map(told(inMode("file", "environment")), (events) =>
          events.map(({ message }) => message)
        )
        assert.deepStrictEqual(yield* messages, [newest])
        assert.deepStrictEqual(keyIdsOf(disk), [idOf("1")])
      })
  )

  it.effect("never serves what was changed at any byte, and says so", () =>
    Effect.gen(function* () {
      const disk = made()
      yield* live(disk, inMode("environment"), ["/a"])
      const length = disk.hand.read(current)?.length ?? 0
      assert.isAbove(length, 200)
      for (let at = 0; at < length; at++) {
        const changed = disk.crash({ kind: "process", seed: 0 })
        changed.hand.flipBit(current, (at + 0.5) / length)
        assert.match(yield* live(changed, inMode("environment")), /^\/usr.*(expected|newer)/, `byte ${at}`)
      }
    })
  )

  it.effect("covers the licence that is kept beside it, through every change of the mode", () =>
    Effect.gen(function* () {
      const disk = made()
      const kept = `${prefix}/license.kept`
      const keep = Effect.fnUntraced(function* (start: Start, text?: string) {
        const node = yield* startEncrypted(disk, start)
        const found = yield* node.cache.keptLicense?.read ?? Effect.die("none is kept")
        yield* node.renewing
        yield* settle
        if (text !== undefined) {
          yield* node.write("/a")
          yield* node.cache.keptLicense?.write(text) ?? Effect.die("none is kept")
        }
        return found
      }, Effect.scoped)
      yield* keep(inMode("file"), "a licence")
      let former: Mode = "file"
      for (const mode of ["environment", "off", "cluster_key", "file"] as const) {
        assert.strictEqual(yield* keep(inMode(mode, former)), "a licence")
        assert.strictEqual(yield* keep(inMode(mode)), "a licence")
        const text = Buffer.from(disk.hand.read(kept) ?? []).toString("latin1")
        assert.strictEqual(text.includes("a licence"), mode === "off")
        former = mode
      }
      const withoutKey = yield* Effect.flip(keep(inMode("off")))
      assert.match(withoutKey.message, new RegExp(`expected the key ${idOf("1")}`))
    })
  )

  it.effect("takes a plain file that a person put there, and writes it anew at the next start", () =>
    Effect.gen(function* () {
      const disk = made()
      const plain = made()
      yield* live(plain, inMode("off"), ["/hand"])
      yield* live(disk, inMode("file"), ["/a"])
      disk.hand.write(current, plain.hand.read(current) ?? new Uint8Array(0))
      assert.strictEqual(yield* live(disk, inMode("file")), "/hand")
      assert.deepStrictEqual(keyIdsOf(disk), [idOf("1")])
    })
  )

  it.effect("tells once that it can't be written anew, tries again, and forgets the former key only then", () =>
    Effect.gen(function* () {
      const disk = made()
      yield* live(disk, inMode("cluster_key"), ["/a", "/b"])
      const node = yield* startEncrypted(disk, inMode("cluster_key"))
      yield* node.serve
      yield* node.renewing
      yield* settle
      disk.become({ isReadOnly: true })
      yield* node.replaceKey(nextClusterKey)
      yield* settle
      yield* TestClock.adjust("10 minutes")
      const told = () =>
        node.events.filter(({ message }) => message.startsWith("cached configurations")).map((e) => e.message)
      assert.deepStrictEqual(told(), [
        "cached configurations are encrypted with the newest key",
        "cached configurations can't be written anew; trying again"
      ])
      disk.become({})
      yield* TestClock.adjust("1 minute")
      yield* settle
      assert.strictEqual(told().at(-1), "cached configurations are encrypted with the newest key")
      assert.deepStrictEqual(keyIdsOf(disk), Array(2).fill(cacheKeyFromCluster(nextClusterKey).id))
    }).pipe(Effect.scoped)
  )
})

const previous = (start: Start): Start => ({
  ...start,
  given: { ...start.given, cluster_cert_key_previous: clusterKey }
})
const [before, after]: readonly [Start, Start] = [
  inMode("cluster_key"),
  { ...inMode("cluster_key"), cluster: nextClusterKey }
]

/** What the next starts serve, with the new key alone and with the former one at hand. */
const restarts = Effect.fnUntraced(function* (disk: VirtualDisk.VirtualDisk) {
  const alone = yield* live(disk, after)
  return { alone, withFormer: yield* live(disk, previous(after)) }
})

describe("a cluster certificate that is replaced", () => {
  it.effect("while the node runs: the next start needs the new key alone, however this life ended after it", () =>
    Effect.gen(function* () {
      const disk = made()
      yield* live(disk, before, ["/a", "/b", "/c"])
      const node = yield* startEncrypted(disk, before)
      yield* node.serve
      yield* node.renewing
      yield* settle
      yield* node.replaceKey(nextClusterKey)
      yield* settle
      assert.deepStrictEqual(keyIdsOf(disk), Array(3).fill(cacheKeyFromCluster(nextClusterKey).id))
      for (const kind of ["process", "power"] as const) {
        assert.strictEqual(yield* live(disk.crash({ kind, seed: 1 }), after), "/c")
      }
    }).pipe(Effect.scoped)
  )

  it.effect(
    "at any call of writing anew the node may end: nothing is lost, and the former key is the most that it takes",
    () =>
      Effect.gen(function* () {
        const ends = new Set<string>()
        for (let n = 1, isDone = false; !isDone; n++) {
          for (const part of [0, 0.5, 1]) {
            const disk = made()
            yield* live(disk, before, ["/a", "/b", "/c"])
            const node = yield* startEncrypted(disk, before)
            yield* node.serve
            yield* node.renewing
            yield* settle
            const start = disk.callCount()
            disk.become({ faultOf: (call) => (call.n === start + n ? { _tag: "Hangs", part } : undefined) })
            yield* node.replaceKey(nextClusterKey)
            yield* settle
            // Something new may come in the middle of it.
            yield* Effect.forkScoped(node.write("/d"), { startImmediately: true })
            yield* settle
            isDone = disk.callCount() < start + n
            for (const crash of [{ kind: "process", seed: 0 } as const, ...powerCuts]) {
              const { alone, withFormer } = yield* restarts(disk.crash(crash))
              ends.add(alone.startsWith("/usr") ? "refused" : alone)
              const where = `call ${n}, part ${part}, ${crash.kind} ${crash.seed}`
              assert.match(alone, isDone ? /^\/d$/ : /^(\/[cd]|.*expected the key .*)$/, where)
              assert.match(withFormer, isDone ? /^\/d$/ : /^\/[cd]$/, where)
            }
          }
        }
        assert.deepStrictEqual([...ends].sort(), ["/c", "/d", "refused"])
      }).pipe(Effect.scoped)
  )

  it.effect("while nobody looked, and the node is stopped: it looks once more, and tells once what it found", () =>
    Effect.gen(function* () {
      const disk = made()
      const [one, other] = [yield* clusterCertificate, yield* clusterCertificate]
      const files = { cluster_cert: "/tls/cert.pem", cluster_cert_key: "/tls/key.pem" }
      const under = ({ key }: CertificatePair): Start => ({
        given: { ...inMode("cluster_key").given, ...files },
        cluster: key
      })
      const put = ({ cert, key }: CertificatePair) => {
        disk.hand.write(files.cluster_cert, new TextEncoder().encode(cert))
        disk.hand.write(files.cluster_cert_key, new TextEncoder().encode(key))
      }
      put(one)
      yield* live(disk, under(one), ["/a", "/b", "/c"])
      const events = yield* Effect.scoped(
        Effect.gen(function* () {
          const node = yield* startEncrypted(disk, under(one))
          yield* node.serve
          yield* node.renewing
          yield* settle
          put(other)
          node.events.length = 0
          return node.events
        })
      )
      assert.lengthOf(
        events.filter(({ message }) => message === "cached configurations are encrypted with the newest key"),
        1
      )
      assert.strictEqual(yield* live(disk, under(other)), "/c")
      disk.hand.flipBit(current, 0.9)
      assert.strictEqual(yield* live(disk, under(other)), "/b")
    })
  )

  it.effect("while the node is down: the former key must be named, once", () =>
    Effect.gen(function* () {
      const disk = made()
      yield* live(disk, before, ["/a", "/b"])
      assert.match(yield* live(disk, after), /expected the key/)
      assert.strictEqual(yield* live(disk, previous(after)), "/b")
      assert.strictEqual(yield* live(disk, after), "/b")
    })
  )

  it.effect("a disk that does not answer keeps no stop waiting for longer than a while", () =>
    Effect.gen(function* () {
      const disk = made()
      yield* live(disk, before, ["/a"])
      const stopped = yield* Effect.forkScoped(
        Effect.scoped(
          Effect.gen(function* () {
            const node = yield* startEncrypted(disk, before)
            yield* node.serve
            yield* node.renewing
            yield* settle
            disk.become({ isStuck: true })
            yield* node.replaceKey(nextClusterKey)
            yield* settle
          })
        ),
        { startImmediately: true }
      )
      yield* settle
      yield* settle
      assert.isUndefined(stopped.pollUnsafe())
      yield* TestClock.adjust("5 seconds")
      yield* settle
      assert.isDefined(stopped.pollUnsafe())
    }).pipe(Effect.scoped)
  )
})

const powerCuts = [1, 2, 3].map((seed) => ({ kind: "power", seed }) as const)
