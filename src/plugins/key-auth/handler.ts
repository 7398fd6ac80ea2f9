/**
 * Lets through who shows a key that a credential of the configuration has. Messages, statuses and headers are those of
 * Kong's open-source plugin, 3.9 (`kong/plugins/key-auth/handler.lua`); what differs stands in `docs/proxy-behaviour.md`.
 *
 * Invariant: without `anonymous`, a request gets past this plugin only with a known key whose time is not over and whose
 * consumer exists. Whatever else happens is an answer.
 */
import type { Consumer } from "../../model/Entities.ts"
import { argumentsNamed, withoutArgument } from "../../model/FormArguments.ts"
import type { PluginAnswer, PluginContext, PluginHandler, PluginRequest } from "../../model/plugin/Plugin.ts"
import { toByteString } from "../../model/RequestPath.ts"
import { isExpired } from "../../model/Ttl.ts"
import { type BodyFields, readBodyFields } from "./bodyFields.ts"
import { type Credentials, findConsumer, indexCredentials, type Known } from "./credentials.ts"
import type { KeyAuthConfig } from "./schema.ts"

const unexpected: PluginAnswer = { status: 500, message: "An unexpected error occurred" }

const textOf = (name: string | null | undefined): string | undefined =>
  name === null || name === undefined ? undefined : toByteString(name)

/** Tells the upstream who it is, and takes away whatever the client said of that. */
const introduce = (request: PluginRequest, consumer: Consumer | undefined, credentialId: string | undefined): void => {
  request.setHeader("X-Consumer-ID", consumer?.id)
  request.setHeader("X-Consumer-Custom-ID", textOf(consumer?.custom_id))
  request.setHeader("X-Consumer-Username", textOf(consumer?.username))
  request.setHeader("X-Credential-Identifier", credentialId)
}

const authenticate = (request: PluginRequest, consumer: Consumer, credentialId: string | undefined): undefined => {
  request.authenticate({ consumer, credentialId })
  introduce(request, consumer, credentialId)
  request.setHeader("X-Anonymous-Consumer", credentialId === undefined ? "true" : undefined)
}

const pass = (request: PluginRequest): undefined => {
  // Nobody has said who this is, and the client's own word must not stand for it.
  if (request.authenticated !== undefined) return
  introduce(request, undefined, undefined)
  request.setHeader("X-Anonymous-Consumer", undefined)
}

type Search = { readonly key: string; readonly name: string } | "missing" | "duplicate"

/** What the head has under a name: the header's values, else the query's. */
const valuesInHead = (
  { key_in_header, key_in_query }: KeyAuthConfig,
  request: PluginRequest,
  name: string
): ReadonlyArray<unknown> => {
  const inHeader = key_in_header ? request.headerValues(name.toLowerCase()) : []
  return inHeader.length > 0 || !key_in_query ? inHeader : argumentsNamed(request.query.slice(1), name)
}

/** By the names in their order; of each, by header, query and body. */
const search = (config: KeyAuthConfig, request: PluginRequest, body: BodyFields | undefined): Search => {
  for (const name of config.key_names) {
    const inHead = valuesInHead(config, request, name)
    const values = inHead.length > 0 ? inHead : (body?.valuesOf(name) ?? [])
    if (values.length > 1) return "duplicate"
    const [value] = values
    if (typeof value === "string") return value === "" ? "missing" : { key: value, name }
  }
  return "missing"
}

/** Whether the body has to be read before anything can be said. */
const needsBody = (config: KeyAuthConfig, request: PluginRequest): boolean => {
  if (!config.key_in_body || config.hide_credentials) return config.key_in_body
  for (const name of config.key_names) {
    const values = valuesInHead(config, request, name)
    if (values.length === 0) return true
    if (values.length > 1 || typeof values[0] === "string") return false
  }
  return false
}

const hide = (request: PluginRequest, name: string, body: BodyFields | undefined): void => {
  if (request.query !== "") {
    const left = withoutArgument(request.query.slice(1), name)
    request.setQuery(left === "" ? "" : `?${left}`)
  }
  request.setHeader(name, undefined)
  const bare = body?.without(name)
  if (bare !== undefined) request.setBody(bare)
}

/** Lets a request pass whose key it is, or gives the reason why not. */
const judge = (request: PluginRequest, known: Known | undefined): "unknown" | "broken" | "good" => {
  if (known === undefined) return "unknown"
  const { consumer, credential } = known
  if (credential.ttl !== null && isExpired(credential, request.node.nowMs())) return "unknown"
  if (consumer === undefined) return "broken"
  authenticate(request, consumer, credential.id)
  return "good"
}

/** What is to be known of a row, once. */
interface Guard {
  readonly config: KeyAuthConfig
  readonly credentials: Credentials
  readonly unauthorized: (message: string) => PluginAnswer
}

const check = (
  { config, credentials, unauthorized }: Guard,
  request: PluginRequest,
  body: BodyFields | undefined
): PluginAnswer | undefined => {
  const found = search(config, request, body)
  if (found === "duplicate") return unauthorized("Duplicate API key found")
  if (found === "missing") return unauthorized("No API key found in request")
  if (config.hide_credentials) hide(request, found.name, body)
  const verdict = judge(request, credentials.find(found.key, request.route))
  return verdict === "good" ? undefined : verdict === "unknown" ? unauthorized("Unauthorized") : unexpected
}

const asAnonymous = (request: PluginRequest, anonymous: Consumer | undefined): PluginAnswer | undefined =>
  anonymous === undefined ? unexpected : authenticate(request, anonymous, undefined)

export const keyAuthHandler = ({ config, shared, table }: PluginContext<KeyAuthConfig>): PluginHandler => {
  const challenge = config.realm === null ? "Key" : `Key realm="${toByteString(config.realm)}"`
  const guard: Guard = {
    config,
    credentials: shared("key-auth/credentials", indexCredentials),
    unauthorized: (message) => ({ status: 401, message, headers: ["WWW-Authenticate", challenge] })
  }
  const anonymous = config.anonymous === null ? undefined : findConsumer(table, config.anonymous)
  const settle = (request: PluginRequest, answer: PluginAnswer | undefined) =>
    answer !== undefined && config.anonymous !== null ? asAnonymous(request, anonymous) : answer
  return {
    access: (request) => {
      if (!config.run_on_preflight && request.method === "OPTIONS") return pass(request)
      // Any of several plugins may say who it is: the first that did is believed.
      if (config.anonymous !== null && request.authenticated?.credentialId !== undefined) return undefined
      if (!needsBody(config, request)) return settle(request, check(guard, request, undefined))
      return readBodyFields(request).then((body) => settle(request, check(guard, request, body)))
    }
  }
}
