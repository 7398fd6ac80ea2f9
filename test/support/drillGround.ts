/**
 * As much of a drill's ground as a single step touches: one server speaks for all of its processes, and what the step
 * does is written down in order.
 */
import { createServer, type RequestListener } from "node:http"
import { Effect } from "effect"
import { ApiCalls } from "../../src/programs/drill/ApiCalls.ts"
import type { Faults } from "../../src/programs/drill/Faults.ts"
import { noFaults } from "../../src/programs/drill/Faults.ts"
import type { Ground } from "../../src/programs/drill/Ground.ts"
import { eventually } from "../../src/programs/stage/Probe.ts"
import { temporaryFolder } from "./folder.ts"

const serve = (listener: RequestListener) =>
  Effect.acquireRelease(
    Effect.callback<{ readonly port: number; readonly close: () => void }>((resume) => {
      const server = createServer(listener)
      server.listen(0, "127.0.0.1", () => {
        const address = server.address()
        const port = typeof address === "object" && address !== null ? address.port : 0
        const close = () => {
          server.close()
          server.closeAllConnections()
        }
        resume(Effect.succeed({ port, close }))
      })
    }),
    ({ close }) => Effect.sync(close)
  )

export interface DrillGroundOptions {
  /** Answers for control plane, node and echo. */
  readonly answer: RequestListener
  /** Happens when the node is started. */
  readonly onStart?: (directory: string) => void
  readonly parts?: Partial<Ground>
}

export const drillGround = Effect.fnUntraced(function* ({ answer, onStart, parts = {} }: DrillGroundOptions) {
  const { port } = yield* serve(answer)
  const directory = yield* temporaryFolder
  const done: Array<string> = []
  const note = (what: string) => Effect.sync(() => void done.push(what))
  const child = (name: string, begun: () => void = () => {}) => ({
    start: Effect.andThen(note(`start ${name}`), Effect.sync(begun)),
    kill: note(`kill ${name}`),
    stop: note(`stop ${name}`),
    gone: Effect.never
  })
  let faults: Faults = noFaults()
  let version = 0
  const url = `http://127.0.0.1:${port}`
  const ground = {
    stage: {
      directory,
      ports: { proxy: port, status: port, admin: port, cluster: port, echo: port },
      urls: { proxy: url, admin: url, status: url },
      echo: child("echo"),
      controlPlane: child("control-plane"),
      dataPlane: child("data-plane", () => onStart?.(directory)),
      setDataPlane: () => Effect.void
    },
    gateway: { port, tlsPort: port },
    load: {
      begin: ({ title }: { readonly title: string }) => note(`traffic: ${title}`),
      pause: note("pause"),
      counts: () => ({ sent: 0, failed: 0 }),
      failures: () => []
    },
    apiCalls: new ApiCalls(),
    config: { document: () => ({}) },
    startedMs: 0,
    prove: Effect.succeed("proved"),
    recover: (_: string, limitMs: number, check: Effect.Effect<unknown, never>, begun: Effect.Effect<unknown>) =>
      Effect.as(Effect.andThen(begun ?? Effect.void, eventually(limitMs, check)), 1),
    steer: (change: Partial<Faults>) =>
      Effect.sync(() => {
        faults = { ...faults, ...change }
        done.push(`steer ${Object.keys(change)}`)
      }),
    faults: () => faults,
    nextVersion: () => `v${++version}`,
    ...parts
  } as unknown as Ground
  return { ground, done }
})
