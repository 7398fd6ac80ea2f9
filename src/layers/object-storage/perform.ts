/** One call to a vendor's store, from question to answer: within its time, and never as an exception. */
import { codeOf, messageOf } from "../../model/thrown.ts"
import type { ObjectStoreTrouble } from "../../services/ObjectStore.ts"
import { openAzure } from "./azureStore.ts"
import { withoutSecrets } from "./credentials.ts"
import { openGcs } from "./gcsStore.ts"
import type { Outcome, Question } from "./messages.ts"
import { openS3 } from "./s3Store.ts"
import { refusalOfFailure, showRefusal, troubleOf } from "./troubles.ts"
import { type StoreEnvironment, StoreTrouble, type VendorOptions, type VendorStore } from "./vendorStore.ts"

export type Perform = (question: Question, signal: AbortSignal) => Promise<Outcome>

const openStore = (options: VendorOptions & { readonly env: StoreEnvironment }): VendorStore => {
  const { location } = options
  switch (location.kind) {
    case "s3":
      return openS3(options, location.bucket, location.prefix)
    case "gcs":
      return openGcs(options, location.bucket, location.prefix)
    case "azure":
      return openAzure(options, location)
  }
}

const failed = (trouble: ObjectStoreTrouble, message: string): Outcome => ({ _tag: "Failed", trouble, message })

const meaningOf = (store: VendorStore, question: Question, cause: unknown): Outcome => {
  if (cause instanceof StoreTrouble) return failed(cause.trouble, cause.message)
  const refusal = store.refusalOf(cause) ?? refusalOfFailure(cause)
  const { operation } = question
  const isConditional = question.operation === "write" && question.expects._tag !== "Anything"
  const trouble = troubleOf(refusal, { operation, isConditional })
  return trouble === "absent" ? { _tag: "Absent" } : failed(trouble, showRefusal(refusal))
}

/** What a client says of a failure may itself be a failure that says more. */
const judge = (store: VendorStore, question: Question, cause: unknown): Outcome => {
  try {
    return meaningOf(store, question, cause)
  } catch (known) {
    return known instanceof StoreTrouble
      ? failed(known.trouble, known.message)
      : failed("unavailable", `${codeOf(known) ?? ""} ${messageOf(known)}`.trim())
  }
}

const ask = async (store: VendorStore, question: Question, signal: AbortSignal): Promise<Outcome> => {
  if (question.operation === "write") return { _tag: "Written", tag: await store.write(question.key, question, signal) }
  const found = await store.read(question.key, question.maxBytes, signal)
  return found === undefined ? { _tag: "Absent" } : { _tag: "Found", ...found }
}

/** Ends when the signal does, whatever the client makes of it. */
const orBrokenOff = async <A>(work: Promise<A>, signal: AbortSignal): Promise<A> => {
  let brokenOff: () => void = () => {}
  const end = new Promise<never>((_, reject) => {
    brokenOff = () => reject(signal.reason)
  })
  signal.addEventListener("abort", brokenOff)
  try {
    return await Promise.race([work, end])
  } finally {
    signal.removeEventListener("abort", brokenOff)
  }
}

export const makePerform = (options: VendorOptions & { readonly env: StoreEnvironment }): Perform => {
  const store = openStore(options)
  const { totalMs, env } = options

  return async (question, signal) => {
    const limit = new AbortController()
    const timer = setTimeout(() => limit.abort(), totalMs)
    const either = AbortSignal.any([signal, limit.signal])
    try {
      return await orBrokenOff(ask(store, question, either), either)
    } catch (cause) {
      if (limit.signal.aborted) return failed("unavailable", `no whole answer within ${totalMs} ms`)
      const outcome = judge(store, question, cause)
      return outcome._tag === "Failed" ? { ...outcome, message: withoutSecrets(env, outcome.message) } : outcome
    } finally {
      clearTimeout(timer)
    }
  }
}
