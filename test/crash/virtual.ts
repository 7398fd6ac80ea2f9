/** The same lives within this process, over virtual disks: every end, by a kill and by a power cut that leaves this or that. */
import { createHash } from "node:crypto"
import { join } from "node:path"
import { Deferred, Effect, Fiber, Layer } from "effect"
import type { GivenSettings } from "../../src/programs/parts.ts"
import { Disk } from "../../src/services/Disk.ts"
import * as VirtualDisk from "../../src/testing/VirtualDisk.ts"
import { clusterCertificate } from "../support/certificates.ts"
import { quickCompression } from "../support/diskCache.ts"
import { live } from "./life.ts"
import { allowedAfter, type ChildLine, type ChildTask, type End, endsOf, type Scenario } from "./scenarios.ts"

const prefix = "/usr/local/kong"

/** How often a disk must be asked nothing while everybody else has a turn. */
const quietTurns = 40

const credentials = Effect.map(
  clusterCertificate,
  ({ cert, key }): GivenSettings => ({ cluster_cert: cert, cluster_cert_key: key })
)

/** What a node gets instead of the disk that was given: for showing that what is wrong with it is noticed. */
export type Sabotage = (disk: Disk["Service"]) => Disk["Service"]

const liveOn = Effect.fnUntraced(function* (
  disk: VirtualDisk.VirtualDisk,
  task: ChildTask,
  sabotage: Sabotage = (same) => same
) {
  const said: Array<ChildLine> = []
  const operations: Array<string> = []
  const isOver = yield* Deferred.make<void>()
  disk.become({
    faultOf: ({ operation }) => {
      operations.push(operation)
      if (operations.length !== task.killAt?.n) return undefined
      Deferred.doneUnsafe(isOver, Effect.void)
      return { _tag: "Hangs", part: task.killAt.part }
    }
  })
  const quiet = Effect.gen(function* () {
    for (let turn = 0, seen = -1; turn < quietTurns; turn++) {
      if (operations.length !== seen) turn = 0
      seen = operations.length
      yield* Effect.yieldNow
    }
  })
  const say = (line: ChildLine): void => {
    said.push(line)
    if (task.isOnlyAsked === true && line._tag === "Started") Deferred.doneUnsafe(isOver, Effect.void)
  }
  const life = live({
    disk: Layer.succeed(Disk, sabotage(disk.disk)),
    settings: { ...task.settings, prefix },
    pushes: task.pushes,
    quiet,
    say,
    // On this thread: a life is one chain of steps, not at the mercy of a pool.
    parts: { compression: quickCompression }
  })
  return { life: Effect.scoped(life), isOver: Deferred.await(isOver), said, operations }
})

/** All that was said until the end: of the task, or of the life. */
const livedOn = Effect.fnUntraced(function* (disk: VirtualDisk.VirtualDisk, task: ChildTask, sabotage?: Sabotage) {
  const { life, isOver, said, operations } = yield* liveOn(disk, task, sabotage)
  yield* Effect.raceFirst(life, isOver)
  return { said, operations }
})

export interface Prepared {
  readonly scenario: Scenario
  readonly settings: GivenSettings
  /** The disk before the life that is cut short: each call gives a copy of it. */
  readonly template: () => VirtualDisk.VirtualDisk
  readonly ends: ReadonlyArray<End>
  readonly sabotage: Sabotage | undefined
}

/** Everything was announced, and then comes the end: what was announced as persisted must be there. */
const afterAll = (operations: ReadonlyArray<string>): End => ({ n: operations.length + 1, part: 0 })

export const prepare = Effect.fnUntraced(function* (scenario: Scenario, sabotage?: Sabotage) {
  const shared = yield* credentials
  const made = VirtualDisk.make()
  for (const { pushes, settings = {} } of scenario.before) {
    yield* livedOn(made, { pushes, settings: { ...shared, ...settings } })
  }
  const { hand } = made
  scenario.damage?.({
    list: () => hand.list(prefix),
    read: (name) => hand.read(join(prefix, name)) ?? new Uint8Array(0),
    write: (name, bytes) => hand.write(join(prefix, name), bytes)
  })
  const template = () => made.crash({ kind: "process", seed: 0 })
  const settings = { ...shared, ...scenario.settings }
  const { operations } = yield* livedOn(template(), { pushes: scenario.pushes, settings }, sabotage)
  return {
    scenario,
    settings,
    template,
    ends: [...endsOf(operations), afterAll(operations)],
    sabotage
  } satisfies Prepared
})

const fingerprint = ({ hand }: VirtualDisk.VirtualDisk): string => {
  const digest = createHash("sha256")
  for (const path of hand.paths())
    digest
      .update(path)
      .update("\0")
      .update(hand.read(path) ?? "")
  return digest.digest("hex")
}

export interface Verdict {
  readonly end: End
  readonly crash: VirtualDisk.Crash
  readonly allowed: ReadonlyArray<number>
  /** What the next life serves, and the one after it: the first one may have put something right. */
  readonly serves: ReadonlyArray<number | undefined>
  readonly paths: ReadonlyArray<string>
}

/** Every way in which the life can end there, or after all of it when it makes fewer calls; what looks the same afterwards is asked once. */
export const cutShort = Effect.fnUntraced(function* (
  { scenario, settings, template, sabotage }: Prepared,
  end: End,
  crashes: ReadonlyArray<VirtualDisk.Crash>
) {
  const disk = template()
  const task = { pushes: scenario.pushes, settings, killAt: end }
  const { life, isOver, said } = yield* liveOn(disk, task, sabotage)
  const ghost = yield* Effect.forkChild(life, { startImmediately: true })
  yield* Effect.raceFirst(Fiber.await(ghost), isOver)
  const verdicts: Array<Verdict> = []
  // The call does its part after it was counted.
  for (let turn = 0; turn < 3; turn++) yield* Effect.yieldNow
  const allowed = allowedAfter(scenario, said)
  const looked = new Set<string>()
  for (const crash of crashes) {
    const found = disk.crash(crash)
    const paths = found.hand.paths()
    const looks = fingerprint(found)
    if (looked.has(looks)) continue
    looked.add(looks)
    const ask = Effect.map(livedOn(found, { pushes: [], settings, isOnlyAsked: true }), (lived) =>
      lived.said.map((event) => (event._tag === "Started" ? event.serves : undefined)).at(0)
    )
    verdicts.push({ end, crash, allowed, serves: [yield* ask, yield* ask], paths })
  }
  yield* Fiber.interrupt(ghost)
  return verdicts
})

/** What must not be. */
export const isWrong = ({ allowed, serves }: Verdict): boolean =>
  serves.some((number) => number === undefined || !allowed.includes(number))
