/**
 * One life of a node over a disk that may kill it: the production composition (`programs/DataPlane.ts`) without
 * listeners, and a control plane within the process that pushes configurations one after the other, each once the former
 * one was announced. What happens comes out as events, at once: whoever is killed has said all that it did.
 */
import { isDeepStrictEqual } from "node:util"
import { gzipSync } from "node:zlib"
import { Deferred, Effect, Layer, Logger, MutableRef, Queue, SubscriptionRef } from "effect"
import type { Row } from "../../src/model/Entity.ts"
import { DataPlane } from "../../src/programs/DataPlane.ts"
import type { DataPlaneParts } from "../../src/programs/dataPlaneParts.ts"
import type { GivenSettings } from "../../src/programs/parts.ts"
import { ClusterDialer, type Frame, type SessionEnd } from "../../src/services/ClusterDialer.ts"
import type { Disk } from "../../src/services/Disk.ts"
import { FileWatch } from "../../src/services/FileWatch.ts"
import { LiveConfig } from "../../src/services/LiveConfig.ts"
import { NodeHealth } from "../../src/services/NodeHealth.ts"
import { table } from "../support/tables.ts"

/** Configurations are numbered in the order in which they are pushed over the lives of one disk; 0 is none. */
const hashOf = (number: number): string => `c${String(number).padStart(31, "0")}`

const tableOf = (number: number): Row => table(`/c${number}`)

const numberOf = (hash: string): number => (hash.startsWith("c") ? Number.parseInt(hash.slice(1), 10) : 0)

export type Event =
  /** The node has started, with what its local rungs had. */
  | { readonly _tag: "Started"; readonly serves: number }
  /** It told its control plane what it runs. */
  | { readonly _tag: "Announced"; readonly serves: number; readonly isPersisted: boolean }
  /** Everything was pushed and announced, and the disk is quiet. */
  | { readonly _tag: "Done" }

export interface Life {
  readonly disk: Layer.Layer<Disk>
  readonly settings: GivenSettings
  readonly pushes: ReadonlyArray<number>
  readonly say: (event: Event) => void
  /** Returns once the disk has been asked nothing for a while. */
  readonly quiet: Effect.Effect<void>
  readonly parts?: Partial<DataPlaneParts>
}

const reconfigure = (number: number): Uint8Array =>
  gzipSync(
    JSON.stringify({
      type: "reconfigure",
      timestamp: number,
      config_hash: hashOf(number),
      config_table: tableOf(number)
    })
  )

/** What serves is one of ours, whole: its name and its content belong together. */
const servedNumber = (hash: string, raw: Row = {}): number => {
  const number = numberOf(hash)
  const expected: Row = number === 0 ? {} : tableOf(number)
  for (const kind of ["services", "routes"]) {
    if (isDeepStrictEqual(raw[kind], expected[kind])) continue
    throw new Error(`expected the ${kind} of ${number}, got ${JSON.stringify(raw[kind])}`)
  }
  return number
}

const noWatch = Layer.succeed(FileWatch, { watch: () => Effect.succeed({ changed: Effect.never }) })

interface ControlPlane {
  readonly pushes: ReadonlyArray<number>
  /** It can be dialled from then on. */
  readonly isThere: Deferred.Deferred<void>
  readonly announced: (number: number) => void
  readonly allAnnounced: Deferred.Deferred<void>
}

/** Pushes the next one whenever the former one is announced; hears every ping. */
const dialling = ({ pushes, isThere, announced, allAnnounced }: ControlPlane) =>
  Layer.succeed(ClusterDialer, {
    dial: Effect.gen(function* () {
      yield* Deferred.await(isThere)
      const frames = yield* Queue.unbounded<Frame, SessionEnd>()
      let next = 0
      const push = Effect.suspend(() => {
        const number = pushes[next]
        return number === undefined
          ? Effect.asVoid(Deferred.succeed(allAnnounced, undefined))
          : Effect.asVoid(Queue.offer(frames, { _tag: "Binary", bytes: reconfigure(number) }))
      })
      const ping = Effect.fnUntraced(function* (payload: string) {
        const number = numberOf(payload)
        announced(number)
        if (number !== pushes[next]) return
        next++
        yield* push
      })
      yield* push
      return { frames, send: () => Effect.void, ping }
    })
  })

/** Ends when all is done; a life that is killed does not end by itself. */
export const live = Effect.fnUntraced(function* (life: Life): Effect.fn.Return<void> {
  const isThere = yield* Deferred.make<void>()
  const allAnnounced = yield* Deferred.make<void>()
  let isPersisted = () => false
  const announced = (serves: number) => life.say({ _tag: "Announced", serves, isPersisted: isPersisted() })
  const node = DataPlane.layer({
    settings: {
      proxy_listen: "off",
      status_listen: "off",
      cluster_control_plane: "cp.test:8005",
      // Its calls to the disk are cut short by themselves: `test/layers/telemetry-spool/crash.test.ts`.
      telemetry: "off",
      ...life.settings
    },
    parts: {
      ...life.parts,
      disk: life.disk,
      fileWatch: noWatch,
      clusterDialer: dialling({ pushes: life.pushes, isThere, announced, allAnnounced })
    }
  })
  yield* Effect.gen(function* () {
    const { state } = yield* LiveConfig
    const { cacheProblem } = yield* NodeHealth
    isPersisted = () => MutableRef.get(cacheProblem) === undefined
    const { hash, snapshot } = yield* SubscriptionRef.get(state)
    life.say({ _tag: "Started", serves: servedNumber(hash, snapshot?.raw) })
    yield* Deferred.succeed(isThere, undefined)
    yield* Deferred.await(allAnnounced)
    yield* life.quiet
    const last = yield* SubscriptionRef.get(state)
    servedNumber(last.hash, last.snapshot?.raw)
    life.say({ _tag: "Done" })
  }).pipe(Effect.provide(node), Effect.provide(Logger.layer([])), Effect.orDie)
})
