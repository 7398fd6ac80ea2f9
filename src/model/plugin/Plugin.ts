/**
 * The plugin contract. A plugin is a folder with `schema.ts` (what may be configured) and `handler.ts` (what it does to a
 * request), gathered into one value of this type. Order, scoping and phases: reference `config-model.md` §6.
 *
 * Everything that can be decided when a configuration is compiled is decided then: `handler` is called once for each
 * configured plugin, and what it returns names the phases that it takes part in. A phase that it does not name costs no
 * request anything, and a request whose route has no plugins meets nothing of this at all.
 */
import type { ConfigTable } from "../ConfigTable.ts"
import type { Consumer, Route, Service } from "../Entities.ts"
import type { Row } from "../Entity.ts"
import type { Fault } from "../Fault.ts"
import type { Fields, struct } from "../Field.ts"

/** What a plugin can be bound to. */
export type PluginScope = "service" | "route" | "consumer"

export type ConfigOf<F extends Fields> = ReturnType<typeof struct<F>>["Type"]

export interface PluginSchema<F extends Fields = Fields> {
  /** Of the row's `config`, with their defaults. A field with `sensitive: true` stands in no message; the admin API gives it back. */
  readonly fields: F
  /** Rules between fields, asked only of a config whose fields are right one by one. */
  readonly check?: (config: ConfigOf<F>) => ReadonlyArray<Fault>
  /** What rows of this plugin can't be bound to; Kong's `no_consumer` and its like. */
  readonly neverScopedBy?: ReadonlyArray<PluginScope>
  /** Input-only shorthands and Kong's deprecated names, expanded before validation. */
  readonly expand?: (config: Row) => Row
}

interface AnswerHead {
  /** From 200 to 599. */
  readonly status: number
  /** Name after value. Framing is the gateway's: names such as `Content-Length` are left out. */
  readonly headers?: ReadonlyArray<string>
}

/**
 * What a plugin answers itself: no upstream hears of the request. Plugins that come later are still found, for their
 * `headerFilter` and `log`, but their `access` is not called (`docs/proxy-behaviour.md`, "Plugins").
 */
export type PluginAnswer = AnswerHead &
  (
    | {
        /** Already in the form that goes out; texts as UTF-8; empty for none. */
        readonly body: string | Uint8Array
      }
    | {
        /** Written as the gateway's own errors are: in the format that the client accepts, with the request's id. */
        readonly message: string
      }
  )

/** Who a request is said to come from. */
export interface Authenticated {
  /** `undefined` for a credential without a consumer. */
  readonly consumer: Consumer | undefined
  /** Id of the credential; `undefined` for an anonymous consumer. */
  readonly credentialId: string | undefined
}

/** The node that a request came to: what handlers need of the world, so that making them stays pure. */
export interface PluginNode {
  readonly id: string
  readonly hostname: string
  readonly processId: number
  /** Of the gateway, for headers such as `Server` (`kong/3.9.0`). */
  readonly product: string
  readonly randomUuid: () => string
  /** Wall time that the node trusts, milliseconds since the epoch. Costs microseconds: for what needs the time only. */
  readonly nowMs: () => number
}

/** The client's connection. */
export interface PluginConnection {
  /** The end that the client reached. */
  readonly serverAddress: string
  readonly serverPort: number
  /** Counts connections since the node started, among those that a plugin asked about. */
  readonly serial: number
  /** Counts the connection's requests, among those that a plugin asked about; this one included. */
  readonly requests: number
}

/**
 * A request as plugins see it. Reading costs nothing that was not needed anyhow; changes are kept until it goes upstream.
 * Texts are as HTTP carries them, one character a byte (`RequestPath.ts`, `toByteString`). Names of headers to be read are
 * in lower case.
 */
export interface PluginRequest {
  readonly node: PluginNode
  /** `X-Kong-Request-Id`. */
  readonly id: string
  readonly method: string
  /** Normalised, without the query. */
  readonly path: string
  /** With its `?`, empty when there is none; as plugins before changed it. */
  readonly query: string
  /** Of the request's authority, as sent, without the port. */
  readonly host: string
  readonly port: number
  /** After real-ip processing. */
  readonly clientAddress: string
  readonly isTls: boolean
  readonly connection: PluginConnection
  readonly route: Route
  readonly service: Service | undefined
  readonly authenticated: Authenticated | undefined
  /** The client's header, several values joined by `, `; with what plugins before changed. */
  header(name: string): string | undefined
  /** Every value, one for each time that the client sent the header; with what plugins before changed. */
  headerValues(name: string): ReadonlyArray<string>
  /** All headers, by names in lower case; with what plugins before changed. */
  headers(): ReadonlyMap<string, ReadonlyArray<string>>
  /**
   * Replaces what the upstream is sent under this name; `undefined` takes it away. What the gateway itself manages
   * (`Connection`, framing, `X-Forwarded-*`, `X-Real-IP`, `Via`) goes upstream as it would have; `Host` can be replaced.
   */
  setHeader(name: string, value: string | undefined): void
  /** Replaces the query that the upstream is sent; with its `?`, or empty. */
  setQuery(query: string): void
  /**
   * The whole body, read before the request goes on; `undefined` when it is larger than this, or did not come to its end.
   * Whatever was read goes upstream all the same. To be asked for in the access phase; after it, only what was read then is
   * given.
   */
  body(maxBytes: number): Promise<Uint8Array | undefined>
  /** Replaces the body that the upstream is sent. Only after `body` gave the whole; throws otherwise. */
  setBody(body: Uint8Array): void
  /** From here on plugins that are bound to a consumer apply, and telemetry counts by it. */
  authenticate(who: Authenticated): void
  /** One value per request and plugin row, for later phases of the same row. */
  state: unknown
}

/** The head of the answer, on its way to the client: an upstream's, a plugin's, or the gateway's own. */
export interface PluginResponse {
  readonly status: number
  readonly source: "service" | "exit" | "error"
  /** Names in lower case. */
  header(name: string): string | undefined
  /** Framing is the gateway's: names such as `Content-Length` change nothing. */
  setHeader(name: string, value: string | undefined): void
}

/** The phases that one configured plugin takes part in. */
export interface PluginHandler {
  /**
   * In the order of priorities, before anything goes upstream. A promise makes the request wait, and only a promise does.
   * What it throws is answered 500: the request goes nowhere that this plugin did not let it go.
   */
  readonly access?: (request: PluginRequest) => PluginAnswer | undefined | Promise<PluginAnswer | undefined>
  /** Before any answer's head is written. What it throws is answered 500, and no further plugin is asked; so is a promise, for nobody waits. */
  readonly headerFilter?: (request: PluginRequest, response: PluginResponse) => void
  /** When all is over. What it throws is logged and harms nobody. */
  readonly log?: (request: PluginRequest, outcome: PluginOutcome) => void
}

/** How a request ended, for the log phase. */
export interface PluginOutcome {
  readonly status: number
  readonly source: "service" | "exit" | "error"
  readonly requestMs: number
  /** -1 when there was none. */
  readonly proxyMs: number
  readonly upstreamMs: number
  readonly requestBodyBytes: number
  readonly responseBodyBytes: number
}

/** What a handler is made of. Making one is pure: what depends on the node comes with each request. */
export interface PluginContext<Config> {
  readonly config: Config
  /** The row's id. */
  readonly id: string
  /** All rows of the configuration that the plugin is a part of: for indexes over credentials and the like. */
  readonly table: ConfigTable
  /** Made once per configuration and key, however many rows ask for it: an index over the whole table, for example. */
  readonly shared: <A>(key: string, make: (table: ConfigTable) => A) => A
}

/** A plugin, whatever it is configured with. */
export interface Plugin<F extends Fields = Fields> {
  /** As in the row's `name`. */
  readonly name: string
  /** Higher runs first; equal ones in reverse alphabetical order of names. */
  readonly priority: number
  readonly schema: PluginSchema<F>
  /** What it throws refuses the configuration: nothing is served without a plugin that was asked for. */
  readonly handler: (context: PluginContext<ConfigOf<F>>) => PluginHandler
}

/** Keeps the type of the config between schema and handler, and gives both up to whoever only runs plugins. */
export const definePlugin = <F extends Fields>(plugin: Plugin<F>): Plugin => plugin as unknown as Plugin
