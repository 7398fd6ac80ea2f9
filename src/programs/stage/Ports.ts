/**
 * Ports for a stage: Kong's own where they are free, others where they are not; or such as nobody else would use. All of
 * them are held until the last one is chosen: one that is let go may be the next choice of the system's.
 */

import { createServer, type Server } from "node:net"
import { Effect, type Scope } from "effect"

export interface Ports {
  readonly proxy: number
  readonly status: number
  readonly admin: number
  readonly cluster: number
  readonly echo: number
}

export interface DrillPorts extends Ports {
  readonly proxyTls: number
  readonly neighbourProxy: number
  readonly neighbourStatus: number
  /** Where the neighbour gives its configuration. */
  readonly peer: number
}

const usual: Ports = { proxy: 8000, status: 8007, admin: 8001, cluster: 8005, echo: 9000 }

/** Port 0 lets the system choose. Undefined when the port is taken. */
const listen = (port: number): Effect.Effect<Server | undefined> =>
  Effect.callback<Server | undefined>((resume) => {
    // Whoever connects meanwhile would keep the server from closing.
    const server = createServer((socket) => socket.destroy())
    server.once("error", () => resume(Effect.succeed(undefined)))
    server.listen(port, "127.0.0.1", () => resume(Effect.succeed(server)))
  })

const close = (server: Server | undefined): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    if (server === undefined) resume(Effect.void)
    else server.close(() => resume(Effect.void))
  })

/** The port, held until the scope ends; undefined when somebody else has it. */
const hold = (port: number): Effect.Effect<number | undefined, never, Scope.Scope> =>
  Effect.map(Effect.acquireRelease(listen(port), close), (server) => {
    const address = server?.address()
    return typeof address === "object" && address !== null ? address.port : undefined
  })

const choose = Effect.fnUntraced(function* (wanted: number) {
  const port = (yield* hold(wanted)) ?? (yield* hold(0))
  return port ?? (yield* Effect.die(new Error("no port of 127.0.0.1 is free")))
})

/** One port for each name: the wanted one where it is free, another where it is not or 0 was wanted. No two are the same. */
export const choosePorts = <Names extends string>(
  wanted: Readonly<Record<Names, number>>
): Effect.Effect<Readonly<Record<Names, number>>> =>
  Effect.scoped(
    Effect.gen(function* () {
      const chosen: Array<readonly [string, number]> = []
      for (const [name, port] of Object.entries<number>(wanted)) chosen.push([name, yield* choose(port)])
      return Object.fromEntries(chosen) as Record<Names, number>
    })
  )

/** Kong's own where they are free, so that what people know by heart works. */
export const usualPorts: Effect.Effect<Ports> = choosePorts({ ...usual })

/** None of Kong's own: whoever drills may have a gateway of theirs on this machine. */
export const otherPorts: Effect.Effect<DrillPorts> = choosePorts({
  proxy: 0,
  proxyTls: 0,
  status: 0,
  admin: 0,
  cluster: 0,
  echo: 0,
  neighbourProxy: 0,
  neighbourStatus: 0,
  peer: 0
})

/** One line for each port that is not the usual one. */
export const describeMovedPorts = (ports: Ports): ReadonlyArray<string> =>
  Object.entries(usual).flatMap(([name, port]) => {
    const chosen = ports[name as keyof Ports]
    return chosen === port ? [] : [`port ${port} is taken: ${name} uses ${chosen}`]
  })
