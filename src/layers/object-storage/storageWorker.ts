/**
 * The worker's own file: a vendor's client runs here, off the thread that carries traffic. Run as a file beside
 * `workerCarrier.ts`, in whatever form that is: source, library or bundle.
 */
import { type MessagePort, parentPort, workerData } from "node:worker_threads"
import type { FromWorker, Outcome, ToWorker } from "./messages.ts"
import { makePerform } from "./perform.ts"
import type { VendorOptions } from "./vendorStore.ts"

const transferOf = (outcome: Outcome): ReadonlyArray<ArrayBuffer> =>
  outcome._tag === "Found" && outcome.bytes.buffer instanceof ArrayBuffer ? [outcome.bytes.buffer] : []

const serve = (port: MessagePort, options: VendorOptions): void => {
  const perform = makePerform({ ...options, env: process.env })
  const underWay = new Map<number, AbortController>()

  const answer = async ({ id, question }: Exclude<ToWorker, { readonly question: "abort" }>): Promise<void> => {
    const controller = new AbortController()
    underWay.set(id, controller)
    const outcome = await perform(question, controller.signal)
    underWay.delete(id)
    port.postMessage({ id, outcome } satisfies FromWorker, transferOf(outcome))
  }

  port.on("message", (message: ToWorker) => {
    if (message.question === "abort") underWay.get(message.id)?.abort()
    else void answer({ id: message.id, question: message.question })
  })
}

if (parentPort !== null) serve(parentPort, workerData)
