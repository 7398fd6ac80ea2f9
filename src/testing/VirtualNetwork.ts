/**
 * The network of a virtual world: nodes dial addresses at which control planes listen, all within one process. What a
 * link and a connection may do to them stands at the top of `VirtualLink.ts` and `VirtualConnection.ts`. Here:
 *
 * - nobody listens: refused after one way there and back;
 * - the machine behind the address is gone: no answer at all, the dialler's own limit of 5 s ends the attempt;
 * - the listener takes the connection and never answers, breaks it off, or refuses it with an HTTP status: as it says;
 * - the way is blocked while the handshake is under way: no answer until it opens.
 *
 * A node that is refused in any of these ways tries again after its delay, for ever.
 */

import type { SeededRandom } from "./SeededRandom.ts"
import type { VirtualClock } from "./VirtualClock.ts"
import { type Connection, type End, makeConnection } from "./VirtualConnection.ts"
import { goodConditions, type Link, type LinkConditions, makeLink } from "./VirtualLink.ts"
import type { VirtualTime } from "./VirtualTime.ts"

/** What a node shows of itself when it dials. */
export interface DialRequest {
  /** Its name in this world. */
  readonly node: string
  readonly nodeId: string
  readonly hostname: string
  readonly version: string
  /** The path that it asks for; none for the session's, `/v1/outlet`. */
  readonly path?: string
}

/** What a listener does with one who dials. */
export type Admission =
  | { readonly _tag: "Accepted"; readonly serve: (end: End) => void }
  | { readonly _tag: "Refused"; readonly status: number; readonly retryAfterMs?: number }
  /** Takes the connection and says nothing. */
  | { readonly _tag: "Silent" }
  /** Takes the connection and drops it. */
  | { readonly _tag: "BrokenOff" }

export interface Listener {
  readonly clock: VirtualClock
  readonly admit: (request: DialRequest) => Admission
}

export type DialOutcome =
  | { readonly _tag: "Open"; readonly end: End }
  | {
      readonly _tag: "Failed"
      readonly reason: "dialFailed" | "refused"
      readonly message: string
      readonly retryAfterMs?: number
      readonly status?: number
    }

export interface VirtualNetwork {
  readonly link: (node: string) => Link
  /** Changes the link of every node, of those to come too. */
  readonly changeAll: (conditions: Partial<LinkConditions>) => void
  /** Until the returned function is called, whoever dials the address reaches this listener. */
  readonly listen: (address: string, listener: Listener) => () => void
  /** The machine behind an address loses its power, or gets it back. */
  readonly setGone: (address: string, isGone: boolean) => void
  /** Calls back once, unless there is no answer; what comes back gives up the attempt. */
  readonly dial: (
    attempt: { readonly request: DialRequest; readonly address: string; readonly clock: VirtualClock },
    done: (outcome: DialOutcome) => void
  ) => () => void
  /** A node's connections that are open on its side, and its attempts under way, of those that ask for this path. */
  readonly socketsOf: (node: string, path?: string) => number
  readonly connectionsOf: (node: string) => ReadonlyArray<Connection>
  readonly connectionsTo: (address: string) => ReadonlyArray<Connection>
  /**
   * All that the process of this name had open or listened at, when it is killed (its kernel tells the others) or its
   * machine loses power (nobody is told, and nothing answers there until somebody listens again).
   */
  readonly abandon: (name: string, how: "told" | "silent") => void
  /** The same of one listener; new attempts are refused. */
  readonly crash: (address: string, how: "told" | "silent") => void
}

interface Open {
  readonly connection: Connection
  readonly path: string | undefined
  readonly node: string
  readonly address: string
}

/** TCP, TLS 1.3 and the upgrade: three times there and back, of which the first answer is the kernel's. */
const handshakeTrips = 6

export const makeVirtualNetwork = (time: VirtualTime["Service"], random: SeededRandom): VirtualNetwork => {
  const links = new Map<string, Link>()
  const listeners = new Map<string, Listener>()
  const gone = new Set<string>()
  const byNode = new Map<string, Set<Open>>()
  const byAddress = new Map<string, Set<Open>>()
  const attempts = new Map<string, Set<DialRequest>>()
  const general: LinkConditions = { ...goodConditions }

  const link = (node: string): Link => {
    const known = links.get(node)
    if (known !== undefined) return known
    const made = makeLink(node, random.stream(`link ${node}`), { ...general })
    links.set(node, made)
    return made
  }

  const setOf = <A>(of: Map<string, Set<A>>, key: string): Set<A> => {
    const known = of.get(key)
    if (known !== undefined) return known
    const made = new Set<A>()
    of.set(key, made)
    return made
  }

  const connect = (
    { node, path }: DialRequest,
    address: string,
    nodeClock: VirtualClock,
    serverClock: VirtualClock
  ): Connection => {
    const ofNode = setOf(byNode, node)
    const ofAddress = setOf(byAddress, address)
    const connection = makeConnection({
      time,
      link: link(node),
      nodeClock,
      serverClock,
      onNodeEnd: () => ofNode.delete(open),
      onServerEnd: () => ofAddress.delete(open)
    })
    const open: Open = { connection, path, node, address }
    ofNode.add(open)
    ofAddress.add(open)
    return connection
  }

  const dial: VirtualNetwork["dial"] = ({ request, address, clock }, done) => {
    if (clock.isKilled()) return () => {}
    const { node } = request
    const way = link(node)
    const underWay = setOf(attempts, node)
    const attempt: DialRequest = { ...request }
    let isOver = false
    let opened: Connection | undefined
    underWay.add(attempt)
    const settle = (outcome: DialOutcome): void => {
      if (isOver) return
      isOver = true
      underWay.delete(attempt)
      done(outcome)
    }
    const tell = (outcome: DialOutcome, afterMs: number): void =>
      way.whenOpen("toNode", () => void time.after(afterMs, () => clock.whenAwake(() => settle(outcome))))

    const fail = (
      reason: "dialFailed" | "refused",
      message: string,
      more: { readonly retryAfterMs?: number; readonly status?: number } = {}
    ): void => tell({ _tag: "Failed", reason, message, ...more }, way.drawDelayMs())

    const accept = (serve: (end: End) => void, serverClock: VirtualClock): void => {
      underWay.delete(attempt)
      opened = connect(request, address, clock, serverClock)
      tell({ _tag: "Open", end: opened.node }, way.drawDelayMs())
      serve(opened.server)
    }

    const refuse = ({ status, retryAfterMs }: Extract<Admission, { readonly _tag: "Refused" }>): void =>
      fail("refused", `expected a WebSocket handshake, got HTTP ${status}`, {
        status,
        ...(retryAfterMs === undefined ? {} : { retryAfterMs })
      })

    const upgrade = (listener: Listener): void => {
      if (isOver) return
      const admission = listener.admit(request)
      if (admission._tag === "Accepted") accept(admission.serve, listener.clock)
      else if (admission._tag === "Refused") refuse(admission)
      else if (admission._tag === "BrokenOff") fail("dialFailed", "closed during the handshake")
    }

    /** The kernel behind the address answers the first packet, also for a process that is suspended. */
    const arrive = (): void => {
      if (isOver || gone.has(address)) return
      const listener = listeners.get(address)
      if (listener === undefined) return fail("dialFailed", `connect ECONNREFUSED ${address}`)
      const restMs = (handshakeTrips - 2) * way.conditions.delayMs
      time.after(restMs, () => {
        if (!listener.clock.isKilled()) listener.clock.whenAwake(() => upgrade(listener))
        else if (!gone.has(address)) fail("dialFailed", "read ECONNRESET")
      })
    }

    way.whenOpen("toServer", () => void time.after(way.drawDelayMs(), arrive))
    return () => {
      if (isOver) return
      isOver = true
      underWay.delete(attempt)
      opened?.node.reset()
    }
  }

  const leave = (opens: Iterable<Open>, side: "node" | "server", how: "told" | "silent"): void => {
    for (const { connection } of [...opens]) {
      if (how === "silent") connection.die()
      connection[side].reset()
    }
  }

  const crash: VirtualNetwork["crash"] = (address, how) => {
    listeners.delete(address)
    leave(byAddress.get(address) ?? [], "server", how)
  }

  return {
    link,
    changeAll: (conditions) => {
      Object.assign(general, conditions)
      for (const each of links.values()) each.change(conditions)
    },
    listen: (address, listener) => {
      listeners.set(address, listener)
      gone.delete(address)
      return () => {
        if (listeners.get(address) === listener) listeners.delete(address)
      }
    },
    setGone: (address, isGone) => {
      if (isGone) gone.add(address)
      else gone.delete(address)
    },
    dial,
    socketsOf: (node, asked) => {
      const all = [...(byNode.get(node) ?? []), ...(attempts.get(node) ?? [])]
      return all.filter(({ path }) => path === asked).length
    },
    connectionsOf: (node) => [...(byNode.get(node) ?? [])].map(({ connection }) => connection),
    connectionsTo: (address) => [...(byAddress.get(address) ?? [])].map(({ connection }) => connection),
    abandon: (name, how) => {
      attempts.get(name)?.clear()
      leave(byNode.get(name) ?? [], "node", how)
      for (const [address, { clock }] of [...listeners]) {
        if (clock.name !== name) continue
        crash(address, how)
        if (how === "silent") gone.add(address)
      }
    },
    crash
  }
}
