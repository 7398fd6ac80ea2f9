/** A proxy in front of a store that does to its answers what networks and stores do. It passes on everything else. */
import { once } from "node:events"
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"

export type Trouble =
  | {
      readonly _tag: "Answers"
      readonly status: number
      readonly headers?: Record<string, string>
      readonly body?: string
    }
  /** Accepts and says nothing. */
  | { readonly _tag: "Hangs" }
  /** Cuts the connection at once. */
  | { readonly _tag: "Resets" }
  /** So many bytes of the body, then nothing more, though the head promised all of them. */
  | { readonly _tag: "BreaksOff"; readonly afterBytes: number }
  /** The store gets it all, and its answer is lost. */
  | { readonly _tag: "LosesAnswer" }

export interface TroubledProxy {
  readonly port: number
  /** `undefined`: passes everything on. By request, so that one may be troubled and the next one not. */
  readonly become: (troubleOf: (request: IncomingMessage, n: number) => Trouble | undefined) => void
  readonly requests: () => number
  /** Bytes of bodies that came from the store. */
  readonly passedBytes: () => number
  readonly close: () => Promise<void>
}

export const startTroubledProxy = async (target: number): Promise<TroubledProxy> => {
  let troubleOf: (request: IncomingMessage, n: number) => Trouble | undefined = () => undefined
  let requests = 0
  let passedBytes = 0

  const forward = (incoming: IncomingMessage, outgoing: ServerResponse, trouble: Trouble | undefined): void => {
    const { method, url: path, headers } = incoming
    const asked = request({ host: "127.0.0.1", port: target, method, path, headers, agent: false }, (answer) => {
      if (trouble?._tag === "LosesAnswer") {
        answer.resume().once("end", () => incoming.socket.destroy())
        return
      }
      outgoing.writeHead(answer.statusCode ?? 500, answer.headers)
      let left = trouble?._tag === "BreaksOff" ? trouble.afterBytes : Number.POSITIVE_INFINITY
      answer.on("data", (chunk: Buffer) => {
        passedBytes += chunk.length
        const part = chunk.subarray(0, left)
        left -= part.length
        outgoing.write(part, () => left <= 0 && incoming.socket.destroy())
      })
      answer.once("end", () => outgoing.end())
    })
    asked.once("error", () => incoming.socket.destroy())
    incoming.pipe(asked)
  }

  const server = createServer((incoming, outgoing) => {
    const trouble = troubleOf(incoming, ++requests)
    switch (trouble?._tag) {
      case "Answers":
        incoming.resume()
        outgoing.writeHead(trouble.status, trouble.headers ?? {}).end(trouble.body ?? "")
        break
      case "Hangs":
        incoming.resume()
        break
      case "Resets":
        incoming.socket.destroy()
        break
      default:
        forward(incoming, outgoing, trouble)
    }
  })
  server.listen(0, "127.0.0.1")
  await once(server, "listening")

  return {
    port: (server.address() as AddressInfo).port,
    become: (next) => {
      troubleOf = next
      requests = 0
      passedBytes = 0
    },
    requests: () => requests,
    passedBytes: () => passedBytes,
    close: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, "close")
    }
  }
}
