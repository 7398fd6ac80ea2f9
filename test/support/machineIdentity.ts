/** Stores over TLS that ask for a token, and the machine's own place that gives it: of Google's kind, and of Azure's. */
import { Effect, type Scope } from "effect"
import type { StoreEnvironment, VendorLocation } from "../../src/layers/object-storage/vendorStore.ts"
import { clusterCertificate } from "./certificates.ts"
import { temporaryFolder } from "./folder.ts"
import { type Answer, type Asked, startScriptedStore } from "./scriptedStore.ts"

export interface StoreOfMachine {
  readonly location: VendorLocation
  /** Without `trusting`, the store's certificate counts for what it is: signed by nobody. */
  readonly env: StoreEnvironment
  readonly asked: ReadonlyArray<Asked>
  readonly askedForToken: ReadonlyArray<Asked>
}

/** For the environment of a worker, which alone it concerns. */
export const trusting: StoreEnvironment = { NODE_TLS_REJECT_UNAUTHORIZED: "0" }

export const token = "of-the-machine"

const asJson = { "content-type": "application/json", "metadata-flavor": "Google" }

type Made = Effect.Effect<StoreOfMachine, never, Scope.Scope>

export const googleMachine = (answer: (asked: Asked, n: number) => Answer): Made =>
  Effect.gen(function* () {
    const metadata = yield* startScriptedStore(({ path }) => ({
      headers: asJson,
      body: path.includes("/token") ? `{"access_token":"${token}","expires_in":3600,"token_type":"Bearer"}` : '"x"'
    }))
    const store = yield* startScriptedStore(answer, yield* clusterCertificate)
    return {
      location: { kind: "gcs", bucket: "bucket", prefix: "pre/fix" },
      env: {
        GCP_CONFIG_STORAGE_ENDPOINT: store.url,
        GCE_METADATA_HOST: metadata.url.replace("http://", ""),
        METADATA_SERVER_DETECTION: "assume-present",
        HOME: yield* temporaryFolder
      },
      asked: store.asked,
      askedForToken: metadata.asked
    }
  })

export const azureMachine = (answer: (asked: Asked, n: number) => Answer): Made =>
  Effect.gen(function* () {
    const identity = yield* startScriptedStore(() => ({
      headers: asJson,
      body: JSON.stringify({ access_token: token, expires_on: Math.floor(Date.now() / 1000) + 3_600 })
    }))
    const store = yield* startScriptedStore(answer, yield* clusterCertificate)
    return {
      location: { kind: "azure", account: "devaccount", container: "container", prefix: "pre/fix" },
      env: {
        AZURE_CONFIG_STORAGE_ENDPOINT: store.url,
        IDENTITY_ENDPOINT: `${identity.url}/token`,
        IDENTITY_HEADER: "of-the-service"
      },
      asked: store.asked,
      askedForToken: identity.asked
    }
  })
