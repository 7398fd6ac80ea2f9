/**
 * One open WebSocket of the virtual network, as its two ends see it: whole messages in order, and at last one end. What
 * each end is told of the end is what `ws` tells of the same happening.
 *
 * Faults, and why a node survives them:
 * - closed by either end: the other is told with code and reason, and dials again after its delay;
 * - reset (the process behind the other end died, a middlebox cut in): told at once as broken;
 * - cut off within a frame: the frame was never there, the connection ends as broken. Half a configuration is none;
 * - dead without a word, in both directions: the silence limit of either end notices it.
 */

import type { VirtualClock } from "./VirtualClock.ts"
import { type Direction, type Link, makePipe, type Pipe } from "./VirtualLink.ts"
import type { VirtualTime } from "./VirtualTime.ts"

export type Message =
  | { readonly _tag: "Binary"; readonly bytes: Uint8Array }
  | { readonly _tag: "Text" }
  | { readonly _tag: "Ping"; readonly text: string }
  | { readonly _tag: "Pong" }
  | { readonly _tag: "Close"; readonly code: number; readonly reason: string }
  | { readonly _tag: "Reset" }

export type ConnectionEnd =
  | { readonly _tag: "Closed"; readonly code: number; readonly reason: string }
  | { readonly _tag: "Broken"; readonly message: string }

/** One side of a connection. */
export interface End {
  readonly isOpen: () => boolean
  /** `taken` is called when the kernel has it; with a reason when there is no connection any more. */
  readonly send: (message: Message, taken: (failure?: string) => void) => void
  /** Says goodbye; this side is closed from here on. */
  readonly close: (code: number, reason?: string) => void
  /** As when the process behind it dies: its kernel tells the other side. */
  readonly reset: () => void
  /** Set by whoever takes the end over; nothing arrives before that. */
  readonly listen: (listener: EndListener) => void
}

export interface EndListener {
  readonly onMessage: (message: Message) => void
  readonly onEnd: (end: ConnectionEnd) => void
}

export interface Connection {
  readonly node: End
  readonly server: End
  readonly isLive: () => boolean
  /** Nothing arrives any more, and nobody is told. */
  readonly die: () => void
  /** Something in between resets it: both sides are told at once. */
  readonly sever: () => void
  /** The next binary message to the node is cut off within; the connection ends there. */
  readonly cutNext: () => void
}

export interface ConnectionOptions {
  readonly time: VirtualTime["Service"]
  readonly link: Link
  readonly nodeClock: VirtualClock
  readonly serverClock: VirtualClock
  /** Called once, when the node's side has ended, whoever ended it. */
  readonly onNodeEnd: () => void
  readonly onServerEnd: () => void
}

const frameOverheadBytes = 14
const abnormal = 1006
const reset: ConnectionEnd = { _tag: "Broken", message: "read ECONNRESET" }

const sizeOf = (message: Message): number =>
  frameOverheadBytes + (message._tag === "Binary" ? message.bytes.length : message._tag === "Ping" ? 32 : 0)

interface Side extends End {
  readonly deliver: (message: Message) => void
  readonly end: (end: ConnectionEnd) => void
}

const makeSide = (pipe: () => Pipe<Message>, onEnd: () => void): Side => {
  let isOpen = true
  let listener: EndListener | undefined
  const early: Array<Message> = []

  /** It ended before anybody listened. */
  let unheard: ConnectionEnd | undefined

  const finish = (end: ConnectionEnd | undefined): void => {
    if (!isOpen) return
    isOpen = false
    onEnd()
    if (listener === undefined) unheard = end
    else if (end !== undefined) listener.onEnd(end)
  }

  const handle = (message: Message, to: EndListener): void => {
    if (message._tag === "Close") finish({ _tag: "Closed", code: message.code, reason: message.reason })
    else if (message._tag === "Reset") finish(reset)
    else to.onMessage(message)
  }

  const leave = (message: Message): void => {
    if (!isOpen) return
    pipe().send(message, sizeOf(message), () => {})
    finish(undefined)
  }

  return {
    isOpen: () => isOpen,
    send: (message, taken) => {
      if (!isOpen) taken("WebSocket is not open")
      else pipe().send(message, sizeOf(message), () => taken())
    },
    close: (code, reason = "") => leave({ _tag: "Close", code, reason }),
    reset: () => leave({ _tag: "Reset" }),
    listen: (given) => {
      listener = given
      for (const message of early.splice(0)) if (isOpen) handle(message, given)
      if (unheard !== undefined) given.onEnd(unheard)
    },
    deliver: (message) => {
      if (!isOpen) return
      if (listener === undefined) early.push(message)
      else handle(message, listener)
    },
    end: finish
  }
}

export const makeConnection = ({
  time,
  link,
  nodeClock,
  serverClock,
  onNodeEnd,
  onServerEnd
}: ConnectionOptions): Connection => {
  let isDead = false
  let cutsNext = false

  const pipe = (direction: Direction, receiver: VirtualClock, deliver: (message: Message) => void) =>
    makePipe<Message>({ time, link, direction, receiver, deliver })

  const node: Side = makeSide(() => toServer, onNodeEnd)
  const server: Side = makeSide(() => toNode, onServerEnd)

  /** Each side learns of it as soon as it is awake. */
  const endBoth = (atNode: ConnectionEnd): void => {
    nodeClock.whenAwake(() => node.end(atNode))
    serverClock.whenAwake(() => server.end(reset))
  }

  const toServer = pipe("toServer", serverClock, (message) => server.deliver(message))
  const toNode = pipe("toNode", nodeClock, (message) => {
    if (cutsNext && message._tag === "Binary") endBoth({ _tag: "Closed", code: abnormal, reason: "" })
    else node.deliver(message)
  })

  return {
    node,
    server,
    isLive: () => !isDead && node.isOpen() && server.isOpen(),
    die: () => {
      isDead = true
      toServer.die()
      toNode.die()
    },
    sever: () => endBoth(reset),
    cutNext: () => {
      cutsNext = true
    }
  }
}
