/** The sample upstream of quickstart and drills: answers every request with what it saw of it. */

import { createServer, type Server } from "node:http"
import { Effect } from "effect"
import { StartError } from "../../services/StartError.ts"
import type { RunCommand } from "../Command.ts"

const listen = (port: number): Effect.Effect<Server, StartError> =>
  Effect.callback<Server, StartError>((resume) => {
    const server = createServer((request, response) => {
      const seen = { upstream: "echo", method: request.method, path: request.url, host: request.headers.host }
      response.setHeader("content-type", "application/json")
      response.end(`${JSON.stringify(seen)}\n`)
    })
    server.once("error", (error) =>
      resume(Effect.fail(new StartError({ faults: [{ path: ["--port"], message: error.message }], exitCode: 1 })))
    )
    server.listen(port, "127.0.0.1", () => resume(Effect.succeed(server)))
  })

const close = (server: Server): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    server.close(() => resume(Effect.void))
    server.closeAllConnections()
  })

export const runEcho: RunCommand = ({ flags }) =>
  Effect.acquireRelease(listen(Number(flags.port)), close).pipe(Effect.andThen(Effect.never), Effect.scoped)
