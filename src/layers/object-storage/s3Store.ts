/**
 * S3 and whatever speaks like it, by `@aws-sdk/client-s3`. Conditions are `If-None-Match: *` and `If-Match`; the tag is the
 * ETag.
 */
import type { S3Client, S3ClientConfig } from "@aws-sdk/client-s3"
import type { Expectation } from "../../services/ObjectStore.ts"
import { awsKeysOf, awsRegionOf, endpointOf } from "./credentials.ts"
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

/** Both, for what is merged into the request must not bring one. */
const conditionOf = (
  expects: Expectation
): { readonly IfNoneMatch: string | undefined; readonly IfMatch: string | undefined } => ({
  IfNoneMatch: expects._tag === "Nothing" ? "*" : undefined,
  IfMatch: expects._tag === "Unchanged" ? expects.tag : undefined
})

const configOf = (env: StoreEnvironment, { connectMs, totalMs }: VendorOptions): S3ClientConfig => {
  const endpoint = endpointOf(env, "AWS_CONFIG_STORAGE_ENDPOINT")
  const region = awsRegionOf(env, endpoint)
  const credentials = awsKeysOf(env)
  return {
    maxAttempts: 1,
    requestHandler: { connectionTimeout: connectMs, requestTimeout: totalMs, throwOnRequestTimeout: true },
    ...(region === undefined ? {} : { region }),
    ...(credentials === undefined ? {} : { credentials }),
    ...(endpoint === undefined
      ? {}
      : {
          endpoint,
          forcePathStyle: true,
          // The client's own checksums come as trailers of a chunked body, which older compatible stores refuse, or keep
          // as a part of the object.
          requestChecksumCalculation: "WHEN_REQUIRED",
          responseChecksumValidation: "WHEN_REQUIRED"
        })
  }
}

const noIdentity = /^(CredentialsProviderError|TokenProviderError|ProviderError)$/

/** Any error of the client's: with the store's answer in `$metadata`, where there was one. */
const refusalOf = (cause: unknown): Refusal | undefined => {
  if (!(cause instanceof Error)) return undefined
  if (noIdentity.test(cause.name))
    throw new StoreTrouble("misconfigured", `no credentials for S3: ${cause.message.split("\n")[0]}`)
  if (/^Region is missing/.test(cause.message))
    throw new StoreTrouble("misconfigured", "no region: expected AWS_REGION or AWS_DEFAULT_REGION")
  const { $metadata, Code } = cause as {
    readonly $metadata?: { readonly httpStatusCode?: number }
    readonly Code?: unknown
  }
  const status = $metadata?.httpStatusCode
  return status === undefined ? undefined : { status, code: wordOf(Code) ?? wordOf(cause.name), message: cause.message }
}

/**
 * A clock that is wrong: the client has learned the store's time from the refusal, and signs rightly from then on. Nothing
 * was done, so this one may be sent again.
 */
const withStoresClock = async <A>(send: () => Promise<A>): Promise<A> => {
  try {
    return await send()
  } catch (cause) {
    if (cause instanceof Error && /^(RequestTimeTooSkewed|RequestExpired|RequestInTheFuture)$/.test(cause.name))
      return await send()
    throw cause
  }
}

export const openS3 = (
  options: VendorOptions & { readonly env: StoreEnvironment },
  bucket: string,
  prefix: string
): VendorStore => {
  const client = makeOnce(async () => {
    const sdk = await loadClient("@aws-sdk/client-s3", () => import("@aws-sdk/client-s3"))
    const s3: S3Client = new sdk.S3Client(configOf(options.env, options))
    return { s3, sdk }
  })

  return {
    refusalOf,
    read: async (key, maxBytes, signal) => {
      const { s3, sdk } = await client()
      const command = { Bucket: bucket, Key: below(prefix, key) }
      const {
        Body,
        ContentLength,
        ETag = ""
      } = await withStoresClock(() => s3.send(new sdk.GetObjectCommand(command), { abortSignal: signal }))
      if (Body === undefined) return { bytes: new Uint8Array(), tag: ETag }
      const stream = Body as unknown as AsyncIterable<Uint8Array>
      return { bytes: await wholeBody({ stream, length: ContentLength }, maxBytes), tag: ETag }
    },
    write: async (key, { bytes, contentType, expects }, signal) => {
      const { s3, sdk } = await client()
      const command = {
        ...options.putObject,
        Bucket: bucket,
        Key: below(prefix, key),
        Body: bytes,
        ContentLength: bytes.length,
        ContentType: contentType,
        ...conditionOf(expects)
      }
      const { ETag = "" } = await withStoresClock(() =>
        s3.send(new sdk.PutObjectCommand(command), { abortSignal: signal })
      )
      return ETag
    }
  }
}
