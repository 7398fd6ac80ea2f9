/** Numbers for connections, and for the requests on each: given only to those that a plugin asks about. */
import type { Socket } from "node:net"
import type { PluginConnection } from "../../../model/plugin/Plugin.ts"

interface Counted {
  readonly serial: number
  requests: number
}

export class Connections {
  readonly #counted = new WeakMap<Socket, Counted>()
  #serials = 0

  /** To be asked once per request. */
  of(socket: Socket): PluginConnection {
    const counted = this.#counted.get(socket) ?? { serial: ++this.#serials, requests: 0 }
    this.#counted.set(socket, counted)
    counted.requests++
    return {
      serverAddress: socket.localAddress ?? "",
      serverPort: socket.localPort ?? 0,
      serial: counted.serial,
      requests: counted.requests
    }
  }
}
