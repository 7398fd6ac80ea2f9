/** Ports for a stage: Kong's own where they are free, others where they are not; or such as nobody else would use. */

import { createServer } from "node:net"
import { Effect } from "effect"

export interface Ports {
  readonly proxy: number
  readonly status: number
  readonly admin: number
  readonly cluster: number
  readonly echo: number
}

const usual: Ports = { proxy: 8000, status: 8007, admin: 8001, cluster: 8005, echo: 9000 }

/** A port that was free a moment ago, of the system's choice. */
export const anyPort: Effect.Effect<number> = Effect.suspend(() =>
  Effect.flatMap(tryPort(0), (port) =>
    port === undefined ? Effect.die(new Error("no port of 127.0.0.1 is free")) : Effect.succeed(port)
  )
)

/** Port 0 lets the system choose. Undefined when the port is taken. */
const tryPort = (port: number): Effect.Effect<number | undefined> =>
  Effect.callback<number | undefined>((resume) => {
    const server = createServer()
    server.once("error", () => resume(Effect.succeed(undefined)))
    server.listen(port, "127.0.0.1", () => {
      const address = server.address()
      const chosen = typeof address === "object" && address !== null ? address.port : undefined
      server.close(() => resume(Effect.succeed(chosen)))
    })
  })

const choose = (port: number): Effect.Effect<number> =>
  Effect.flatMap(tryPort(port), (free) =>
    free === undefined ? Effect.map(tryPort(0), (other) => other ?? port) : Effect.succeed(free)
  )

/** Kong's own where they are free, so that what people know by heart works. */
export const usualPorts: Effect.Effect<Ports> = Effect.all({
  proxy: choose(usual.proxy),
  status: choose(usual.status),
  admin: choose(usual.admin),
  cluster: choose(usual.cluster),
  echo: choose(usual.echo)
})

/** None of Kong's own: whoever drills may have a gateway of theirs on this machine. */
export const otherPorts: Effect.Effect<Ports> = Effect.all({
  proxy: anyPort,
  status: anyPort,
  admin: anyPort,
  cluster: anyPort,
  echo: anyPort
})

/** One line for each port that is not the usual one. */
export const describeMovedPorts = (ports: Ports): ReadonlyArray<string> =>
  Object.entries(usual).flatMap(([name, port]) => {
    const chosen = ports[name as keyof Ports]
    return chosen === port ? [] : [`port ${port} is taken: ${name} uses ${chosen}`]
  })
