/** Kong's names of what may be traced; of these `request`, `balancer` and `all` mean something here. */
export const tracingInstrumentations = [
  "request",
  "balancer",
  "all",
  "db_query",
  "dns_query",
  "router",
  "http_client",
  "plugin_rewrite",
  "plugin_access",
  "plugin_header_filter"
] as const

/** Those that have spans. */
export const servedInstrumentations: ReadonlySet<string> = new Set(["request", "balancer", "all"])
