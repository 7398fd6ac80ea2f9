/** Uploads over HTTP/2 that a client breaks off: half a body must reach nobody as a whole one (`proxy-behaviour.md` §4, §10). */
import tls from "node:tls"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { CompiledConfig } from "../../../src/model/CompiledConfig.ts"
import { authority, leaf } from "../../support/pki.ts"
import { behind, plugin } from "./pluginSupport.ts"
import { loopback, oneRoute, startProxy, startUpstream } from "./support.ts"

const until = (holds: () => boolean) =>
  Effect.promise(async () => {
    for (let left = 500; left > 0 && !holds(); left--) await new Promise((resolve) => setTimeout(resolve, 10))
  })

const pause = (ms: number) => Effect.promise(() => new Promise((resolve) => setTimeout(resolve, ms)))

/** A frame (RFC 9113 §4.1). Written by hand, for Node's own client ends a body before it resets its stream. */
const frame = (type: number, flags: number, stream: number, payload: ReadonlyArray<number>): Buffer => {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head.writeUInt8(type, 3)
  head.writeUInt8(flags, 4)
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, Buffer.from(payload)])
}

const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
const settings = frame(4, 0, 0, [])
/** `POST / https`, authority `a`, and no end of the stream. */
const headers = frame(1, 4, 1, [0x83, 0x87, 0x84, 0x01, 1, 97])
const half = frame(0, 0, 1, [...Buffer.from("half of it")])
const reset = (code: number) => frame(3, 0, 1, [0, 0, 0, code])

const ways = {
  "a reset without an error": (socket: tls.TLSSocket) => void socket.write(reset(0)),
  "a reset that cancels": (socket: tls.TLSSocket) => void socket.write(reset(8)),
  "the end of its connection": (socket: tls.TLSSocket) => void socket.end(),
  "a connection that is gone": (socket: tls.TLSSocket) => void socket.destroy()
}

/** What an upstream, and whoever else writes to the list, heard of a body that ended with half of it. */
const breakOff = (
  way: (socket: tls.TLSSocket) => void,
  configFor: (port: number, heard: Array<unknown>) => CompiledConfig
) =>
  Effect.scoped(
    Effect.gen(function* () {
      const heard: Array<unknown> = []
      let received = 0
      const upstream = yield* startUpstream((request, response) => {
        request.on("data", (chunk: Buffer) => {
          received += chunk.length
        })
        request.on("error", () => undefined)
        request.on("end", () => {
          heard.push("whole")
          response.end("ok")
        })
      })
      const certificate = yield* leaf(yield* authority("CA"), { commonName: "localhost", dnsNames: ["localhost"] })
      const ended: Array<number> = []
      const { port, proxy } = yield* startProxy(configFor(upstream.port, heard), {
        certificate,
        settings: { proxy_listen: [{ ...loopback, isTls: true, isHttp2: true }] },
        observers: [({ status }) => void ended.push(status)]
      })
      const socket = tls.connect({ host: "127.0.0.1", port, rejectUnauthorized: false, ALPNProtocols: ["h2"] })
      yield* Effect.addFinalizer(() => Effect.sync(() => socket.destroy()))
      socket.on("error", () => undefined).resume()
      socket.write(Buffer.concat([preface, settings, headers, half]))
      yield* until(() => proxy.counts().inFlight === 1)
      yield* pause(100)
      way(socket)
      yield* until(() => ended.length === 1)
      yield* pause(50)
      return { heard, received, ended, inFlight: proxy.counts().inFlight }
    })
  ).pipe(Effect.orDie)

const reader = (heard: Array<unknown>) =>
  plugin("reader", {
    access: async (request) => {
      const bytes = await request.body(65_536)
      heard.push(bytes === undefined ? "none" : "whole for the plugin")
      return undefined
    }
  })

describe.each(Object.entries(ways))("an upload that ends with %s", (_, way) => {
  it.live("is broken off towards the upstream too, and counted once, as 499", () =>
    Effect.gen(function* () {
      const { heard, received, ended, inFlight } = yield* breakOff(way, (port) => oneRoute(port))
      assert.deepStrictEqual([heard, received, ended, inFlight], [[], 10, [499], 0])
    })
  )

  it.live("is none for a plugin that reads it, and reaches no upstream", () =>
    Effect.gen(function* () {
      const { heard, received, ended } = yield* breakOff(way, (port, list) => behind(port, [reader(list)]))
      assert.deepStrictEqual([heard, received, ended], [["none"], 0, [499]])
    })
  )
})
