/**
 * Windows one after the other, and the records that they become. Nothing here waits: the window that is open takes in what was
 * counted whenever somebody looks, and ends when its time is over, whatever the disk does.
 */
import type { RequestCounters } from "../../services/RequestCounters.ts"
import { pieceInMemory } from "./adopt.ts"
import { makeDeltas } from "./deltas.ts"
import { makeOpenWindow, type OpenWindow } from "./OpenWindow.ts"
import type { Piece, Shelf } from "./Shelf.ts"

export interface WindowsOptions {
  readonly epoch: string
  readonly counters: RequestCounters["Service"]
  readonly shelf: Shelf
  /** Services of the configuration that serves. */
  readonly services: () => number
}

/** A window that is over: what its log, if it has one, still lacks, and its records, which wait on the shelf. */
export interface ClosedWindow {
  readonly window: OpenWindow
  readonly lastEntry: unknown
  readonly pieces: ReadonlyArray<Piece>
}

export const makeWindows = ({ epoch, counters, shelf, services }: WindowsOptions) => {
  const deltas = makeDeltas()
  let billing = 1
  let analytics = 1
  let current: OpenWindow | undefined
  let toldServices = 0
  let toldDropped = 0
  /** The billing record of this sequence may be known with less in it. */
  let doubted: number | undefined

  const isToldAll = (): boolean => services() === toldServices && shelf.dropped.requests === toldDropped

  const told = (): void => {
    toldServices = services()
    toldDropped = shelf.dropped.requests
  }

  const totals = (nowMs: number) => ({
    toMs: nowMs,
    apiCalls: counters.apiCalls(),
    services: services(),
    dropped: shelf.dropped
  })

  /** What came in since this was asked last, as a line of the open window's log; `undefined` for nothing. */
  const collect = (nowMs: number): unknown => {
    if (current === undefined) return undefined
    const changed = counters.takeChanged()
    if (changed.length === 0 && isToldAll()) return undefined
    told()
    return current.add(deltas(changed), totals(nowMs))
  }

  const begin = (nowMs: number): void => {
    current ??= makeOpenWindow({ epoch, billing, analytics, fromMs: nowMs }, totals(nowMs))
  }

  /** Something is to be told in a billing record, though nothing may be counted any more. */
  const hasNews = (): boolean => !isToldAll() || doubted !== undefined

  /** Ends the window that is open, or one of no length where there is something to tell since the last one ended. */
  const close = (nowMs: number): ClosedWindow | undefined => {
    const changed = counters.takeChanged()
    if (changed.length > 0 || hasNews()) begin(nowMs)
    const window = current
    if (window === undefined) return undefined
    const lastEntry = window.add(deltas(changed), totals(nowMs))
    told()
    if (doubted !== undefined && doubted < billing) doubted = undefined
    current = undefined
    const records = window.close()
    billing++
    analytics += records.analytics.length
    const pieces = [pieceInMemory(records.analytics), pieceInMemory([records.billing])].filter(
      (piece) => piece !== undefined
    )
    for (const piece of pieces) shelf.add(piece)
    return { window, lastEntry, pieces }
  }

  /** Another process has taken the log of this window, and may deliver it as it was: what came since needs another record. */
  const doubt = ({ head }: OpenWindow): void => {
    doubted = head.billing
  }

  return { current: () => current, hasNews, collect, begin, close, doubt }
}

export type Windows = ReturnType<typeof makeWindows>
