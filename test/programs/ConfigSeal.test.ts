/** A person mends or makes a cache file: `resilience.md` §4. */
import { chmod, mkdir, readdir, readFile, stat, symlink, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { gzipSync } from "node:zlib"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Stream, SubscriptionRef } from "effect"
import { TestClock } from "effect/testing"
import * as NodeDisk from "../../src/layers/NodeDisk.ts"
import * as TraditionalCompatibleRouter from "../../src/layers/TraditionalCompatibleRouter.ts"
import * as ZlibCompression from "../../src/layers/ZlibCompression.ts"
import { hashTable } from "../../src/model/ConfigHash.ts"
import { orderOf } from "../../src/model/ConfigOrder.ts"
import { readAttestation } from "../../src/model/ConfigStatement.ts"
import { formatFault } from "../../src/model/Fault.ts"
import { version } from "../../src/model/version.ts"
import { type SealOptions, sealConfig } from "../../src/programs/ConfigSeal.ts"
import { ClusterKeys } from "../../src/services/ClusterKeys.ts"
import { serveRung } from "../../src/services/Ladder.ts"
import * as VirtualDisk from "../../src/testing/VirtualDisk.ts"
import { clusterKey, epoch, prefix as nodePrefix, numbered, signer, startTrusting } from "../support/configTrust.ts"
import { contentOf, fileIn, plainFile, startCache } from "../support/diskCache.ts"
import { temporaryFolder } from "../support/folder.ts"
import { licenseKey, pemOf } from "../support/licenses.ts"
import { testPlugins } from "../support/plugins.ts"
import { settingsLayer } from "../support/settings.ts"
import { deepText, serviceId, snapshotOf, table } from "../support/tables.ts"

const nodeOf = (cluster: string | undefined) =>
  Layer.mergeAll(
    NodeDisk.layer,
    ZlibCompression.layer,
    TraditionalCompatibleRouter.layer,
    testPlugins,
    settingsLayer(),
    Layer.succeed(ClusterKeys, { current: Effect.succeed(cluster), changes: Stream.never })
  )
const seal = (file: string, out?: string, more: Partial<SealOptions> = {}, cluster?: string) =>
  sealConfig(file, { out, ...more }).pipe(Effect.provide(nodeOf(cluster)))
const refusal = (file: string, out?: string) => Effect.flip(seal(file, out))

const inFolder = <A, E>(test: (folder: string) => Effect.Effect<A, E>) => Effect.flatMap(temporaryFolder, test)
const put = (file: string, bytes: Uint8Array | string) => Effect.promise(() => writeFile(file, bytes))
const content = (file: string) =>
  Effect.map(
    Effect.promise(() => readFile(file)),
    contentOf
  )
const hash = "0123456789abcdef0123456789abcdef"

describe("holdfast config seal", () => {
  it.effect("makes an edited cache serve again, under a name that is not the control plane's", () =>
    inFolder((prefix) =>
      Effect.gen(function* () {
        yield* TestClock.setTime(Date.UTC(2026, 0, 1))
        const file = fileIn(prefix)
        const cache = yield* startCache(prefix)
        yield* cache.write(snapshotOf(table("/a"), hash))
        yield* put(file, gzipSync(JSON.stringify({ ...(yield* content(file)), routes: table("/edited").routes })))
        yield* Effect.promise(() => chmod(file, 0o644))
        const sealed = yield* seal(file)
        assert.notStrictEqual(sealed.hash, hash)
        const { _holdfast, ...raw } = yield* content(file)
        assert.deepEqual(raw, table("/edited"))
        assert.deepInclude(_holdfast, {
          source: "by hand",
          written_by: version,
          received_at: "2026-01-01T00:00:00.000Z",
          hash: hashTable(table("/edited")).config
        })
        assert.strictEqual((yield* Effect.promise(() => stat(file))).mode & 0o777, 0o600)
        assert.deepEqual(yield* Effect.promise(() => readdir(prefix)), ["config.json.gz"])
        const answer = yield* (yield* startCache(prefix)).offer
        assert.deepInclude(answer._tag === "Candidate" ? answer.offer : {}, {
          raw: table("/edited"),
          hash: sealed.hash
        })
      })
    )
  )

  it.effect("keeps the control plane's name of what is still the same, and of nothing else", () =>
    inFolder((prefix) =>
      Effect.gen(function* () {
        const file = fileIn(prefix)
        // The wire's own hash is blind to this edit (hybrid-protocol-v1.md §5).
        const tagged = (tags: ReadonlyArray<string>) =>
          table("/a", { services: [{ id: serviceId, host: "example.com", tags }] })
        const [before, after] = [tagged(["a", "b"]), tagged(["a;b"])]
        const computed = hashTable(before).config
        assert.strictEqual(hashTable(after).config, computed)
        yield* (yield* startCache(prefix)).write(snapshotOf(before, computed))
        const { _holdfast } = yield* content(file)
        yield* put(file, gzipSync(JSON.stringify({ _holdfast, ...before }, null, 2)))
        assert.strictEqual((yield* seal(file)).hash, computed)
        yield* put(file, gzipSync(JSON.stringify({ ...after, _holdfast })))
        const sealed = yield* seal(file)
        assert.notStrictEqual(sealed.hash, computed)
        assert.lengthOf(sealed.hash, 32)
      })
    )
  )

  it.effect("takes a table without provenance, and one from quarantine to where it belongs", () =>
    inFolder((prefix) =>
      Effect.gen(function* () {
        yield* Effect.promise(() => mkdir(join(prefix, "quarantine")))
        const kept = join(prefix, "quarantine", "000001-1a2b3c4d5e6f.json.gz")
        yield* put(kept, plainFile(table("/kept")))
        const sealed = yield* seal(kept, fileIn(prefix))
        assert.strictEqual(sealed.file, fileIn(prefix))
        assert.strictEqual(sealed.hash, hashTable(table("/kept")).config)
        assert.deepEqual(yield* content(kept), table("/kept"), "left as it is")
      })
    )
  )

  it.effect("makes a cache of a declarative document, YAML or JSON, and of what zcat shows", () =>
    inFolder((folder) =>
      Effect.gen(function* () {
        const yaml =
          '_format_version: "3.0"\nservices:\n  - name: s\n    host: example.com\n    routes:\n      - paths: [/a]\n'
        const documents = {
          "kong.yml": yaml,
          "flat.json": JSON.stringify({ ...table(), _holdfast: { sha256: "stale" } })
        }
        for (const [name, text] of Object.entries(documents)) {
          const file = join(folder, name)
          yield* put(file, text)
          const out = join(folder, `${name}.json.gz`)
          const sealed = yield* seal(file, out)
          assert.deepEqual([sealed.table.services.length, sealed.table.routes.length], [1, 1])
          assert.strictEqual(yield* Effect.promise(() => readFile(file, "utf8")), text)
          assert.deepInclude((yield* content(out))._holdfast, { hash: sealed.hash, source: "by hand" })
          assert.strictEqual((yield* refusal(file)).exitCode, 2)
          const link = join(folder, `${name}.link`)
          yield* Effect.promise(() => symlink(file, link))
          for (const itself of [file, `${folder}/./${name}`, link])
            assert.strictEqual((yield* refusal(file, itself)).exitCode, 2)
          assert.strictEqual(yield* Effect.promise(() => readFile(file, "utf8")), text)
        }
      })
    )
  )

  it.effect("tells every fault with the file, and writes nothing", () =>
    inFolder((prefix) =>
      Effect.gen(function* () {
        const file = fileIn(prefix)
        const wrong = plainFile({ ...table(), services: [{ host: 5, port: 99_999 }], nonsense: [] })
        yield* put(file, wrong)
        const error = yield* refusal(file)
        assert.strictEqual(error.exitCode, 1)
        const lines = error.faults.map(formatFault)
        for (const expected of [
          /services\[0\]\.host: expected/,
          /services\[0\]\.port: expected/,
          /nonsense: unknown entity/
        ])
          assert.match(lines.join("\n"), expected)
        for (const line of lines) assert.include(line, file)
        assert.deepEqual(yield* Effect.promise(() => readFile(file)), Buffer.from(wrong))
        assert.deepEqual(yield* Effect.promise(() => readdir(prefix)), ["config.json.gz"])
      })
    )
  )

  it.effect("says what is wrong with a file that is none: missing, torn, foreign, no table, too deep", () =>
    inFolder((folder) =>
      Effect.gen(function* () {
        const file = join(folder, "config.json.gz")
        assert.match((yield* refusal(file)).message, /config\.json\.gz: ENOENT/)
        const whole = plainFile(table())
        const cases: ReadonlyArray<readonly [Uint8Array, RegExp]> = [
          [whole.subarray(0, whole.length - 9), /expected gzip/],
          [gzipSync("[]"), /expected a config table as JSON/],
          [gzipSync("{"), /expected a config table as JSON/],
          [gzipSync(`{"_format_version":"3.0","x":${deepText}}`), /can't be processed|unknown entity/],
          [new Uint8Array([0xff, 0xfe, 0]), /expected a gzipped config table, or a declarative document/]
        ]
        for (const [bytes, expected] of cases) {
          yield* put(file, bytes)
          const error = yield* refusal(file, file)
          assert.match(error.message, expected)
          assert.strictEqual(error.exitCode, 1)
        }
      })
    )
  )

  it.effect("says where it can't write", () =>
    inFolder((folder) =>
      Effect.gen(function* () {
        const file = join(folder, "a.json.gz")
        yield* put(file, plainFile(table()))
        const error = yield* refusal(file, join(file, "deeper.json.gz"))
        assert.strictEqual(error.exitCode, 1)
        assert.match(error.message, /deeper\.json\.gz: (ENOTDIR|EEXIST)/)
        const taken = join(folder, "taken")
        yield* Effect.promise(() => mkdir(taken))
        assert.strictEqual((yield* refusal(file, taken)).exitCode, 1)
        assert.deepEqual(yield* Effect.promise(() => readdir(folder)), ["a.json.gz", "taken"])
      })
    )
  )
})

/** Whether a node with trust keys serves this file, after it has seen that configuration. */
const believes = (bytes: Uint8Array, seen: number, cluster?: string) =>
  Effect.gen(function* () {
    const node = yield* startTrusting(VirtualDisk.make(), { cluster })
    yield* node.live.apply(numbered(seen, { source: "control_plane" }))
    const disk = VirtualDisk.make()
    disk.hand.write(join(nodePrefix, "config.json.gz"), bytes)
    const { cache } = yield* startTrusting(disk, { cluster })
    const { acceptedCount: after } = yield* SubscriptionRef.get(node.live.state)
    const climb = yield* serveRung(node.live, cache, (offer) => ({ ...offer, byHand: { after } }))
    return climb._tag === "Serves"
  }).pipe(Effect.scoped)

describe("holdfast config seal, for nodes that believe by keys", () => {
  const now = Date.UTC(2026, 6, 1)
  const read = (file: string) => Effect.promise(() => readFile(file))

  it.effect("makes what a person looked at this node's own, and nobody else's", () =>
    inFolder((folder) =>
      Effect.gen(function* () {
        yield* TestClock.setTime(now)
        const [file, out] = [join(folder, "t.json"), join(folder, "t.json.gz")]
        yield* put(file, JSON.stringify(table("/by-hand")))
        assert.isUndefined((yield* seal(file, out)).by)
        assert.isFalse(yield* believes(yield* read(out), 7, clusterKey(3)), "nobody vouches for it")
        assert.match((yield* seal(file, out, {}, clusterKey(3))).by ?? "", /^seal:[0-9a-f]{16}$/)
        assert.isTrue(yield* believes(yield* read(out), 7, clusterKey(3)))
        assert.isFalse(yield* believes(yield* read(out), 7, clusterKey(4)))
      })
    )
  )

  it.effect("signs with --key for every node that trusts it, and by --rollback-over even what is older", () =>
    inFolder((folder) =>
      Effect.gen(function* () {
        yield* TestClock.setTime(now)
        const [older, newer, key, out] = ["older.gz", "newer.gz", "key.pem", "out.gz"].map((name) => join(folder, name))
        if (older === undefined || newer === undefined || key === undefined || out === undefined) return
        yield* put(key, pemOf(licenseKey(signer)))
        for (const [file, sequence] of [
          [older, 5],
          [newer, 7]
        ] as const) {
          const cache = yield* startCache(folder)
          const { raw, attestation, hash: name = "" } = numbered(sequence)
          yield* cache.write({ ...snapshotOf(raw, name), epoch, sequence, ...(attestation ? { attestation } : {}) })
          yield* put(file, yield* read(fileIn(folder)))
        }
        assert.isFalse(yield* believes(yield* read(older), 7), "older than what it has seen")
        const sealed = yield* seal(older, out, { key, rollbackOver: newer })
        assert.match(sealed.by ?? "", /^ed25519:[0-9a-f]{16}$/)
        assert.deepInclude((yield* content(out))._holdfast as object, { epoch, sequence: 5 })
        assert.isTrue(yield* believes(yield* read(out), 7))
        assert.isFalse(yield* believes(yield* read(out), 8), "a rollback over something older than what it has seen")
        const again = join(folder, "again.gz")
        yield* TestClock.setTime(now + 1_000)
        yield* seal(older, again, { key, rollbackOver: out })
        const statements = yield* Effect.forEach([out, again], (file) =>
          Effect.map(content(file), ({ _holdfast }) => readAttestation(_holdfast)?.statement ?? assert.fail("none"))
        )
        const [first, second] = statements
        assert.deepEqual(second?.rollbackOver, { epoch, sequence: 7 }, "over what the first one was over")
        const order =
          first === undefined || second === undefined ? undefined : orderOf({ ...second, sha256: "other" }, first)
        assert.strictEqual(order, "newer", "and the later one of the two")
        yield* seal(older, out, { key })
        assert.isTrue(yield* believes(yield* read(out), 8), "given out now, it is the newest")
      })
    )
  )

  it.effect("refuses a rollback without a key or without numbers, and what is no key", () =>
    inFolder((folder) =>
      Effect.gen(function* () {
        const [file, key, out] = [join(folder, "t.json.gz"), join(folder, "k"), join(folder, "o.gz")]
        yield* put(file, plainFile(table()))
        yield* put(key, "hello")
        const faultsOf = (more: Partial<SealOptions>) =>
          Effect.map(Effect.flip(seal(file, out, more)), ({ faults }) => faults.map(formatFault).join("; "))
        assert.match(yield* faultsOf({ key }), /expected an Ed25519 private key in PEM/)
        assert.match(yield* faultsOf({ rollbackOver: file }), /^--rollback-over: expected --key as well/)
        yield* put(key, pemOf(licenseKey(signer)))
        assert.match(yield* faultsOf({ key, rollbackOver: file }), /expected an epoch and a sequence/)
        assert.notInclude(yield* Effect.promise(() => readdir(folder)), "o.gz")
      })
    )
  )
})
