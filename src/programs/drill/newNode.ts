/**
 * Nodes that never met their control plane: `resilience.md` §5 and §9, "CP down, new DP". Each source in turn, then what
 * somebody without the key could put into object storage.
 */
import { Effect } from "effect"
import type { GivenSettings } from "../parts.ts"
import { eventually } from "../stage/Probe.ts"
import { startWithinMs } from "../stage/Stage.ts"
import {
  changeConfig,
  isReady,
  loadConfig,
  reconnectWithinMs,
  restartWithinMs,
  seconds,
  serves,
  servesNot,
  shows,
  showsSource,
  startControlPlane,
  startDataPlane,
  startEcho,
  traffic
} from "./actions.ts"
import { emptyDisk } from "./cacheFiles.ts"
import type { Drill, DrillStep } from "./Drill.ts"
import type { Ground } from "./Ground.ts"
import { controlPlaneComes, declarativeFile, fileVersion, startAlone } from "./restarts.ts"
import { storageUrl } from "./signedCluster.ts"
import {
  cloneNeighbour,
  corrupted,
  forged,
  forgetCache,
  isCached,
  isExported,
  keepStorage,
  ofAnotherVersion,
  restoreStorage,
  type Tamper,
  tamper,
  truncated
} from "./storageObjects.ts"

const older = "v1"
const newest = "v2"

const importing = ({ stage }: Ground): GivenSettings => ({
  cluster_fallback_config_import: "on",
  cluster_fallback_config_storage: storageUrl(stage.directory)
})

const prepare: DrillStep = {
  title:
    "start a control plane that signs and exports, a neighbour and an upstream, give them two versions, and kill -9 the control plane",
  play: (ground) =>
    Effect.gen(function* () {
      const { stage } = ground
      yield* Effect.all([startEcho(ground), startControlPlane(ground)], { concurrency: 2 })
      yield* loadConfig(ground)
      yield* eventually(reconnectWithinMs, isExported(ground, older))
      yield* keepStorage(ground, older)
      yield* stage.neighbour.start
      yield* startDataPlane(ground)
      yield* changeConfig(ground)
      yield* eventually(startWithinMs, serves(ground, newest))
      const proved = yield* ground.prove
      yield* eventually(reconnectWithinMs, isExported(ground, newest))
      yield* keepStorage(ground, newest)
      yield* eventually(reconnectWithinMs, isCached(ground, "neighbour", newest))
      yield* stage.dataPlane.stop
      yield* stage.controlPlane.kill
      return `${proved}; version ${newest} is exported, and the neighbour has it`
    })
}

/** A node that was never here before, with these settings. */
const startFresh = Effect.fnUntraced(function* (ground: Ground, settings: GivenSettings) {
  yield* ground.load.pause
  yield* ground.stage.dataPlane.stop
  yield* emptyDisk(ground)
  yield* ground.stage.setDataPlane(settings)
})

const servesFrom = Effect.fnUntraced(function* (ground: Ground, source: string, what: string) {
  const tookMs = yield* ground.recover(what, restartWithinMs, serves(ground, newest), startDataPlane(ground))
  yield* isReady(ground)
  yield* showsSource(ground, source)
  yield* traffic(ground, 1)
  return tookMs
})

const fromPeer: DrillStep = {
  title: "start a node with an empty disk that knows its neighbour: it serves what the neighbour has",
  play: (ground) =>
    Effect.gen(function* () {
      yield* startFresh(ground, { config_peers: `127.0.0.1:${ground.ports.peer}` })
      return `served ${seconds(yield* servesFrom(ground, "peer", "a new node serves from a peer"))} after its start`
    })
}

const fromStorage: DrillStep = {
  title: "start one that knows the object storage: it serves what was exported, and keeps it",
  play: (ground) =>
    Effect.gen(function* () {
      yield* startFresh(ground, importing(ground))
      const tookMs = yield* servesFrom(ground, "object_storage", "a new node serves from object storage")
      yield* eventually(reconnectWithinMs, isCached(ground, "data-plane", newest))
      yield* ground.load.pause
      yield* ground.stage.dataPlane.kill
      const againMs = yield* startAlone(ground, newest, "and from its own cache when it is killed and restarted")
      return `served ${seconds(tookMs)} after its start, and ${seconds(againMs)} after the next`
    })
}

const fromClone: DrillStep = {
  title: "start one on a copy of the neighbour's cache file: it serves that",
  play: (ground) =>
    Effect.gen(function* () {
      yield* startFresh(ground, {})
      yield* cloneNeighbour(ground)
      return `served ${seconds(yield* servesFrom(ground, "disk", "a new node serves from a copied cache"))} after its start`
    })
}

/** The object storage is passed over for this reason, and what is below it serves. */
const passesOver = Effect.fnUntraced(function* (ground: Ground, words: string) {
  yield* startDataPlane(ground)
  yield* eventually(
    restartWithinMs,
    shows(
      ground,
      "ladder.passed_over",
      (passed) => JSON.stringify(passed).includes(words),
      `the object storage passed over because of "${words}"`
    )
  )
  yield* serves(ground, fileVersion)
  yield* servesNot(ground, newest)
  yield* showsSource(ground, "declarative_file")
  yield* isReady(ground)
  yield* traffic(ground, 1)
})

const withFile = (ground: Ground) =>
  Effect.map(declarativeFile(ground), (file) => ({ ...importing(ground), declarative_config: file }))

const refuses = (what: string, how: Tamper, words: string): DrillStep => ({
  title: `put ${what} objects there and start a node with an empty disk: they are refused, and its declarative file serves`,
  play: (ground) =>
    Effect.gen(function* () {
      yield* restoreStorage(ground, newest)
      yield* tamper(ground, how, "all")
      yield* startFresh(ground, yield* withFile(ground))
      yield* passesOver(ground, words)
      return `refused: "${words} …"`
    })
})

const oneOfTwo: DrillStep = {
  title: "corrupt the newest object alone: the node takes the other one",
  play: (ground) =>
    Effect.gen(function* () {
      yield* restoreStorage(ground, newest)
      yield* tamper(ground, corrupted, "latest")
      yield* startFresh(ground, importing(ground))
      const what = "a new node serves from the storage's other object"
      return `served ${seconds(yield* servesFrom(ground, "object_storage", what))} after its start`
    })
}

const refusesOlder: DrillStep = {
  title: "put the older export there, signed as it is, and let the node forget its cache: it has seen a newer one",
  play: (ground) =>
    Effect.gen(function* () {
      yield* restoreStorage(ground, newest)
      yield* startFresh(ground, yield* withFile(ground))
      yield* servesFrom(ground, "object_storage", "a new node climbs from its declarative file to object storage")
      yield* eventually(reconnectWithinMs, isCached(ground, "data-plane", newest))
      yield* ground.load.pause
      yield* ground.stage.dataPlane.stop
      yield* forgetCache(ground)
      yield* restoreStorage(ground, older)
      const words = "expected nothing older than the newest configuration seen"
      yield* passesOver(ground, words)
      return `refused: "${words} …"`
    })
}

const takeOver: DrillStep = {
  title: "start the control plane: its configuration takes the place of whatever serves",
  play: (ground) =>
    Effect.gen(function* () {
      const tookMs = yield* controlPlaneComes(ground, newest)
      yield* servesNot(ground, fileVersion)
      yield* showsSource(ground, "control_plane")
      const version = yield* changeConfig(ground)
      yield* eventually(reconnectWithinMs, isExported(ground, version))
      return `after ${seconds(tookMs)}, without a request lost in between; its next version is exported over the older one`
    })
}

export const newNode: Drill = {
  name: "new-node",
  promise:
    "A node that never met its control plane serves while that is dead, from a peer, from object storage, from a copied cache or from a file; what was corrupted, cut off, forged, written for another version or is older than what was seen is refused with the reason, and the next source serves.",
  isSigned: true,
  steps: [
    prepare,
    fromPeer,
    fromStorage,
    fromClone,
    oneOfTwo,
    refuses("corrupted", corrupted, "expected gzip"),
    refuses("truncated", truncated, "expected gzip"),
    refuses("forged", forged, "content or statement was changed since"),
    refuses("foreign", ofAnotherVersion, "it was written for 4.0.0.0"),
    refusesOlder,
    takeOver
  ]
}
