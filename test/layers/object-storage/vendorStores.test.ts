/**
 * What the vendors' clients send, and what is made of answers that no emulator gives, against a server that answers what it
 * is told (`resilience.md` §5.1, §5.2). On this thread: the worker is tested beside.
 */
import { generateKeyPairSync } from "node:crypto"
import { once } from "node:events"
import { type AddressInfo, createServer } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { carriedStore, onThisThread } from "../../../src/layers/object-storage/carriedStore.ts"
import { makePerform } from "../../../src/layers/object-storage/perform.ts"
import type { StoreEnvironment, VendorLocation } from "../../../src/layers/object-storage/vendorStore.ts"
import { makeWorkerCarrier } from "../../../src/layers/object-storage/workerCarrier.ts"
import type { Row } from "../../../src/model/Entity.ts"
import type { Expectation, ObjectStore } from "../../../src/services/ObjectStore.ts"
import { bytesOf } from "../../conformance/disk.ts"
import { failureOf, textAt, troubleOf } from "../../conformance/objectStore.ts"
import { clusterCertificate } from "../../support/certificates.ts"
import { temporaryFolder } from "../../support/folder.ts"
import { azureMachine, googleMachine, token, trusting } from "../../support/machineIdentity.ts"
import { type Answer, startScriptedStore } from "../../support/scriptedStore.ts"

/** Nobody listens there any more. */
const unusedPort = async (): Promise<number> => {
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as AddressInfo
  server.close()
  return port
}

const limits = { connectMs: 2_000, totalMs: 10_000 }

const open = (location: VendorLocation, env: StoreEnvironment, putObject: Row = {}): ObjectStore =>
  carriedStore("", onThisThread(makePerform({ location, putObject, env, ...limits })))

const bucket = { kind: "s3", bucket: "bucket", prefix: "pre/fix" } as const
const container = { kind: "azure", account: "devaccount", container: "container", prefix: "pre/fix" } as const
const gcsBucket = { kind: "gcs", bucket: "bucket", prefix: "pre/fix" } as const

const secret = "wJalrXUtnFEMI-K7MDENG-bPxRfiCYEXAMPLEKEY"
const aws = (url: string, more: StoreEnvironment = {}): StoreEnvironment => ({
  AWS_ACCESS_KEY_ID: "AKIDEXAMPLE",
  AWS_SECRET_ACCESS_KEY: secret,
  AWS_CONFIG_STORAGE_ENDPOINT: url,
  ...more
})
const azure = (url: string): StoreEnvironment => ({
  AZURE_STORAGE_KEY: Buffer.from(secret).toString("base64"),
  AZURE_CONFIG_STORAGE_ENDPOINT: `${url}/devaccount`
})
const gcp = (url: string): StoreEnvironment => ({ GCP_CONFIG_STORAGE_ENDPOINT: url })

const put = (store: ObjectStore, expects: Expectation = { _tag: "Anything" }) =>
  store.write("a/b", { bytes: bytesOf("one"), contentType: "application/gzip", expects })

const s3Error = (status: number, code: string, message = code): Answer => ({
  status,
  headers: { "content-type": "application/xml" },
  body: `<?xml version="1.0"?><Error><Code>${code}</Code><Message>${message}</Message></Error>`
})

describe("what S3 is asked", () => {
  it.live("a PutObject in path style, with conditions, and without checksums that compatible stores choke on", () =>
    Effect.gen(function* () {
      const { asked, url } = yield* startScriptedStore(() => ({ headers: { etag: '"1"' } }))
      const store = open(bucket, aws(url), {
        ServerSideEncryption: "aws:kms",
        SSEKMSKeyId: "key",
        Bucket: "another",
        IfMatch: "x"
      })
      assert.strictEqual(yield* put(store, { _tag: "Nothing" }), '"1"')
      yield* put(store, { _tag: "Unchanged", tag: '"1"' })
      yield* put(store)
      const [nothing, unchanged, anything] = asked
      assert.deepInclude(nothing, { method: "PUT", path: "/bucket/pre/fix/a/b?x-id=PutObject" })
      assert.deepInclude(nothing?.headers, {
        "if-none-match": "*",
        "content-type": "application/gzip",
        "content-length": "3",
        "x-amz-server-side-encryption": "aws:kms",
        "x-amz-server-side-encryption-aws-kms-key-id": "key"
      })
      assert.notProperty(nothing?.headers, "if-match")
      assert.deepInclude(unchanged?.headers, { "if-match": '"1"' })
      assert.notProperty(anything?.headers, "if-match")
      assert.notProperty(anything?.headers, "if-none-match")
      for (const { headers, body } of asked) {
        assert.strictEqual(body.toString(), "one")
        assert.isEmpty(Object.keys(headers).filter((name) => /checksum|trailer|content-encoding/.test(name)))
      }
    })
  )

  it.live("the region that is said, us-east-1 for an endpoint of one's own, and the token of a session", () =>
    Effect.gen(function* () {
      const { asked, url } = yield* startScriptedStore(() => ({ headers: { etag: '"1"' }, body: "x" }))
      const regions = [
        {},
        { AWS_DEFAULT_REGION: "eu-west-1" },
        { AWS_REGION: "eu-north-1", AWS_DEFAULT_REGION: "eu-west-1" }
      ]
      for (const region of regions)
        yield* textAt(open(bucket, aws(url, { ...region, AWS_SESSION_TOKEN: "token" })), "a")
      const credentials = asked.map(
        ({ headers }) => /Credential=AKIDEXAMPLE\/\d+\/([\w-]+)\//.exec(headers.authorization ?? "")?.[1]
      )
      assert.deepStrictEqual(credentials, ["us-east-1", "eu-west-1", "eu-north-1"])
      assert.strictEqual(asked[0]?.headers["x-amz-security-token"], "token")
    })
  )

  it.live("again by the store's clock, when ours is wrong; and no third time", () =>
    Effect.gen(function* () {
      const aheadMs = 3_600_000
      const skewed = (headers: Record<string, string>): Answer => ({
        ...s3Error(403, "RequestTimeTooSkewed"),
        headers: { ...headers, "content-type": "application/xml" }
      })
      const atMs = (amzDate: unknown) =>
        Date.parse(String(amzDate).replace(/^(....)(..)(..T..)(..)(..)Z$/, "$1-$2-$3:$4:$5Z"))
      const { asked, url } = yield* startScriptedStore(({ headers }) => {
        const nowMs = Date.now() + aheadMs
        const date = new Date(nowMs).toUTCString()
        return Math.abs(atMs(headers["x-amz-date"]) - nowMs) > 900_000
          ? skewed({ date })
          : { headers: { date, etag: '"1"' }, body: "one" }
      })
      const store = open(bucket, aws(url))
      assert.strictEqual(yield* textAt(store, "a"), "one")
      assert.lengthOf(asked, 2)
      assert.strictEqual(yield* put(store), '"1"')
      assert.lengthOf(asked, 3, "the store's time is known from then on")

      const stubborn = yield* startScriptedStore(() => skewed({}))
      const error = yield* failureOf(open(bucket, aws(stubborn.url)).read("a", 100))
      assert.strictEqual(error.trouble, "denied")
      assert.include(error.message, "403 RequestTimeTooSkewed")
      assert.lengthOf(stubborn.asked, 2)
    })
  )
})

describe("what S3 answers", () => {
  const meanings: ReadonlyArray<readonly [answer: Answer, read: string, write: string, conditional: string]> = [
    [s3Error(404, "NoSuchKey"), "done", "misconfigured", "conflict"],
    [s3Error(404, "NoSuchBucket"), "misconfigured", "misconfigured", "misconfigured"],
    [s3Error(403, "SignatureDoesNotMatch"), "denied", "denied", "denied"],
    [s3Error(401, "Unauthorized"), "denied", "denied", "denied"],
    [s3Error(400, "ExpiredToken"), "denied", "denied", "denied"],
    [s3Error(400, "AuthorizationHeaderMalformed"), "misconfigured", "misconfigured", "misconfigured"],
    [s3Error(400, "RequestTimeout"), "unavailable", "unavailable", "unavailable"],
    [s3Error(301, "PermanentRedirect"), "misconfigured", "misconfigured", "misconfigured"],
    [s3Error(409, "OperationAborted"), "unavailable", "unavailable", "conflict"],
    [s3Error(409, "ConditionalRequestConflict"), "unavailable", "unavailable", "conflict"],
    [s3Error(412, "PreconditionFailed"), "conflict", "conflict", "conflict"],
    [{ status: 304 }, "misconfigured", "misconfigured", "conflict"],
    [s3Error(501, "NotImplemented"), "unsupported", "unsupported", "unsupported"],
    [s3Error(400, "NotImplemented"), "unsupported", "unsupported", "unsupported"],
    [s3Error(503, "SlowDown"), "unavailable", "unavailable", "unavailable"],
    [s3Error(500, "InternalError"), "unavailable", "unavailable", "unavailable"],
    [{ status: 502, body: "<html>Bad Gateway</html>" }, "unavailable", "unavailable", "unavailable"],
    [{ status: 429 }, "unavailable", "unavailable", "unavailable"]
  ]
  for (const [answer, ...expected] of meanings)
    it.live(`${answer.status} ${/<Code>(\w+)/.exec(answer.body ?? "")?.[1] ?? ""}: ${expected.join(", ")}`, () =>
      Effect.gen(function* () {
        const { asked, url } = yield* startScriptedStore(() => answer)
        const store = open(bucket, aws(url))
        const outcomes: ReadonlyArray<string> = [
          yield* troubleOf(store.read("a", 100)),
          yield* troubleOf(put(store)),
          yield* troubleOf(put(store, { _tag: "Unchanged", tag: '"1"' }))
        ]
        assert.deepStrictEqual([...outcomes], expected)
        assert.lengthOf(asked, 3)
      })
    )

  it.live("is told without the secrets of ours that it quotes, and in one line", () =>
    Effect.gen(function* () {
      const { url } = yield* startScriptedStore(() => s3Error(403, "AccessDenied", `you said ${secret}\nand more`))
      const { message } = yield* failureOf(put(open(bucket, aws(url))))
      assert.strictEqual(message, "403 AccessDenied: you said ***")
    })
  )
})

describe("what Google answers", () => {
  const meanings: ReadonlyArray<readonly [answer: Answer, read: string, write: string]> = [
    [{ status: 404, body: "No such object: bucket/pre/fix/a" }, "done", "misconfigured"],
    [
      {
        status: 404,
        body: '{"error":{"code":404,"message":"The specified bucket does not exist.","errors":[{"reason":"notFound"}]}}'
      },
      "misconfigured",
      "misconfigured"
    ],
    [{ status: 403, body: '{"error":{"message":"no access","errors":[{"reason":"forbidden"}]}}' }, "denied", "denied"],
    [
      { status: 401, body: '{"error":{"message":"Invalid Credentials","errors":[{"reason":"authError"}]}}' },
      "denied",
      "denied"
    ],
    [{ status: 412, body: '{"error":{"errors":[{"reason":"conditionNotMet"}]}}' }, "conflict", "conflict"],
    [{ status: 429, body: '{"error":{"errors":[{"reason":"rateLimitExceeded"}]}}' }, "unavailable", "unavailable"],
    [{ status: 503, body: "<html>busy</html>" }, "unavailable", "unavailable"]
  ]
  for (const [answer, ...expected] of meanings)
    it.live(`${answer.status} ${answer.body}: ${expected.join(", ")}`, () =>
      Effect.gen(function* () {
        const { asked, url } = yield* startScriptedStore(() => answer)
        const store = open(gcsBucket, gcp(url))
        assert.deepStrictEqual(
          [yield* troubleOf(store.read("a", 100)), yield* troubleOf(put(store, { _tag: "Nothing" }))],
          expected
        )
        assert.strictEqual(asked[0]?.path, "/storage/v1/b/bucket/o/pre%2Ffix%2Fa?alt=media")
        assert.strictEqual(
          asked[1]?.path,
          "/upload/storage/v1/b/bucket/o?uploadType=media&name=pre%2Ffix%2Fa%2Fb&ifGenerationMatch=0"
        )
      })
    )

  it.live("comes packed as it was stored, whatever the client could unpack", () =>
    Effect.gen(function* () {
      const { asked, url } = yield* startScriptedStore(() => ({ headers: { "x-goog-generation": "17" }, body: "one" }))
      assert.strictEqual((yield* open(gcsBucket, gcp(url)).read("a", 100))?.tag, "17")
      assert.strictEqual(asked[0]?.headers["accept-encoding"], "identity")
    })
  )
})

describe("what Azure answers", () => {
  const azureError = (status: number, code: string): Answer => ({
    status,
    headers: { "x-ms-error-code": code, "content-type": "application/xml" },
    body: `<?xml version="1.0"?><Error><Code>${code}</Code><Message>${code}\nRequestId:1\nTime:2</Message></Error>`
  })
  const meanings: ReadonlyArray<readonly [answer: Answer, read: string, write: string]> = [
    [azureError(404, "BlobNotFound"), "done", "conflict"],
    [azureError(404, "ContainerNotFound"), "misconfigured", "misconfigured"],
    [azureError(403, "AuthenticationFailed"), "denied", "denied"],
    [azureError(403, "AuthorizationPermissionMismatch"), "denied", "denied"],
    [azureError(409, "BlobAlreadyExists"), "unavailable", "conflict"],
    [azureError(412, "ConditionNotMet"), "conflict", "conflict"],
    [azureError(503, "ServerBusy"), "unavailable", "unavailable"],
    [azureError(500, "OperationTimedOut"), "unavailable", "unavailable"]
  ]
  for (const [answer, ...expected] of meanings)
    it.live(`${answer.status} ${/<Code>(\w+)/.exec(answer.body ?? "")?.[1]}: ${expected.join(", ")}`, () =>
      Effect.gen(function* () {
        const { asked, url } = yield* startScriptedStore(() => answer)
        const store = open(container, azure(url))
        const error = yield* Effect.result(store.read("a", 100))
        assert.strictEqual(error._tag === "Success" ? "done" : error.failure.trouble, expected[0])
        if (error._tag === "Failure") assert.notMatch(error.failure.message, /RequestId/)
        assert.strictEqual(yield* troubleOf(put(store, { _tag: "Nothing" })), expected[1])
        assert.deepStrictEqual(
          asked.map(({ method, path }) => `${method} ${path}`),
          ["GET /devaccount/container/pre/fix/a?timeout=10", "PUT /devaccount/container/pre/fix/a/b?timeout=10"]
        )
      })
    )
})

describe("credentials that can't be right", () => {
  const { privateKey } = generateKeyPairSync("ed25519", {
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
    publicKeyEncoding: { type: "spki", format: "pem" }
  })
  const wrong: ReadonlyArray<readonly [says: string, location: VendorLocation, env: StoreEnvironment, words: RegExp]> =
    [
      [
        "half a key",
        bucket,
        { AWS_ACCESS_KEY_ID: "id", AWS_CONFIG_STORAGE_ENDPOINT: "http://127.0.0.1:9" },
        /AWS_SECRET_ACCESS_KEY/
      ],
      [
        "an endpoint with a password",
        bucket,
        aws(`http://me:${secret}@127.0.0.1:9`),
        /AWS_CONFIG_STORAGE_ENDPOINT: expected a URL/
      ],
      ["an endpoint that is none", gcsBucket, gcp("127.0.0.1:9"), /GCP_CONFIG_STORAGE_ENDPOINT: expected a URL/],
      [
        "an account that is no JSON",
        gcsBucket,
        { GCP_SERVICE_ACCOUNT: secret },
        /GCP_SERVICE_ACCOUNT: expected the JSON/
      ],
      [
        "an account without a name",
        gcsBucket,
        { GCP_SERVICE_ACCOUNT: JSON.stringify({ private_key: privateKey }) },
        /client_email/
      ],
      ["an account that is null", gcsBucket, { GCP_SERVICE_ACCOUNT: "null" }, /GCP_SERVICE_ACCOUNT/],
      ["a secret of nobody's", container, { AZURE_CLIENT_SECRET: secret }, /AZURE_TENANT_ID/]
    ]
  for (const [says, location, env, words] of wrong)
    it.live(`${says}: misconfigured, without quoting it`, () =>
      Effect.gen(function* () {
        const error = yield* failureOf(open(location, env).read("a", 100))
        assert.strictEqual(error.trouble, "misconfigured")
        assert.match(error.message, words)
        assert.notInclude(error.message, secret)
        assert.notInclude(error.message, "PRIVATE KEY")
      })
    )

  it.live("none at all", () =>
    Effect.gen(function* () {
      const env = { AWS_EC2_METADATA_DISABLED: "true", AWS_REGION: "eu-west-1", HOME: yield* temporaryFolder }
      const carry = yield* makeWorkerCarrier({ location: bucket, putObject: {}, ...limits, idleMs: 60_000, env })
      const error = yield* failureOf(carriedStore("", carry).read("a", 100))
      assert.strictEqual(error.trouble, "misconfigured")
      assert.match(error.message, /no credentials for S3/)
    })
  )
})

describe("the identity of the machine", () => {
  /** A worker of its own: the clients look for an identity in the environment of their thread. */
  const inWorker = (location: VendorLocation, env: StoreEnvironment) =>
    Effect.map(makeWorkerCarrier({ location, putObject: {}, ...limits, idleMs: 60_000, env }), (carry) =>
      carriedStore("", carry)
    )
  const asJson = { "content-type": "application/json" }

  it.live("is asked of Google's metadata server, and shown to the store", () =>
    Effect.gen(function* () {
      const answers: ReadonlyArray<Answer> = [
        { headers: { "x-goog-generation": "17" }, body: "one" },
        { body: '{"generation":"18"}' },
        { status: 503, body: "busy" },
        { status: 412, body: '{"error":{"errors":[{"reason":"conditionNotMet"}]}}' }
      ]
      const { location, env, asked } = yield* googleMachine((_, n) => answers[n - 1] ?? { status: 500 })
      const store = yield* inWorker(location, { ...env, ...trusting })
      assert.strictEqual(yield* textAt(store, "a"), "one")
      assert.strictEqual(yield* put(store, { _tag: "Unchanged", tag: "17" }), "18")
      assert.strictEqual(yield* troubleOf(store.read("a", 100)), "unavailable")
      assert.strictEqual(yield* troubleOf(put(store, { _tag: "Nothing" })), "conflict")
      assert.lengthOf(asked, 4, "nothing is asked twice")
      for (const { headers } of asked) assert.strictEqual(headers.authorization, `Bearer ${token}`)
      const [read, written] = asked
      assert.strictEqual(read?.headers["accept-encoding"], "identity")
      assert.strictEqual(written?.body.toString(), "one")
      assert.strictEqual(written?.headers["content-type"], "application/gzip")

      const error = yield* failureOf((yield* inWorker(location, env)).read("a", 100))
      assert.strictEqual(error.trouble, "misconfigured", error.message)
      assert.match(error.message, /SELF_SIGNED_CERT/)
      assert.lengthOf(asked, 4)
    })
  )

  it.live("is asked of Azure's, and shown to the store", () =>
    Effect.gen(function* () {
      const { location, env, asked, askedForToken } = yield* azureMachine(() => ({
        headers: { etag: '"1"' },
        body: "one"
      }))
      assert.strictEqual(yield* textAt(yield* inWorker(location, { ...env, ...trusting }), "a"), "one")
      assert.strictEqual(asked[0]?.headers.authorization, `Bearer ${token}`)
      assert.include(askedForToken[0]?.path, "resource=https%3A%2F%2Fstorage.azure.com")
    })
  )

  /** Microsoft's place to ask for tokens, as far as the client looks at it; `token` is what it answers then. */
  const authorityThat = (token: Answer) =>
    Effect.gen(function* () {
      const about = (base: string) => ({
        token_endpoint: `${base}/tenant/oauth2/v2.0/token`,
        authorization_endpoint: `${base}/tenant/oauth2/v2.0/authorize`,
        issuer: `${base}/tenant/v2.0`,
        jwks_uri: `${base}/keys`
      })
      return yield* startScriptedStore(
        ({ path, method, headers }) =>
          method === "POST" && path.includes("/token")
            ? { headers: asJson, ...token }
            : { headers: asJson, body: JSON.stringify(about(`https://${headers.host}`)) },
        yield* clusterCertificate
      )
    })

  const withSecret = (store: string, authority: string) =>
    inWorker(container, {
      AZURE_CONFIG_STORAGE_ENDPOINT: store,
      AZURE_TENANT_ID: "tenant",
      AZURE_CLIENT_ID: "client",
      AZURE_CLIENT_SECRET: secret,
      AZURE_AUTHORITY_HOST: authority,
      ...trusting
    })

  it.live("may be a client's secret with Azure", () =>
    Effect.gen(function* () {
      const store = yield* startScriptedStore(
        () => ({ status: 201, headers: { etag: '"1"' } }),
        yield* clusterCertificate
      )
      const authority = yield* authorityThat({
        body: '{"access_token":"of-the-client","expires_in":3600,"token_type":"Bearer"}'
      })
      yield* put(yield* withSecret(store.url, authority.url))
      assert.strictEqual(store.asked[0]?.headers.authorization, "Bearer of-the-client")
    })
  )

  it.live("is denied where the tenant says so, and unavailable where nobody can be asked", () =>
    Effect.gen(function* () {
      const store = yield* startScriptedStore(() => ({}), yield* clusterCertificate)
      const authority = yield* authorityThat({
        status: 401,
        body: '{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret provided."}'
      })
      const error = yield* failureOf((yield* withSecret(store.url, authority.url)).read("a", 100))
      assert.strictEqual(error.trouble, "denied", error.message)
      assert.match(error.message, /invalid_client/)
      assert.notInclude(error.message, secret)
      const busy = yield* authorityThat({ status: 503, body: '{"error":"temporarily_unavailable"}' })
      assert.strictEqual(yield* troubleOf((yield* withSecret(store.url, busy.url)).read("a", 100)), "unavailable")
      const nobody = yield* withSecret(store.url, `https://127.0.0.1:${yield* Effect.promise(unusedPort)}`)
      assert.strictEqual(yield* troubleOf(nobody.read("a", 100)), "unavailable")
      assert.lengthOf(store.asked, 0)
    })
  )
})
