/**
 * Google Cloud Storage: identity and transport by `@google-cloud/storage`, objects by its JSON API over them. The client's
 * own streams can't be broken off, read an object and its generation in two requests, and delete an upload whose checksum
 * is not what they expect, whoever wrote it since.
 *
 * The condition is `ifGenerationMatch`, where 0 is nothing; the tag is the generation.
 */
import type { Expectation } from "../../services/ObjectStore.ts"
import { endpointOf, serviceAccountOf } from "./credentials.ts"
import { loadClient, makeOnce } from "./loadClient.ts"
import {
  below,
  type Refusal,
  type StoreEnvironment,
  StoreTrouble,
  type VendorOptions,
  type VendorStore
} from "./vendorStore.ts"
import { wholeBody } from "./wholeBody.ts"

interface Request {
  readonly method: "GET" | "POST"
  readonly headers: Readonly<Record<string, string>>
  readonly body?: Uint8Array<ArrayBuffer>
  readonly signal: AbortSignal
}

/** What both transports answer with: the body is not read yet. */
type Answer = Pick<Response, "status" | "headers" | "text"> & { readonly body: AsyncIterable<Uint8Array> | null }

type Send = (url: string, request: Request) => Promise<Answer>

const google = "https://storage.googleapis.com"

class RefusedByGoogle extends Error {
  readonly refusal: Refusal
  constructor(refusal: Refusal) {
    super(refusal.message)
    this.refusal = refusal
  }
}

interface ErrorBody {
  readonly error?: { readonly message?: unknown; readonly errors?: ReadonlyArray<{ readonly reason?: unknown }> }
}

const errorOf = (text: string): { readonly code: string | undefined; readonly message: string } => {
  try {
    const { error }: ErrorBody = JSON.parse(text)
    const reason = error?.errors?.[0]?.reason
    return { code: typeof reason === "string" ? reason : undefined, message: String(error?.message ?? "") }
  } catch {
    return { code: undefined, message: text.startsWith("<") ? "" : text }
  }
}

/** Of a 404 Google says in words alone what is missing; a write never misses the object, for that is 412. */
const refusalFrom = (method: Request["method"], status: number, text: string): Refusal => {
  const { code, message } = errorOf(text)
  const isBucket = status === 404 && (method === "POST" || /\bbucket does not exist/i.test(message))
  return { status, code: isBucket ? "NoSuchBucket" : code, message }
}

const noIdentity = /could not load the default credentials|unable to (?:impersonate|detect a project)/i

/** The token is refused where it is asked for: an answer of Google's as well. */
const refusalOf = (cause: unknown): Refusal | undefined => {
  if (cause instanceof RefusedByGoogle) return cause.refusal
  if (!(cause instanceof Error)) return undefined
  if (noIdentity.test(cause.message))
    throw new StoreTrouble(
      "misconfigured",
      "no credentials for Google Cloud: expected GCP_SERVICE_ACCOUNT, or an identity of the workload"
    )
  const { response } = cause as { readonly response?: { readonly status?: unknown; readonly data?: unknown } }
  if (typeof response?.status !== "number") return undefined
  const { error } = (response.data ?? {}) as { readonly error?: unknown }
  return { status: response.status, code: typeof error === "string" ? error : undefined, message: cause.message }
}

const signed = async (env: StoreEnvironment, endpoint: string | undefined): Promise<Send> => {
  const credentials = serviceAccountOf(env)
  // An emulator asks for no identity, and none must be looked for; nor may a token go out in the open.
  if (endpoint?.startsWith("http:")) return (url, request) => fetch(url, { ...request }) as Promise<Answer>
  const { Storage } = await loadClient("@google-cloud/storage", () => import("@google-cloud/storage"))
  const { authClient } = new Storage(credentials === undefined ? {} : { credentials })
  return async (url, { body, ...request }) => {
    const answer = await authClient.request({
      ...request,
      url,
      ...(body === undefined ? {} : { data: Buffer.from(body.buffer) }),
      responseType: "stream",
      validateStatus: () => true,
      retry: false
    })
    return answer as unknown as Answer
  }
}

const generationOf = (expects: Expectation): string | undefined => {
  if (expects._tag === "Anything") return undefined
  return expects._tag === "Nothing" ? "0" : expects.tag
}

const lengthOf = (headers: Headers): number | undefined => {
  const length = headers.get("content-length")
  return length === null ? undefined : Number(length)
}

export const openGcs = (
  { env }: { readonly env: StoreEnvironment } & VendorOptions,
  bucket: string,
  prefix: string
): VendorStore => {
  const transport = makeOnce(async () => {
    const endpoint = endpointOf(env, "GCP_CONFIG_STORAGE_ENDPOINT")
    return { send: await signed(env, endpoint), base: endpoint ?? google }
  })

  const ask = async (path: string, request: Request): Promise<Answer> => {
    const { send, base } = await transport()
    const answer = await send(`${base}${path}`, request)
    if (answer.status === 200) return answer
    throw new RefusedByGoogle(refusalFrom(request.method, answer.status, await answer.text()))
  }

  const objects = `/storage/v1/b/${encodeURIComponent(bucket)}/o`

  return {
    refusalOf,
    read: async (key, maxBytes, signal) => {
      // Neither the store nor the client may unpack anything.
      const headers = { "accept-encoding": "identity", "cache-control": "no-store" }
      const path = `${objects}/${encodeURIComponent(below(prefix, key))}?alt=media`
      const answer = await ask(path, { method: "GET", headers, signal })
      const tag = answer.headers.get("x-goog-generation") ?? ""
      const length = lengthOf(answer.headers)
      return { bytes: await wholeBody({ stream: answer.body ?? emptyBody(), length }, maxBytes), tag }
    },
    write: async (key, { bytes, contentType, expects }, signal) => {
      const query = new URLSearchParams({ uploadType: "media", name: below(prefix, key) })
      const generation = generationOf(expects)
      if (generation !== undefined) query.set("ifGenerationMatch", generation)
      const body = new Uint8Array(bytes)
      const answer = await ask(`/upload${objects}?${query}`, {
        method: "POST",
        headers: { "content-type": contentType },
        body,
        signal
      })
      const { generation: written }: { readonly generation?: unknown } = JSON.parse(await answer.text())
      return String(written)
    }
  }
}

async function* emptyBody(): AsyncIterable<Uint8Array> {}
