/**
 * Azure Blob Storage, by `@azure/storage-blob` and `@azure/identity`. Conditions are `If-None-Match: *` and `If-Match`; the
 * tag is the ETag.
 */
import type { TokenCredential } from "@azure/identity"
import type { ContainerClient, StorageSharedKeyCredential } from "@azure/storage-blob"
import type { Expectation } from "../../services/ObjectStore.ts"
import { type AzureIdentity, azureIdentityOf, endpointOf, valueOf } from "./credentials.ts"
import { loadClient, makeOnce } from "./loadClient.ts"
import {
  below,
  type Refusal,
  type StoreEnvironment,
  StoreTrouble,
  type VendorOptions,
  type VendorStore,
  wordOf
} from "./vendorStore.ts"
import { wholeBody } from "./wholeBody.ts"

const loadBlobs = () => loadClient("@azure/storage-blob", () => import("@azure/storage-blob"))
const loadIdentity = () => loadClient("@azure/identity", () => import("@azure/identity"))

const conditionsOf = (expects: Expectation): { readonly ifNoneMatch?: string; readonly ifMatch?: string } => {
  if (expects._tag === "Nothing") return { ifNoneMatch: "*" }
  return expects._tag === "Unchanged" ? { ifMatch: expects.tag } : {}
}

const credentialOf = async (
  identity: AzureIdentity,
  env: StoreEnvironment,
  account: string
): Promise<TokenCredential | StorageSharedKeyCredential> => {
  if (identity.kind === "sharedKey") return new (await loadBlobs()).StorageSharedKeyCredential(account, identity.key)
  const { ClientSecretCredential, ManagedIdentityCredential, WorkloadIdentityCredential } = await loadIdentity()
  const authorityHost = valueOf(env, "AZURE_AUTHORITY_HOST")
  // Whoever asks asks again, with pauses of its own.
  const once = { retryOptions: { maxRetries: 0 } }
  // Of an authority of one's own Microsoft's list knows nothing.
  const options = authorityHost === undefined ? once : { ...once, authorityHost, disableInstanceDiscovery: true }
  switch (identity.kind) {
    case "secret":
      return new ClientSecretCredential(identity.tenantId, identity.clientId, identity.clientSecret, options)
    case "workload": {
      const { tenantId, clientId, tokenFile: tokenFilePath } = identity
      return new WorkloadIdentityCredential({ ...options, tenantId, clientId, tokenFilePath })
    }
    case "managed":
      return identity.clientId === undefined
        ? new ManagedIdentityCredential()
        : new ManagedIdentityCredential({ clientId: identity.clientId })
  }
}

const noIdentity = /^(CredentialUnavailableError|AggregateAuthenticationError)$/

/** Whoever would vouch for us can't be reached: the client calls that no credentials, or a need to sign in. */
const notReached = /endpoints_resolution_error|network_error|ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT/

/** The tenant refused the token: what it said is beneath, and 401 where no status is told. */
const refusalOfTenant = ({ message, cause }: Error): Refusal => {
  const { errorCode, status } = (cause ?? {}) as { readonly errorCode?: unknown; readonly status?: unknown }
  const isAnswer = !notReached.test(message)
  return { status: typeof status === "number" ? status : isAnswer ? 401 : undefined, code: wordOf(errorCode), message }
}

/** `AuthenticationFailed: Server failed … RequestId:… Time:…`: what comes after the first line is about that request. */
const refusalOf = (cause: unknown): Refusal | undefined => {
  if (!(cause instanceof Error)) return undefined
  if (cause.name === "AuthenticationRequiredError") return refusalOfTenant(cause)
  if (noIdentity.test(cause.name)) {
    const trouble = notReached.test(cause.message) ? "unavailable" : "misconfigured"
    throw new StoreTrouble(trouble, `no credentials for Azure: ${cause.message.split("\n")[0]}`)
  }
  const { statusCode, code, errorResponse } = cause as {
    readonly statusCode?: unknown
    readonly code?: unknown
    readonly errorResponse?: { readonly error?: unknown }
  }
  if (typeof statusCode !== "number") return undefined
  return { status: statusCode, code: wordOf(errorResponse?.error) ?? wordOf(code), message: cause.message }
}

export const openAzure = (
  options: VendorOptions & { readonly env: StoreEnvironment },
  { account, container, prefix }: { readonly account: string; readonly container: string; readonly prefix: string }
): VendorStore => {
  const { env } = options
  const client = makeOnce(async (): Promise<ContainerClient> => {
    const { BlobServiceClient } = await loadBlobs()
    const endpoint = endpointOf(env, "AZURE_CONFIG_STORAGE_ENDPOINT") ?? `https://${account}.blob.core.windows.net`
    const credential = await credentialOf(azureIdentityOf(env), env, account)
    const retryOptions = { maxTries: 1, tryTimeoutInMs: options.totalMs }
    return new BlobServiceClient(endpoint, credential, { retryOptions }).getContainerClient(container)
  })

  return {
    refusalOf,
    read: async (key, maxBytes, abortSignal) => {
      const blob = (await client()).getBlobClient(below(prefix, key))
      // The client would go on with a request of its own where a body broke off, and that may find another blob there.
      const answer = await blob.download(0, undefined, { abortSignal, maxRetryRequests: 0 })
      const stream = answer.readableStreamBody as unknown as AsyncIterable<Uint8Array>
      return { bytes: await wholeBody({ stream, length: answer.contentLength }, maxBytes), tag: answer.etag ?? "" }
    },
    write: async (key, { bytes, contentType, expects }, abortSignal) => {
      const blob = (await client()).getBlockBlobClient(below(prefix, key))
      const { etag = "" } = await blob.upload(bytes, bytes.length, {
        abortSignal,
        conditions: conditionsOf(expects),
        blobHTTPHeaders: { blobContentType: contentType }
      })
      return etag
    }
  }
}
