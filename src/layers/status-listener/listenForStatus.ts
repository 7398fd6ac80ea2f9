/** The server behind an address of `status_listen`, of either plane. */
import { createServer } from "node:http"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { Effect, type Scope } from "effect"
import type { HttpServerRequest, HttpServerResponse } from "effect/http"
import { listenFault } from "../../model/listenFault.ts"
import type { ListenAddress } from "../../model/SettingTypes.ts"
import { codeOf } from "../../model/thrown.ts"
import { StartError } from "../../services/StartError.ts"

/** What requests in flight get to finish when the listener stops. */
const drain = "1 second"

/** Answers every request so until the scope closes; gives the address that the system chose. */
export const listenForStatus = (
  answer: Effect.Effect<HttpServerResponse.HttpServerResponse, never, HttpServerRequest.HttpServerRequest | Scope.Scope>
) =>
  Effect.fnUntraced(function* (address: ListenAddress) {
    const { host, port } = address
    const server = yield* NodeHttpServer.make(createServer, { host, port, gracefulShutdownTimeout: drain }).pipe(
      Effect.mapError(
        ({ cause }) => new StartError({ exitCode: 1, faults: [listenFault("status_listen", address, codeOf(cause))] })
      )
    )
    yield* server.serve(answer)
    return { host, port: "port" in server.address ? server.address.port : port }
  })
