/**
 * A control plane of a few lines for tests of a node: it does what it is told, also what no good control plane does, and
 * keeps what nodes say. Protocol: reference `hybrid-protocol-v1.md` §2, §8. The simulator uses the production one instead.
 *
 * What it may do to a node, and why the node survives: it crashes and comes back; refuses, wedges, or takes connections and
 * drops them (the node tries again for ever); stops answering pings (45 s of silence end the session); pushes what can't
 * be read, is invalid, of another type, or called by another name (the running configuration stays); pushes the same twice
 * (applied once); ends sessions at any moment.
 */

import { hashTable } from "../model/ConfigHash.ts"
import { goingAway, protocolError } from "../model/closeCodes.ts"
import type { Row } from "../model/Entity.ts"
import {
  type BasicInfo,
  decodeBasicInfo,
  decodeErrorReport,
  type ErrorReport,
  reconfigureJson,
  silenceLimitMs
} from "../model/Wire.ts"
import type { Push, PushLog } from "./PushLog.ts"
import { makeSharedGzip } from "./SharedGzip.ts"
import type { Timer } from "./TimerHeap.ts"
import type { VirtualClock } from "./VirtualClock.ts"
import type { End, Message } from "./VirtualConnection.ts"
import type { Admission, DialRequest, VirtualNetwork } from "./VirtualNetwork.ts"
import type { VirtualTime } from "./VirtualTime.ts"

/** What a node said, and when. */
export type Said = { readonly node: string; readonly atMs: number } & (
  | { readonly _tag: "BasicInfo"; readonly info: BasicInfo }
  | { readonly _tag: "Ping"; readonly hash: string }
  | { readonly _tag: "ErrorReport"; readonly report: ErrorReport }
  | { readonly _tag: "Closed"; readonly reason: string }
)

/** What is done with those who dial. */
export type Reception =
  | { readonly _tag: "Accepts" }
  | { readonly _tag: "Refuses"; readonly status: number; readonly retryAfterMs?: number }
  | { readonly _tag: "Silent" }
  | { readonly _tag: "BreaksOff" }

export interface MemoryControlPlane {
  /** Validates nothing: it is the node's to refuse. `flaw` says that it must. Sent to all, and to all who come later. */
  readonly push: (table: Row, options?: { readonly hash?: string; readonly flaw?: string }) => Push
  /** The same, byte for byte as they are given. */
  readonly pushBytes: (bytes: Uint8Array, options: { readonly hash?: string; readonly flaw?: string }) => Push
  /** What `push` would send. */
  readonly encode: (table: Row, hash?: string) => { readonly bytes: Uint8Array; readonly hash: string }
  /** Sends what was pushed last once more to those who are connected. */
  readonly pushAgain: () => void
  readonly receive: (reception: Reception) => void
  readonly setAnswersPings: (answers: boolean) => void
  /** Ends every session politely. */
  readonly close: (code?: number) => void
  /** The process is gone: told by its kernel, or silently with its machine. */
  readonly crash: (how?: "told" | "silent") => void
  /** Listens again, with what was pushed last. */
  readonly restart: () => void
  readonly isUp: () => boolean
  readonly sessionCount: () => number
  /** Everything, oldest first. */
  readonly said: () => ReadonlyArray<Said>
}

export interface MemoryControlPlaneOptions {
  readonly time: VirtualTime["Service"]
  readonly network: VirtualNetwork
  readonly address: string
  readonly pushes: PushLog
  /** How many sayings are kept, newest first to stay. Default: 10,000. */
  readonly keep?: number
}

interface Session {
  readonly request: DialRequest
  readonly end: End
  hasGreeted: boolean
  silence: Timer | undefined
}

const defaultKeep = 10_000
const notFound = 404
const policyViolation = 1008

export const makeMemoryControlPlane = (options: MemoryControlPlaneOptions): MemoryControlPlane => {
  const { time, network, address, pushes, keep = defaultKeep } = options
  const gzip = makeSharedGzip()
  const sessions = new Set<Session>()
  const said: Array<Said> = []
  let reception: Reception = { _tag: "Accepts" }
  let answersPings = true
  let newest: Uint8Array | undefined
  let clock: VirtualClock = time.makeClock({ name: "control plane" })
  let stopListening: (() => void) | undefined

  const note = (saying: Said): void => {
    said.push(saying)
    if (said.length > keep) said.shift()
  }

  const leave = (session: Session): void => {
    sessions.delete(session)
    if (session.silence !== undefined) time.cancel(session.silence)
  }

  const hangUp = (session: Session, code: number): void => {
    leave(session)
    session.end.close(code)
  }

  /** A node that says nothing for so long is gone (§8.5). */
  const windUp = (session: Session): void => {
    if (session.silence !== undefined) time.cancel(session.silence)
    session.silence = time.after(silenceLimitMs, () => hangUp(session, policyViolation))
  }

  const send = (session: Session, bytes: Uint8Array): void => session.end.send({ _tag: "Binary", bytes }, () => {})

  const greet = (session: Session, bytes: Uint8Array): void => {
    const decoded = decodeBasicInfo(bytes)
    if (decoded._tag === "Wrong") return hangUp(session, protocolError)
    session.hasGreeted = true
    note({ node: session.request.node, atMs: time.nowMs(), _tag: "BasicInfo", info: decoded.message })
    if (newest !== undefined) send(session, newest)
  }

  const hear = (session: Session, message: Message): void => {
    const who = { node: session.request.node, atMs: time.nowMs() }
    if (message._tag === "Binary" && !session.hasGreeted) greet(session, message.bytes)
    else if (message._tag === "Binary") {
      const decoded = decodeErrorReport(message.bytes)
      if (decoded._tag === "Wrong") hangUp(session, protocolError)
      else note({ ...who, _tag: "ErrorReport", report: decoded.message })
    } else if (message._tag === "Ping") {
      windUp(session)
      note({ ...who, _tag: "Ping", hash: message.text })
      if (answersPings) session.end.send({ _tag: "Pong" }, () => {})
    }
  }

  const serve = (request: DialRequest) => (end: End) => {
    const session: Session = { request, end, hasGreeted: false, silence: undefined }
    sessions.add(session)
    windUp(session)
    end.listen({
      onMessage: (message) => hear(session, message),
      onEnd: (how) => {
        leave(session)
        const reason = how._tag === "Closed" ? `closed (${how.code})` : how.message
        note({ node: request.node, atMs: time.nowMs(), _tag: "Closed", reason })
      }
    })
  }

  const admit = (request: DialRequest): Admission => {
    // As a control plane of Kong's answers a path that it does not know.
    if (request.path !== undefined) return { _tag: "Refused", status: notFound }
    switch (reception._tag) {
      case "Accepts":
        return { _tag: "Accepted", serve: serve(request) }
      case "Refuses":
        return { ...reception, _tag: "Refused" }
      case "Silent":
        return { _tag: "Silent" }
      case "BreaksOff":
        return { _tag: "BrokenOff" }
    }
  }

  const restart = (): void => {
    if (stopListening !== undefined) return
    clock = time.makeClock({ name: "control plane" })
    network.setGone(address, false)
    stopListening = network.listen(address, { clock, admit })
  }

  const sendAll = (bytes: Uint8Array): void => {
    newest = bytes
    for (const session of sessions) if (session.hasGreeted) send(session, bytes)
  }

  const encode: MemoryControlPlane["encode"] = (table, hash) => {
    const hashes = hashTable(table)
    const config_hash = hash ?? hashes.config
    const timestamp = (time.startMs + time.nowMs()) / 1000
    const json = reconfigureJson({ timestamp, config_table: table, config_hash, hashes })
    return { bytes: gzip(new TextEncoder().encode(json)), hash: config_hash }
  }

  restart()
  return {
    push: (table, { hash: name, flaw } = {}) => {
      const { bytes, hash } = encode(table, name)
      sendAll(bytes)
      return pushes.add({ atMs: time.nowMs(), hash, bytes, flaw, table })
    },
    pushBytes: (bytes, { hash, flaw }) => {
      sendAll(bytes)
      return pushes.add({ atMs: time.nowMs(), hash, bytes, flaw })
    },
    encode,
    pushAgain: () => {
      if (newest === undefined) return
      for (const session of sessions) if (session.hasGreeted) send(session, newest)
    },
    receive: (given) => {
      reception = given
    },
    setAnswersPings: (answers) => {
      answersPings = answers
    },
    close: (code = goingAway) => {
      for (const session of [...sessions]) hangUp(session, code)
    },
    crash: (how = "told") => {
      if (stopListening === undefined) return
      clock.kill()
      network.crash(address, how)
      if (how === "silent") network.setGone(address, true)
      stopListening = undefined
      for (const session of [...sessions]) leave(session)
    },
    restart,
    isUp: () => stopListening !== undefined,
    sessionCount: () => sessions.size,
    said: () => said
  }
}
