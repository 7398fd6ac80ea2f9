/**
 * Real processes for the stories: the built program, in either role, with `KONG_*` variables only, on free ports and in
 * a folder of its own. Whatever a story starts is killed when it ends.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync } from "node:fs"
import { cp, mkdtemp, rm } from "node:fs/promises"
import { Agent, createServer as createHttpServer, request, type Server } from "node:http"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"

export const program = resolve("dist/main.js")
if (!existsSync(program)) throw new Error(`expected the built program at ${program}; npm test builds it`)

export type Environment = Readonly<Record<string, string>>

/** A port that was free a moment ago. */
export const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as { readonly port: number }
  server.close()
  await once(server, "close")
  return port
}

export interface Running {
  readonly pid: number
  readonly child: ChildProcess
  /** What it has logged so far. */
  readonly log: () => string
  readonly kill: (signal: NodeJS.Signals) => Promise<void>
  readonly exit: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>
}

const inherited = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(KONG|HOLDFAST)_/.test(name)))

/** Starts the program; the Node that runs the tests runs it too, unless another is named. */
export const start = (args: ReadonlyArray<string>, env: Environment = {}, node = process.execPath): Running => {
  const child = spawn(node, [program, ...args], { env: { ...inherited, ...env }, stdio: ["ignore", "pipe", "pipe"] })
  let text = ""
  for (const stream of [child.stdout, child.stderr]) stream?.on("data", (chunk: Buffer) => (text += chunk.toString()))
  const exit = once(child, "close").then(([code, signal]) => ({ code, signal }) as Awaited<Running["exit"]>)
  const kill = async (signal: NodeJS.Signals) => {
    child.kill(signal)
    await exit
  }
  return { pid: child.pid ?? 0, child, log: () => text, kill, exit }
}

/** Runs the program to its end. */
export const run = async (args: ReadonlyArray<string>, env: Environment = {}) => {
  const running = start(args, env)
  return { ...(await running.exit), output: running.log() }
}

export const sleep = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms))

/** Asks again until the answer holds; tells what it last was when it never does. */
export const eventually = async <A>(
  what: string,
  withinMs: number,
  ask: () => Promise<A>,
  holds: (answer: A) => boolean
): Promise<number> => {
  const startedAt = performance.now()
  let last: unknown
  for (;;) {
    try {
      const answer = await ask()
      last = answer
      if (holds(answer)) return performance.now() - startedAt
    } catch (error) {
      last = error
    }
    if (performance.now() - startedAt > withinMs)
      throw new Error(`${what}: not within ${withinMs} ms; last: ${JSON.stringify(last) ?? last} ${last}`)
    await sleep(20)
  }
}

export interface Answer {
  readonly status: number
  readonly headers: NodeJS.Dict<string | ReadonlyArray<string>>
  readonly text: string
  readonly json: () => never
}

/** One request over a connection of its own. */
export const ask = (
  url: string,
  options: { readonly method?: string; readonly body?: unknown; readonly agent?: Agent } = {}
): Promise<Answer> =>
  new Promise((done, fail) => {
    const { method = "GET", body, agent } = options
    const payload = body === undefined ? undefined : JSON.stringify(body)
    const headers =
      payload === undefined ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(payload) }
    const asked = request(
      url,
      { method, headers, ...(agent === undefined ? { agent: false } : { agent }) },
      (response) => {
        let text = ""
        response.on("data", (chunk: Buffer) => (text += chunk.toString()))
        response.on("error", fail)
        response.on("end", () =>
          done({
            status: response.statusCode ?? 0,
            headers: response.headers,
            text,
            json: () => JSON.parse(text) as never
          })
        )
      }
    )
    asked.on("error", fail)
    asked.end(payload)
  })

/** Many requests over kept-alive connections; counts those that were not answered as they should be. */
export const hammer = async (url: string, count: number, isGood: (answer: Answer) => boolean, concurrency = 20) => {
  const agent = new Agent({ keepAlive: true, maxSockets: concurrency })
  const failures: Array<string> = []
  let next = 0
  const worker = async () => {
    while (next < count) {
      next += 1
      try {
        const answer = await ask(url, { agent })
        if (!isGood(answer)) failures.push(`${answer.status} ${answer.text}`)
      } catch (error) {
        failures.push(String(error))
      }
    }
  }
  await Promise.all(Array.from({ length: concurrency }, worker))
  agent.destroy()
  return { count, failures }
}

/** A cluster on this machine, with everything that a story needs to take it apart. */
export const makeCluster = async () => {
  const folder = await mkdtemp(join(tmpdir(), "holdfast-story-"))
  const running = new Set<Running>()
  const servers = new Set<Server>()
  const certificates = join(folder, "certificates")
  const made = await run(["certs", "--out", certificates])
  if (made.code !== 0) throw new Error(made.output)
  const shared: Environment = {
    KONG_CLUSTER_CERT: join(certificates, "cluster.crt"),
    KONG_CLUSTER_CERT_KEY: join(certificates, "cluster.key")
  }
  const track = (started: Running): Running => {
    running.add(started)
    void started.exit.then(() => running.delete(started))
    return started
  }
  const adminPort = await freePort()
  const clusterPort = await freePort()

  const controlPlane = (env: Environment = {}) =>
    track(
      start([], {
        ...shared,
        KONG_ROLE: "control_plane",
        KONG_PREFIX: join(folder, "cp"),
        KONG_ADMIN_LISTEN: `127.0.0.1:${adminPort}`,
        KONG_CLUSTER_LISTEN: `127.0.0.1:${clusterPort}`,
        ...env
      })
    )

  const makeNode = async (name: string) => {
    const [proxyPort, statusPort] = [await freePort(), await freePort()]
    const prefix = join(folder, name)
    return {
      prefix,
      cache: join(prefix, "config.json.gz"),
      proxy: `http://127.0.0.1:${proxyPort}`,
      status: `http://127.0.0.1:${statusPort}`,
      start: (env: Environment = {}) =>
        track(
          start([], {
            ...shared,
            KONG_ROLE: "data_plane",
            KONG_DATABASE: "off",
            KONG_PREFIX: prefix,
            KONG_PROXY_LISTEN: `127.0.0.1:${proxyPort}`,
            KONG_STATUS_LISTEN: `127.0.0.1:${statusPort}`,
            KONG_CLUSTER_CONTROL_PLANE: `127.0.0.1:${clusterPort}`,
            ...env
          })
        )
    }
  }

  /** An upstream that answers with its name and the path that it was asked for. */
  const upstream = async (name: string, delayMs = 0): Promise<number> => {
    const server = createHttpServer((incoming, response) => {
      setTimeout(() => response.end(`${name} ${incoming.url}`), delayMs)
    })
    servers.add(server)
    server.listen(0, "127.0.0.1")
    await once(server, "listening")
    return (server.address() as { readonly port: number }).port
  }

  const close = async () => {
    await Promise.all([...running].map((started) => started.kill("SIGKILL")))
    for (const server of servers) {
      server.closeAllConnections()
      server.close()
    }
    await rm(folder, { recursive: true, force: true })
  }

  return {
    folder,
    admin: `http://127.0.0.1:${adminPort}`,
    clusterPort,
    controlPlane,
    makeNode,
    upstream,
    close,
    shared
  }
}

export type Cluster = Awaited<ReturnType<typeof makeCluster>>

export const copyFile = (from: string, to: string): Promise<void> => cp(from, to, { recursive: true })

export const readiness = (node: { readonly status: string }) => () => ask(`${node.status}/status/ready`)

export const adminReady = (cluster: Cluster) =>
  eventually(
    "the admin API answers",
    15_000,
    () => ask(`${cluster.admin}/status`),
    ({ status }) => status === 200
  )

/** A service with one route, by the admin API. */
export const publish = async (cluster: Cluster, name: string, path: string, port: number): Promise<void> => {
  const service = await ask(`${cluster.admin}/services`, { method: "POST", body: { name, host: "127.0.0.1", port } })
  if (service.status !== 201) throw new Error(service.text)
  const route = await ask(`${cluster.admin}/services/${name}/routes`, { method: "POST", body: { name, paths: [path] } })
  if (route.status !== 201) throw new Error(route.text)
}
