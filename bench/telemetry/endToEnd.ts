/**
 * What telemetry costs a proxied request from end to end: processor time of the node's process per 1,000 requests, with counting and
 * spool and without, round by round in turn. Counting costs by the request, and far less than the confidence interval; the spool
 * costs by the second, ten small writes and a flush, so that its share of a request falls with their rate, which is printed beside.
 */
import { type ChildProcess, fork } from "node:child_process"
import { once } from "node:events"
import { mkdtemp, rm } from "node:fs/promises"
import http from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type Benchmark, confidenceOf, meanOf } from "../benchmark.ts"

const rounds = 20
const warmUpRounds = 4
const requestsPerRound = 3_000
const atOnce = 16

interface Node {
  readonly child: ChildProcess
  readonly port: number
  readonly agent: http.Agent
}

const messageOf = async (child: ChildProcess): Promise<Readonly<Record<string, unknown>>> => {
  const isOver = new AbortController()
  const exit = once(child, "exit", { signal: isOver.signal }).then(([code]) => {
    throw new Error(`the node ended with ${code}`)
  })
  const [message] = await Promise.race([once(child, "message", { signal: isOver.signal }), exit])
  exit.catch(() => undefined)
  isOver.abort()
  return message
}

const startNode = async (upstreamPort: number, prefix: string, telemetry: "on" | "off"): Promise<Node> => {
  const env = { ...process.env, UPSTREAM_PORT: String(upstreamPort), PREFIX: prefix, TELEMETRY: telemetry }
  const child = fork(new URL("node.ts", import.meta.url), { env })
  const { port } = await messageOf(child)
  return { child, port: Number(port), agent: new http.Agent({ keepAlive: true, maxSockets: atOnce }) }
}

/** Milliseconds of processor time since the process began. */
const cpuOf = async ({ child }: Node): Promise<number> => {
  const answer = messageOf(child)
  child.send("cpu")
  const { user, system } = (await answer).cpu as NodeJS.CpuUsage
  return (user + system) / 1000
}

const request = ({ port, agent }: Node): Promise<void> =>
  new Promise((resolve, reject) => {
    http
      .get({ host: "127.0.0.1", port, path: "/x", agent }, (response) => {
        response.resume()
        response.once("end", () =>
          response.statusCode === 200 ? resolve() : reject(new Error(`answered ${response.statusCode}`))
        )
      })
      .once("error", reject)
  })

/** Processor milliseconds per 1,000 requests, and how many were answered in a second. */
const round = async (node: Node) => {
  const before = await cpuOf(node)
  const startedAtMs = performance.now()
  let left = requestsPerRound
  const worker = async () => {
    while (left-- > 0) await request(node)
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
  const rate = (requestsPerRound * 1000) / (performance.now() - startedAtMs)
  return { cost: (((await cpuOf(node)) - before) * 1000) / requestsPerRound, rate }
}

const compare = async (nodes: { readonly off: Node; readonly on: Node }) => {
  const measured: { readonly off: Array<number>; readonly on: Array<number> } = { off: [], on: [] }
  const rates: Array<number> = []
  for (let n = 0; n < warmUpRounds + rounds; n++) {
    // Whoever goes first gains or loses by it: they take turns.
    const order = n % 2 === 0 ? (["off", "on"] as const) : (["on", "off"] as const)
    for (const which of order) {
      const { cost, rate } = await round(nodes[which])
      if (n < warmUpRounds) continue
      measured[which].push(cost)
      rates.push(rate)
    }
  }
  return { ...measured, rate: meanOf(rates) }
}

const shown = (name: string, values: ReadonlyArray<number>): string =>
  `${name.padEnd(28)} ${meanOf(values).toFixed(2).padStart(8)} ± ${confidenceOf(values).toFixed(2)}`

export const endToEnd: Benchmark = async (say) => {
  const folder = await mkdtemp(join(tmpdir(), "holdfast-bench-"))
  const upstream = http.createServer((_, response) => response.end("ok"))
  await new Promise<void>((resolve) => upstream.listen(0, "127.0.0.1", resolve))
  const { port } = upstream.address() as AddressInfo
  const nodes: Array<Node> = []
  try {
    for (const telemetry of ["off", "on"] as const)
      nodes.push(await startNode(port, join(folder, telemetry), telemetry))
    const [off, on] = nodes
    if (off === undefined || on === undefined) throw new Error("no node")
    const costs = await compare({ off, on })
    const differences = costs.on.map((cost, at) => cost - (costs.off[at] ?? Number.NaN))
    say(`proxied requests, processor ms per 1,000 (mean, 95 % CI; ${rounds} rounds of ${requestsPerRound} in turn)`)
    say(shown("without telemetry", costs.off))
    say(shown("with counting and spool", costs.on))
    say(
      `${shown("difference", differences)}   (1 is 1,000 ns a request; at ${Math.round(costs.rate)} requests a second)\n`
    )
  } finally {
    for (const { child, agent } of nodes) {
      agent.destroy()
      child.kill("SIGKILL")
    }
    upstream.closeAllConnections()
    upstream.close()
    await rm(folder, { recursive: true, force: true })
  }
}
