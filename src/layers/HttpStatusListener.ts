/** StatusListener over `node:http`: `GET /status` and `GET /status/ready` (reference `proxy-behaviour.md` §11). */
import { createServer } from "node:http"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { Clock, Effect, Layer, MutableRef, SubscriptionRef } from "effect"
import { HttpServerRequest, HttpServerResponse } from "effect/http"
import { listenFault } from "../model/listenFault.ts"
import type { ListenAddress } from "../model/SettingTypes.ts"
import { ConnectionStatus } from "../services/ConnectionStatus.ts"
import { Identity } from "../services/Identity.ts"
import { LiveConfig } from "../services/LiveConfig.ts"
import { NodeHealth } from "../services/NodeHealth.ts"
import { readyAnswer, statusBody } from "../services/NodeStatus.ts"
import { Settings } from "../services/Settings.ts"
import { StartError } from "../services/StartError.ts"
import { StatusListener } from "../services/StatusListener.ts"

const json = (body: unknown, status: number) => HttpServerResponse.jsonUnsafe(body, { status })

const codeOf = (cause: unknown): string | undefined => (cause as { readonly code?: string }).code

const make = Effect.gen(function* () {
  const settings = yield* Settings
  const { nodeId } = yield* Identity
  const live = yield* LiveConfig
  const connection = yield* ConnectionStatus
  const health = yield* NodeHealth

  const facts = Effect.gen(function* () {
    return {
      nodeId,
      nowMs: yield* Clock.currentTimeMillis,
      live: yield* SubscriptionRef.get(live.state),
      connection: yield* SubscriptionRef.get(connection),
      proxy: MutableRef.get(health.proxy)?.(),
      isDraining: MutableRef.get(health.isDraining),
      cacheProblem: MutableRef.get(health.cacheProblem)
    }
  })

  const answer = Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest
    const path = request.url.split("?", 1)[0]
    if (path !== "/status" && path !== "/status/ready") return json({ message: "Not found" }, 404)
    if (request.method !== "GET" && request.method !== "HEAD") return json({ message: "Method not allowed" }, 405)
    if (path === "/status") return json(statusBody(yield* facts), 200)
    const { status, body } = readyAnswer(yield* facts)
    return json(body, status)
  })

  const listen = Effect.fnUntraced(function* (address: ListenAddress) {
    const { host, port } = address
    const server = yield* NodeHttpServer.make(createServer, { host, port, gracefulShutdownTimeout: "1 second" }).pipe(
      Effect.mapError(
        ({ cause }) => new StartError({ exitCode: 1, faults: [listenFault("status_listen", address, codeOf(cause))] })
      )
    )
    yield* server.serve(answer)
    return { host, port: "port" in server.address ? server.address.port : port }
  })

  return { addresses: yield* Effect.forEach(settings.status_listen, listen) }
})

export const layer: Layer.Layer<
  StatusListener,
  StartError,
  Settings | Identity | LiveConfig | ConnectionStatus | NodeHealth
> = Layer.effect(StatusListener, make)
