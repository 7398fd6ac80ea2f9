/** Plays fate: draws from the seed what befalls whom and when, and ends each trouble in its time. */
import { Effect } from "effect"
import type { Machine } from "../../testing/Machine.ts"
import type { SeededRandom } from "../../testing/SeededRandom.ts"
import type { Timer } from "../../testing/TimerHeap.ts"
import { flawNames } from "../../testing/WorldAction.ts"
import { type Ailment, controlPlaneAfflictions, nodeAfflictions } from "./afflictions.ts"
import type { Fleet } from "./Fleet.ts"
import { type Fate, fleetFaults, nodeFaults } from "./options.ts"

const minuteMs = 60_000
export const changeEveryMs = 10 * minuteMs
/** How long a flawed push stands before somebody mends it. */
const flawedForMs = 90_000

/** Troubles that have not ended yet. */
type UnderWay = Set<Timer>

const suffer = (fleet: Fleet, underWay: UnderWay, fault: string, machine: Machine, ailment: Ailment): void => {
  const { transcript, time } = fleet.world
  const forSeconds = Math.round(ailment.forMs / 1000)
  transcript.line(time.nowMs(), machine.name, fault, { ...(forSeconds === 0 ? {} : { forSeconds }), ...ailment.facts })
  if (ailment.forMs === 0) return ailment.mend()
  const timer = time.after(ailment.forMs, () => {
    underWay.delete(timer)
    transcript.line(time.nowMs(), machine.name, `${fault} over`)
    ailment.mend()
  })
  underWay.add(timer)
}

/** Events of one kind, independent of each other: their gaps are exponentially distributed. */
const strike = (random: SeededRandom, meanMs: number, befall: () => void): Effect.Effect<never> =>
  Effect.forever(
    Effect.andThen(
      Effect.suspend(() => Effect.sleep(random.exponential(meanMs))),
      Effect.sync(befall)
    )
  )

/** Runs until it is interrupted; troubles that have not ended then are not ended by it either. */
export const playFate = (fleet: Fleet, fate: Fate, count: (fault: string) => void): Effect.Effect<never> => {
  const { world, nodes, controlPlane } = fleet
  const underWay: UnderWay = new Set()
  const onNodes = nodeFaults.flatMap((fault) => {
    const everyMinutes = fate.everyMinutes[fault]
    if (everyMinutes === undefined) return []
    const random = world.random.stream(fault)
    const befall = () => {
      const node = random.pick(nodes)
      const ailment = nodeAfflictions[fault]({ fleet, random }, node)
      if (ailment === undefined) return
      count(fault)
      suffer(fleet, underWay, fault, node, ailment)
    }
    return [strike(random.stream("when"), (everyMinutes * minuteMs) / nodes.length, befall)]
  })
  const onControlPlane = fleetFaults.flatMap((fault) => {
    const everyMinutes = fate.controlPlaneEveryMinutes[fault]
    if (everyMinutes === undefined) return []
    const random = world.random.stream(fault)
    const befall = () => {
      const ailment = controlPlaneAfflictions[fault]({ fleet, random }, controlPlane)
      if (ailment === undefined) return
      count(`control plane ${fault}`)
      suffer(fleet, underWay, fault, controlPlane, ailment)
    }
    return [strike(random.stream("when"), everyMinutes * minuteMs, befall)]
  })
  return Effect.raceAllFirst([...onNodes, ...onControlPlane, Effect.never]).pipe(
    Effect.ensuring(
      Effect.sync(() => {
        for (const timer of underWay) world.time.cancel(timer)
      })
    )
  )
}

/** A change every ten minutes, some of them flawed first. Runs until it is interrupted. */
export const keepChanging = (fleet: Fleet, fate: Fate, count: (fault: string) => void): Effect.Effect<never> => {
  const random = fleet.world.random.stream("changes")
  const flawed = Effect.suspend(() => {
    const flaw = random.pick(flawNames)
    count(`flawed push: ${flaw}`)
    return Effect.andThen(fleet.change(flaw), Effect.sleep(flawedForMs))
  })
  const once = Effect.gen(function* () {
    const isFlawed = random.chance(fate.flawedChanges)
    if (isFlawed) yield* flawed
    yield* fleet.change()
    yield* Effect.sleep(changeEveryMs - (isFlawed ? flawedForMs : 0))
  })
  return Effect.forever(once)
}
