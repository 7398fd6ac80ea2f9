import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Layer, Option } from "effect"
import { Disk } from "../../src/services/Disk.ts"
import { CurrentProcess } from "../../src/testing/Machine.ts"
import { runVirtual } from "../../src/testing/runVirtual.ts"
import { VirtualTime } from "../../src/testing/VirtualTime.ts"
import { virtualParts } from "../../src/testing/virtualParts.ts"
import { makeWorld } from "../../src/testing/World.ts"

const file = "/data/file"

const writeFile = (text: string, isFlushed: boolean) =>
  Effect.gen(function* () {
    const disk = yield* Disk
    yield* disk.makeFolder("/data")
    const open = yield* disk.create(file, 0o600)
    yield* open.write(new TextEncoder().encode(text))
    if (isFlushed) {
      yield* open.sync
      yield* disk.syncFolder("/data")
    }
    yield* open.close
  }).pipe(Effect.orDie)

/** Notes each second that it lives, and its end. */
const ticking = (seen: Array<string>, flushes = true) =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const { machine } = yield* CurrentProcess
      const { time } = machine.world
      yield* writeFile("hello", flushes)
      yield* Effect.addFinalizer(() => Effect.sync(() => seen.push(`goodbye at ${time.nowMs()}`)))
      yield* Effect.sleep("1 second").pipe(
        Effect.andThen(Effect.sync(() => seen.push(`tick at ${time.nowMs()}`))),
        Effect.forever,
        Effect.forkScoped
      )
    })
  ).pipe(Layer.provide(virtualParts.disk))

const scene = Effect.gen(function* () {
  const time = yield* VirtualTime
  const world = yield* makeWorld({ seed: 1 })
  const events: Array<string> = []
  world.watch((event) => events.push(event._tag === "Stopped" ? event.how : event._tag))
  return { time, world, events, machine: world.machine("node"), seen: [] as Array<string> }
})

describe("a virtual machine", () => {
  it("runs a process until it is asked to stop, and keeps what it wrote", async () => {
    const outcome = await runVirtual(
      Effect.gen(function* () {
        const { machine, seen, events } = yield* scene
        const started = yield* machine.start(ticking(seen))
        yield* Effect.sleep(2_500)
        yield* machine.stop
        yield* Effect.sleep(10_000)
        const kept = machine.disk().hand.read(file)?.length
        return { isStarted: Option.isSome(started), seen, events, kept, isGone: machine.process() === undefined }
      })
    )
    assert.deepStrictEqual(outcome, {
      isStarted: true,
      seen: ["tick at 1000", "tick at 2000", "goodbye at 2500"],
      events: ["Started", "Stopping", "stopped"],
      kept: 5,
      isGone: true
    })
  })

  it("kills a process where it stands: written bytes stay, flushed or not", async () => {
    const outcome = await runVirtual(
      Effect.gen(function* () {
        const { machine, seen, events } = yield* scene
        yield* machine.start(ticking(seen, false))
        yield* Effect.sleep(1_500)
        machine.kill("killed")
        yield* Effect.sleep(10_000)
        return {
          ticks: seen.filter((line) => line.startsWith("tick")),
          events,
          kept: machine.disk().hand.read(file)?.length
        }
      })
    )
    assert.deepStrictEqual(outcome, { ticks: ["tick at 1000"], events: ["Started", "killed"], kept: 5 })
  })

  it("forgets at a power cut what was not flushed, and keeps what was", async () => {
    const keptBy = (flushes: boolean) =>
      runVirtual(
        Effect.gen(function* () {
          const { machine, seen } = yield* scene
          yield* machine.start(ticking(seen, flushes))
          machine.kill("powerCut")
          const bytes = machine.disk().hand.read(file)
          return bytes === undefined ? undefined : new TextDecoder().decode(bytes)
        })
      )
    assert.strictEqual(await keptBy(true), "hello")
    assert.notStrictEqual(await keptBy(false), "hello")
  })

  it("ends a process that is still being built", async () => {
    const outcome = await runVirtual(
      Effect.gen(function* () {
        const { machine, time } = yield* scene
        let isBuilt = false
        const slow = Layer.effectDiscard(
          Effect.andThen(
            Effect.sleep("1 minute"),
            Effect.sync(() => {
              isBuilt = true
            })
          )
        )
        time.after(1_000, () => machine.kill("killed"))
        const started = yield* machine.start(slow)
        yield* Effect.sleep("1 hour")
        return [Option.isNone(started), isBuilt, machine.process()]
      })
    )
    assert.deepStrictEqual(outcome, [true, false, undefined])
  })

  it("fails to start as the program fails", async () => {
    const failure = await runVirtual(
      Effect.gen(function* () {
        const { machine, events } = yield* scene
        const why = yield* Effect.flip(machine.start(Layer.effectDiscard(Effect.fail("no port"))))
        return [why, machine.process(), events]
      })
    )
    assert.deepStrictEqual(failure, ["no port", undefined, ["Started", "Stopping", "stopped"]])
  })

  it("runs one process at a time", async () => {
    const exit = await runVirtual(
      Effect.gen(function* () {
        const { machine } = yield* scene
        yield* machine.start(Layer.empty)
        return yield* Effect.exit(machine.start(Layer.empty))
      })
    )
    assert.include(String(exit), "node runs a process already")
  })

  it("is awake again when its suspended process was killed", async () => {
    const events = await runVirtual(
      Effect.gen(function* () {
        const { machine, events } = yield* scene
        yield* machine.start(Layer.empty)
        machine.suspend()
        machine.kill("powerCut")
        yield* machine.start(Layer.empty)
        machine.resume()
        machine.suspend()
        return events
      })
    )
    assert.deepStrictEqual(events, ["Started", "Suspended", "powerCut", "Started", "Suspended"])
  })

  it("keeps its wall clock and its id over a restart, and its monotonic clock begins anew", async () => {
    const outcome = await runVirtual(
      Effect.gen(function* () {
        const { machine, time } = yield* scene
        const look = Layer.effectDiscard(
          Effect.gen(function* () {
            const wallMs = (yield* Clock.currentTimeMillis) - time.startMs
            looks.push([wallMs, Number(yield* Clock.monotonicTimeNanos)])
          })
        )
        const looks: Array<readonly [number, number]> = []
        const id = machine.nodeId
        machine.jump(86_400_000)
        yield* Effect.sleep(5_000)
        yield* machine.start(look)
        machine.kill("killed")
        yield* Effect.sleep(5_000)
        yield* machine.start(look)
        return { looks, isSameId: machine.nodeId === id }
      })
    )
    assert.deepStrictEqual(outcome, {
      looks: [
        [86_405_000, 0],
        [86_410_000, 0]
      ],
      isSameId: true
    })
  })

  it("tells of a file that was changed by hand, and of nothing else", async () => {
    const outcome = await runVirtual(
      Effect.gen(function* () {
        const { machine } = yield* scene
        let changes = 0
        machine.onTouch("/a", () => changes++)
        machine.touch("/b")
        machine.touch("/a")
        return changes
      })
    )
    assert.strictEqual(outcome, 1)
  })

  it("is asked for only by what runs on one", async () => {
    const outside = Effect.scoped(Layer.build(virtualParts.disk))
    const exit = await Effect.runPromiseExit(outside)
    assert.include(String(exit), "virtual machine")
  })
})
