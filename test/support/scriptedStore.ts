/** A store that answers what a test tells it, and remembers what it was asked. */
import { once } from "node:events"
import { createServer, type IncomingHttpHeaders, type RequestListener } from "node:http"
import { createServer as createTlsServer } from "node:https"
import type { AddressInfo } from "node:net"
import { Effect } from "effect"

export interface Asked {
  readonly method: string
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

export interface Answer {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

interface Pair {
  readonly cert: string
  readonly key: string
}

/** With a certificate over TLS. */
export const startScriptedStore = (answer: (asked: Asked, n: number) => Answer, tls?: Pair) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const asked: Array<Asked> = []
      const serve: RequestListener = async (request, response) => {
        const chunks: Array<Buffer> = []
        for await (const chunk of request) chunks.push(chunk)
        const { method = "", url: path = "", headers } = request
        const entry = { method, path, headers, body: Buffer.concat(chunks) }
        asked.push(entry)
        const { status = 200, headers: told = {}, body = "" } = answer(entry, asked.length)
        response.writeHead(status, { "content-length": String(Buffer.byteLength(body)), ...told }).end(body)
      }
      const server = tls === undefined ? createServer(serve) : createTlsServer(tls, serve)
      server.listen(0, "127.0.0.1")
      await once(server, "listening")
      return {
        asked,
        server,
        url: `${tls === undefined ? "http" : "https"}://127.0.0.1:${(server.address() as AddressInfo).port}`
      }
    }),
    ({ server }) =>
      Effect.sync(() => {
        server.closeAllConnections()
        server.close()
      })
  )
