/**
 * Connections of a TLS listener from the moment they are accepted: what stays silent is let go in time, and nobody keeps
 * the others out.
 *
 * A bound on the whole alone would be a door that one stranger can hold shut. So each address has its own, and where the
 * whole is used up, the connection that has waited longest for its handshake makes room: who has a certificate
 * of the cluster has shown it long before.
 */
import type { Socket } from "node:net"
import type { Server } from "node:tls"

export interface ConnectionBounds {
  readonly connectionsMax: number
  readonly connectionsPerAddressMax: number
}

export interface Handshakes {
  readonly handshakeMs: number
  readonly late: (ip: string) => void
  readonly bounds: ConnectionBounds
}

/** As people know it: an IPv4 address is one, whatever the socket was bound to. */
export const plainIp = ({ remoteAddress }: Socket): string => (remoteAddress ?? "").replace(/^::ffff:/i, "")

/** Node gives no way from a TLS socket to the connection under it: they have these in common. */
const keyOf = ({ localAddress, remoteAddress, remotePort }: Socket): string =>
  `${localAddress} ${remoteAddress} ${remotePort}`

const makeTally = ({ connectionsMax, connectionsPerAddressMax }: ConnectionBounds) => {
  const openOf = new Map<string, number>()
  let open = 0
  return {
    isUsedUp: (): boolean => open >= connectionsMax,
    isUsedUpBy: (ip: string): boolean => (openOf.get(ip) ?? 0) >= connectionsPerAddressMax,
    add: (ip: string): void => {
      open++
      openOf.set(ip, (openOf.get(ip) ?? 0) + 1)
    },
    remove: (ip: string): void => {
      open--
      const left = (openOf.get(ip) ?? 0) - 1
      if (left > 0) openOf.set(ip, left)
      else openOf.delete(ip)
    }
  }
}

interface Waiting {
  readonly socket: Socket
  readonly timer: NodeJS.Timeout
}

/** Who has not shaken hands so far, the oldest first. */
const makeWaiting = (handshakeMs: number, late: (ip: string) => void) => {
  const waiting = new Map<string, Waiting>()

  const leave = (key: string): Waiting | undefined => {
    const found = waiting.get(key)
    clearTimeout(found?.timer)
    waiting.delete(key)
    return found
  }

  return {
    leave,
    add: (key: string, socket: Socket, ip: string): void => {
      leave(key)
      const timer = setTimeout(() => {
        leave(key)
        late(ip)
        socket.destroy()
      }, handshakeMs)
      waiting.set(key, { socket, timer: timer.unref() })
      socket.once("close", () => {
        if (waiting.get(key)?.socket === socket) leave(key)
      })
    },
    /** False when there is none. */
    dropOldest: (): boolean => {
      const [oldest] = waiting.keys()
      if (oldest === undefined) return false
      leave(oldest)?.socket.destroy()
      return true
    }
  }
}

/**
 * Whoever is over a bound is dropped without a word, before anything of a handshake is computed. `late` is told the address
 * of who has not shaken hands in `handshakeMs`: Node's own error of that comes when the address is gone.
 */
export const boundConnections = (server: Server, { handshakeMs, late, bounds }: Handshakes): void => {
  const tally = makeTally(bounds)
  const waiting = makeWaiting(handshakeMs, late)
  server.on("connection", (socket: Socket) => {
    const ip = plainIp(socket)
    if (tally.isUsedUpBy(ip) || (tally.isUsedUp() && !waiting.dropOldest())) return void socket.destroy()
    tally.add(ip)
    socket.once("close", () => tally.remove(ip))
    waiting.add(keyOf(socket), socket, ip)
  })
  server.on("secureConnection", (socket) => void waiting.leave(keyOf(socket)))
}
