/** What plugins may get wrong without harm to others: promises where none is waited for, and bodies asked for too late. */
import http from "node:http"
import net from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { PluginHandler } from "../../../src/model/plugin/Plugin.ts"
import { recordedLogs } from "../../support/recordedLogs.ts"
import { behind, plugin } from "./pluginSupport.ts"
import { get, send, signal, startProxy, startUpstream } from "./support.ts"

const until = (holds: () => boolean) =>
  Effect.promise(async () => {
    for (let left = 500; left > 0 && !holds(); left--) await new Promise((resolve) => setTimeout(resolve, 10))
  })

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

/** Rejections that nobody has heard of end a process; here they are collected. */
const unheardRejections = Effect.acquireRelease(
  Effect.sync(() => {
    const causes: Array<unknown> = []
    const before = process.listeners("unhandledRejection")
    process.removeAllListeners("unhandledRejection")
    process.on("unhandledRejection", (cause) => causes.push(cause))
    return { causes, before }
  }),
  ({ before }) =>
    Effect.sync(() => {
      process.removeAllListeners("unhandledRejection")
      for (const listener of before) process.on("unhandledRejection", listener)
    })
)

const failing = async () => {
  throw new Error("later")
}

describe("a promise where a plugin may not wait", () => {
  it.live("in its log phase: what it rejects with is told once, and ends no process", () =>
    Effect.gen(function* () {
      const { causes } = yield* unheardRejections
      const logs = recordedLogs()
      const upstream = yield* startUpstream((_, response) => response.end("ok"))
      const bad = plugin("bad", { log: failing as PluginHandler["log"] & object })
      const { port } = yield* startProxy(behind(upstream.port, [bad])).pipe(Effect.provide(logs.layer))
      const { status } = yield* get(port)
      yield* until(() => logs.of("a request failed on a defect").length > 0 || causes.length > 0)
      yield* Effect.promise(() => pause(20))
      assert.deepStrictEqual([status, causes, logs.of("a request failed on a defect").length], [200, [], 1])
    })
  )

  it.live("in a header filter: it has said nothing by the time the head goes out, so the answer is 500", () =>
    Effect.gen(function* () {
      const { causes } = yield* unheardRejections
      const upstream = yield* startUpstream((_, response) => response.end("ok"))
      const bad = plugin("bad", { headerFilter: failing as PluginHandler["headerFilter"] & object })
      const { port } = yield* startProxy(behind(upstream.port, [bad]))
      const { status } = yield* get(port)
      yield* Effect.promise(() => pause(20))
      assert.deepStrictEqual([status, causes], [500, []])
    })
  )
})

describe("a body that is asked for too late", () => {
  const late: ReadonlyArray<
    readonly [string, (ask: (request: Parameters<PluginHandler["log"] & object>[0]) => void) => PluginHandler]
  > = [
    ["in a header filter", (ask) => ({ headerFilter: ask })],
    ["beside the access phase", (ask) => ({ access: (request) => void setTimeout(() => ask(request), 20) })]
  ]

  it.live.each(late)("%s is none, and what the client sends goes on as it would have", ([, handler]) =>
    Effect.gen(function* () {
      const got: Array<Uint8Array | undefined> = []
      const upstream = yield* startUpstream((request, response) => {
        let length = 0
        request.on("data", (chunk: Buffer) => {
          if (length === 0) response.writeHead(200).flushHeaders()
          length += chunk.length
        })
        request.on("end", () => response.end(String(length)))
      })
      const sent: Array<number> = []
      const curious = plugin(
        "curious",
        handler((request) => void request.body(10).then((bytes) => got.push(bytes)))
      )
      const { port } = yield* startProxy(behind(upstream.port, [curious]), {
        observers: [({ requestBodyBytes }) => void sent.push(requestBodyBytes)],
        settings: { client_body_timeout: 1 }
      })
      const request = http.request({ host: "127.0.0.1", port, method: "POST", agent: false })
      const answer = new Promise<string>((resolve, reject) => {
        request.on("error", reject)
        request.on("response", (response) => {
          let text = ""
          response.on("data", (chunk) => {
            text += chunk
          })
          response.on("end", () => resolve(text))
          response.on("error", reject)
        })
      })
      request.write("x".repeat(20))
      yield* Effect.promise(() => pause(60))
      request.write("x".repeat(20))
      yield* Effect.promise(() => pause(20))
      request.end("x".repeat(20))
      assert.strictEqual(yield* Effect.promise(() => answer), "60")
      yield* until(() => sent.length === 1)
      assert.deepStrictEqual([got, sent], [[undefined], [60]])
    })
  )

  it.live("after the client has left is none, and is told so at once", () =>
    Effect.gen(function* () {
      const upstream = yield* startUpstream((_, response) => response.end("ok"))
      const asked = signal()
      const left = signal()
      const got: Array<Uint8Array | undefined> = []
      const slow = plugin("slow", {
        access: async (request) => {
          asked.tell()
          await left.done
          got.push(await request.body(100))
          return undefined
        }
      })
      const ended: Array<number> = []
      const { port } = yield* startProxy(behind(upstream.port, [slow]), {
        observers: [({ status }) => void ended.push(status)]
      })
      const socket = net.connect(port, "127.0.0.1")
      socket.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12")
      yield* Effect.promise(() => asked.done)
      socket.destroy()
      yield* until(() => ended.length === 1)
      left.tell()
      yield* until(() => got.length === 1)
      assert.deepStrictEqual([ended, got], [[499], [undefined]])
    })
  )
})

describe("the head of an answer to HEAD", () => {
  it.live("counts no body, whoever gives it", () =>
    Effect.gen(function* () {
      const sent: Array<readonly [number, number]> = []
      const upstream = yield* startUpstream((_, response) => response.end("ok"))
      const own = plugin("own", {
        access: ({ path }) => (path === "/own" ? { status: 200, body: "own" } : undefined)
      })
      const { port } = yield* startProxy(behind(upstream.port, [own]), {
        observers: [({ status, responseBodyBytes }) => void sent.push([status, responseBodyBytes])]
      })
      yield* Effect.promise(() => send(port, { method: "HEAD", path: "/own" }))
      yield* Effect.promise(() => send(port, { method: "HEAD", path: "/" }))
      yield* Effect.promise(() => send(port, { method: "GET", path: "/own" }))
      yield* until(() => sent.length === 3)
      assert.deepStrictEqual(sent, [
        [200, 0],
        [200, 0],
        [200, 3]
      ])
    })
  )
})
