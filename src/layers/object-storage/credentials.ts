/** Credentials and endpoints of the stores, which come from the environment (reference `resilience.md` §5.2). */
import { type StoreEnvironment, StoreTrouble } from "./vendorStore.ts"

/** What is set to nothing is not set. */
export const valueOf = (env: StoreEnvironment, name: string): string | undefined => env[name]?.trim() || undefined

const misconfigured = (message: string) => new StoreTrouble("misconfigured", message)

/** Not quoted when it is wrong, and with nothing secret in it when it is right. */
export const endpointOf = (env: StoreEnvironment, name: string): string | undefined => {
  const said = valueOf(env, name)
  if (said === undefined) return undefined
  const url = URL.canParse(said) ? new URL(said) : undefined
  const isBare = url !== undefined && `${url.username}${url.password}${url.search}${url.hash}` === ""
  if (!isBare || !/^https?:$/.test(url.protocol))
    throw misconfigured(
      `${name}: expected a URL such as https://store.example.com:9000, without user, query and fragment`
    )
  return url.href.replace(/\/+$/, "")
}

export interface AwsKeys {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
}

/** `undefined` when the environment names none: then the client looks for an identity of the workload or the machine. */
export const awsKeysOf = (env: StoreEnvironment): AwsKeys | undefined => {
  const accessKeyId = valueOf(env, "AWS_ACCESS_KEY_ID")
  const secretAccessKey = valueOf(env, "AWS_SECRET_ACCESS_KEY")
  const sessionToken = valueOf(env, "AWS_SESSION_TOKEN")
  if (accessKeyId === undefined && secretAccessKey === undefined) return undefined
  if (accessKeyId === undefined || secretAccessKey === undefined)
    throw misconfigured("expected both AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or neither")
  return { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) }
}

/** A store of one's own has no regions as a rule, and a signature needs one. */
export const awsRegionOf = (env: StoreEnvironment, endpoint: string | undefined): string | undefined =>
  valueOf(env, "AWS_REGION") ?? valueOf(env, "AWS_DEFAULT_REGION") ?? (endpoint === undefined ? undefined : "us-east-1")

export interface ServiceAccount {
  readonly client_email: string
  readonly private_key: string
  readonly project_id?: string
}

/** The JSON text of a service account's key. What is wrong with it is said without quoting it. */
export const serviceAccountOf = (env: StoreEnvironment): ServiceAccount | undefined => {
  const text = valueOf(env, "GCP_SERVICE_ACCOUNT")
  if (text === undefined) return undefined
  const wrong = misconfigured(
    "GCP_SERVICE_ACCOUNT: expected the JSON of a service account's key, with client_email and private_key"
  )
  try {
    const { client_email, private_key, project_id }: Readonly<Record<string, unknown>> = JSON.parse(text)
    if (typeof client_email !== "string" || typeof private_key !== "string") throw wrong
    return { client_email, private_key, ...(typeof project_id === "string" ? { project_id } : {}) }
  } catch {
    throw wrong
  }
}

export type AzureIdentity =
  | { readonly kind: "sharedKey"; readonly key: string }
  | { readonly kind: "secret"; readonly tenantId: string; readonly clientId: string; readonly clientSecret: string }
  | { readonly kind: "workload"; readonly tenantId: string; readonly clientId: string; readonly tokenFile: string }
  | { readonly kind: "managed"; readonly clientId: string | undefined }

/** The first that is named: a shared key, a client's secret, a workload's token, and otherwise the machine's identity. */
export const azureIdentityOf = (env: StoreEnvironment): AzureIdentity => {
  const key = valueOf(env, "AZURE_STORAGE_KEY")
  if (key !== undefined) return { kind: "sharedKey", key }
  const [tenantId, clientId] = [valueOf(env, "AZURE_TENANT_ID"), valueOf(env, "AZURE_CLIENT_ID")]
  const clientSecret = valueOf(env, "AZURE_CLIENT_SECRET")
  const tokenFile = valueOf(env, "AZURE_FEDERATED_TOKEN_FILE")
  if (clientSecret === undefined && tokenFile === undefined) return { kind: "managed", clientId }
  if (tenantId === undefined || clientId === undefined)
    throw misconfigured("expected AZURE_TENANT_ID and AZURE_CLIENT_ID beside AZURE_CLIENT_SECRET")
  return clientSecret !== undefined
    ? { kind: "secret", tenantId, clientId, clientSecret }
    : { kind: "workload", tenantId, clientId, tokenFile: tokenFile ?? "" }
}

/** What must not be told, whoever quotes it. */
const secretNames = ["AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AZURE_CLIENT_SECRET", "AZURE_STORAGE_KEY"] as const

/** Of the account's key its whole text, and each line of the private key however it is broken. */
const secretsOfAccount = (env: StoreEnvironment): ReadonlyArray<string> => {
  const text = valueOf(env, "GCP_SERVICE_ACCOUNT")
  if (text === undefined) return []
  const key = /"private_key"\s*:\s*"((?:[^"\\]|\\.)*)"/.exec(text)?.[1] ?? ""
  const lines = key.split(/\\n|\n/)
  return [text, key, ...lines.filter((line) => !line.startsWith("-----"))]
}

export const withoutSecrets = (env: StoreEnvironment, message: string): string =>
  [...secretNames.flatMap((name) => valueOf(env, name) ?? []), ...secretsOfAccount(env)]
    .filter(({ length }) => length >= 8)
    .reduce((told, secret) => told.replaceAll(secret, "***"), message)
