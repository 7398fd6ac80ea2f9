/**
 * For every entity of the table, something that the admin API accepts, and a change to it. A new entity without a
 * sample fails the tests that loop over the table: that is where its author is told what is missing.
 */
import type { Row } from "../../src/model/Entity.ts"
import { licenseUntil } from "./licenses.ts"
import { caCert, leafCert, leafKey } from "./pems.ts"

export interface Sample {
  readonly create: Row
  readonly change: Row
  /** The same as a form writes it, where that says more than texts. */
  readonly form?: ReadonlyArray<readonly [string, string]>
  readonly formMeans?: Row
  /** What must exist first: its reference field, and how it is made. */
  readonly parent?: { readonly field: string; readonly of: string }
}

export const samples: Readonly<Record<string, Sample>> = {
  workspaces: { create: { name: "team-a" }, change: { comment: "ours" } },
  certificates: { create: { cert: leafCert, key: leafKey }, change: { tags: ["a"] } },
  ca_certificates: { create: { cert: caCert }, change: { tags: ["a"] } },
  services: {
    create: { name: "echo", host: "example.com" },
    change: { retries: 3 },
    form: [
      ["name", "formed"],
      ["url", "https://example.com/base"],
      ["retries", "7"],
      ["enabled", "false"],
      ["tags", "a,b"]
    ],
    formMeans: {
      name: "formed",
      protocol: "https",
      host: "example.com",
      port: 443,
      path: "/base",
      retries: 7,
      enabled: false,
      tags: ["a", "b"]
    }
  },
  routes: {
    create: { name: "r", paths: ["/a"], methods: ["GET"] },
    change: { strip_path: false },
    form: [
      ["name", "formed"],
      ["paths[]", "/a,b"],
      ["paths[]", "/c"],
      ["headers.x-version", "1,2"],
      ["regex_priority", "5"],
      ["methods", ""]
    ],
    formMeans: {
      name: "formed",
      paths: ["/a,b", "/c"],
      headers: { "x-version": ["1", "2"] },
      regex_priority: 5,
      methods: null
    }
  },
  snis: {
    create: { name: "a.example.com" },
    change: { tags: ["a"] },
    parent: { field: "certificate", of: "certificates" }
  },
  upstreams: {
    create: { name: "up.internal" },
    change: { slots: 100 },
    form: [
      ["name", "formed.internal"],
      ["healthchecks.active.healthy.interval", "5"],
      ["healthchecks.active.unhealthy.http_statuses[]", "500"],
      ["healthchecks[passive][type]", "tcp"]
    ],
    formMeans: { name: "formed.internal" }
  },
  targets: { create: { target: "10.0.0.1:80" }, change: { weight: 5 }, parent: { field: "upstream", of: "upstreams" } },
  consumers: { create: { username: "bob" }, change: { custom_id: "b-1" } },
  plugins: {
    create: { name: "correlation-id" },
    change: { config: { header_name: "X-Id", generator: "uuid#counter", echo_downstream: false } },
    form: [
      ["name", "key-auth"],
      ["config.key_names[]", "apikey"],
      ["config.key_names[]", "x-key"],
      ["config.hide_credentials", "true"],
      ["protocols", "http,https"]
    ],
    formMeans: {
      protocols: ["http", "https"],
      config: {
        key_names: ["apikey", "x-key"],
        hide_credentials: true,
        anonymous: null,
        key_in_header: true,
        key_in_query: true,
        key_in_body: false,
        run_on_preflight: true,
        realm: null
      }
    }
  },
  keyauth_credentials: {
    create: { key: "open sesame" },
    change: { tags: ["a"] },
    parent: { field: "consumer", of: "consumers" }
  },
  parameters: { create: { key: "colour", value: "blue" }, change: { value: "red" } },
  licenses: {
    create: { payload: licenseUntil("2099-01-01") },
    change: { payload: licenseUntil("2099-12-31") }
  }
}
